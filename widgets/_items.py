"""How far a mapped step has come: counts, time left, what failed; and its items one by one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stepwell.orchestrator import ErrorInfo, ItemsView, Phase, StepView
from stepwell.widgets._format import duration, elapsed, plural
from stepwell.widgets._grid import Cell, Grid, State
from stepwell.widgets._html import Markup, details, element, join, muted, text
from stepwell.widgets._rows import Column
from stepwell.widgets._sheet import MOST_ROWS, Sheet
from stepwell.widgets._state import DONE, FAILED, RUNNING, look_of
from stepwell.widgets._text import line
from stepwell.widgets._view import View

__all__ = ["ItemRow", "failures", "item_lines", "items_said", "items_table"]

FEW = 20
_COLUMNS = [
    Column("item", at_most=60),
    Column("state", is_short=True),
    Column("attempts", is_number=True),
    Column("took", is_number=True),
    Column("", at_most=200),
]
_ROW = "margin:2px 0 0 0"
_BAR = "height:4px;border-radius:2px"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One item of a mapped step."""

    key: str
    state: str
    """`done`, `failed`, `running`, `waiting`, `needs a person`, `undone`."""
    attempts: int = 0
    seconds: float | None = None
    said: str = ""
    """What it made, or why it failed."""


def items_said(view: StepView, now: int) -> str:
    """The counts in one line; empty for a step that is not mapped."""
    items = view.items
    if items is None:
        return ""
    if items.done == items.total and view.phase is Phase.COMPLETED:
        reused = f"{items.reused:,} of them from before" if items.reused else ""
        return " · ".join(filter(None, [plural(items.total, "item"), reused]))
    said = [f"{items.done:,} of {plural(items.total, 'item')} done"]
    counts = {"failed": items.failed, "running": items.running, "waiting": items.waiting}
    said += [f"{count:,} {word}" for word, count in counts.items() if count > 0]
    return " · ".join([*said, *_time_left(items, now)])


def _time_left(items: ItemsView, now: int) -> Iterator[str]:
    made, open_ones = items.done + items.failed - items.reused, items.waiting + items.running
    if items.since and made > 0 and open_ones > 0 and now > items.since:
        seconds = (now - items.since) / 1e6 / made * open_ones
        yield f"about {elapsed(seconds) if seconds >= 1 else '1 s'} left"


def failures(view: StepView) -> Iterator[tuple[str, str]]:
    """Key and error of the first items that failed, where the step's error does not tell."""
    if view.items is None or view.phase is Phase.FAILED:
        return
    for key, error in view.items.first_failed:
        yield key, _said(error)


def _said(error: ErrorInfo) -> str:
    where = f" (line {error.line})" if error.line else ""
    return f"{error.type}: {line(error.message, 160)}{where}" if error.message else error.type


def item_lines(view: StepView, now: int) -> Iterator[Markup]:
    """The counts, a bar while it runs, and the first that failed."""
    items = view.items
    if items is None:
        return
    yield element("div", muted(items_said(view, now)), style=_ROW)
    if view.phase is Phase.RUNNING and items.total:
        yield _bar(items)
    for key, said in failures(view):
        sign = element("b", f"{FAILED.sign} ", style=f"color:{FAILED.solid}")
        yield element("div", sign, element("b", text(key, 60)), ": ", text(said, 240), style=_ROW)
    more = items.failed - len(items.first_failed)
    if view.phase is not Phase.FAILED and more > 0:
        yield element("div", muted(f"and {more:,} more failed"), style=_ROW)


def _bar(items: ItemsView) -> Markup:
    parts = [(DONE, items.done), (FAILED, items.failed), (RUNNING, items.running)]
    filled = [
        element(
            "span",
            style=f"display:inline-block;vertical-align:top;width:{100 * count / items.total:.2f}%;"
            f"height:4px;background-color:{look.tint(0.8)}",
        )
        for look, count in parts
        if count
    ]
    ground = f"{_BAR};background-color:rgba(128,128,128,0.18);width:280px;max-width:100%"
    return element("div", *filled, style=f"{ground};overflow:hidden;margin:4px 0 2px 0;font-size:0")


def items_table(rows: Sequence[ItemRow]) -> View:
    """Every item; of more than a few those that need a look first, and the rest folded."""
    if len(rows) <= FEW:
        return Sheet(columns=_COLUMNS, rows=[_row(row) for row in rows], title="items").view()
    order = ("failed", "needs a person", "running", "waiting")
    ranked = sorted(rows, key=lambda row: (*order, row.state).index(row.state))
    first, rest = ranked[:FEW], ranked[FEW:]
    grid = Grid(_COLUMNS, [_row(row) for row in rest[:MOST_ROWS]])
    unseen = len(rest) - MOST_ROWS
    tail = [muted(f"and {unseen:,} more: they are in the view attempts")] if unseen > 0 else []
    return Sheet(
        columns=_COLUMNS,
        rows=[_row(row) for row in first],
        title=plural(len(rows), "item"),
        about=_counted(rows),
        extras=[details(f"{plural(len(rest), 'more item')}", join([grid.html(), *tail]))],
    ).view()


def _counted(rows: Sequence[ItemRow]) -> str:
    counts = Counter(row.state for row in rows)
    return ", ".join(f"{count:,} {state}" for state, count in counts.most_common())


def _row(row: ItemRow) -> list[Cell]:
    return [
        row.key,
        State(look_of(row.state)),
        row.attempts if row.attempts != 1 else "",
        "" if row.seconds is None else duration(row.seconds),
        row.said,
    ]
