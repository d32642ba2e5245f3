"""What is seen: cards of steps, tables, and the board that keeps cards up to date.

It knows how a step looks at one moment, and how often a front end may be told. It does not
know where cells are, how messages are sent, or what any of it means for the run.
Everything it makes is static HTML that survives a front end's sanitiser, with plain text
beside it; text from users and models is only ever text.
"""

from stepwell.widgets._board import Board, Publisher
from stepwell.widgets._card import STEP_MIME, card
from stepwell.widgets._format import duration, size
from stepwell.widgets._past import diff_table, history_table
from stepwell.widgets._replay import replay
from stepwell.widgets._rows import Column, DiffRow, HistoryRow, PlanRow, RunRow
from stepwell.widgets._run_table import run_table, runs_table
from stepwell.widgets._sheet import table
from stepwell.widgets._tables import plan_table, store_table
from stepwell.widgets._view import Bundle, View, below

__all__ = [
    "STEP_MIME",
    "Board",
    "Bundle",
    "Column",
    "DiffRow",
    "HistoryRow",
    "PlanRow",
    "Publisher",
    "RunRow",
    "View",
    "below",
    "card",
    "diff_table",
    "duration",
    "history_table",
    "plan_table",
    "replay",
    "run_table",
    "runs_table",
    "size",
    "store_table",
    "table",
]
