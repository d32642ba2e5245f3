"""What is seen: cards of steps, tables, and the board that keeps cards up to date.

It knows how a step looks at one moment, and how often a front end may be told. It does not
know where cells are, how messages are sent, or what any of it means for the run.
Everything it makes is static HTML that survives a front end's sanitiser, with plain text
beside it; text from users and models is only ever text.
"""

from collections.abc import Callable
from typing import Any

from stepwell.widgets._board import Board, Publisher
from stepwell.widgets._card import STEP_MIME, card
from stepwell.widgets._format import duration, size
from stepwell.widgets._inbox import InboxRow, inbox_table
from stepwell.widgets._items import ItemRow, items_table
from stepwell.widgets._live import Link, Live, Source
from stepwell.widgets._past import diff_table, history_table
from stepwell.widgets._replay import replay
from stepwell.widgets._rich import log_ending, log_entries, rich, text_value
from stepwell.widgets._rows import Column, DiffRow, HistoryRow, PlanRow, RunRow
from stepwell.widgets._run_table import run_table, runs_table
from stepwell.widgets._sheet import table
from stepwell.widgets._snapshot import (
    Message,
    approval_facts,
    output_facts,
    run_facts,
    step_facts,
)
from stepwell.widgets._spans import SPAN_KINDS, SpanRecord, Spans
from stepwell.widgets._tables import plan_table, store_table
from stepwell.widgets._view import Bundle, ShownView, View, below

__all__ = [
    "SPAN_KINDS",
    "STEP_MIME",
    "Board",
    "Bundle",
    "Column",
    "DiffRow",
    "HistoryRow",
    "InboxRow",
    "ItemRow",
    "Link",
    "Live",
    "Message",
    "PlanRow",
    "Publisher",
    "RunRow",
    "ShownView",
    "Source",
    "SpanRecord",
    "Spans",
    "View",
    "approval_facts",
    "below",
    "card",
    "diff_table",
    "duration",
    "history_table",
    "inbox_table",
    "items_table",
    "log_ending",
    "log_entries",
    "output_facts",
    "plan_table",
    "replay",
    "rich",
    "run_facts",
    "run_table",
    "runs_table",
    "size",
    "step_facts",
    "store_table",
    "table",
    "text_value",
    "widget_link",
]


def widget_link(hear: Callable[[Message], None], route: Callable[[Any], bool]) -> Link:
    """A link by an anywidget, which is imported now. See `Link` for what it does."""
    from stepwell.widgets._model import WidgetLink

    return WidgetLink(hear, route)
