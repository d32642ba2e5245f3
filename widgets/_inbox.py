"""What waits for a person, as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.widgets._format import clock_time, elapsed, plural
from stepwell.widgets._grid import Cell
from stepwell.widgets._rows import Column
from stepwell.widgets._sheet import Sheet
from stepwell.widgets._view import View

__all__ = ["InboxRow", "inbox_table"]

_COLUMNS = [
    Column("id", is_code=True, is_short=True),
    Column("step", is_code=True, is_short=True),
    Column("question", at_most=300),
    Column("about", is_code=True, at_most=200),
    Column("asked", is_short=True),
    Column("until", is_short=True),
    Column("run", is_code=True, is_short=True),
    Column("notebook"),
    Column("answer with", is_code=True, at_most=120),
]
_THEN = {"reject": "then rejected", "approve": "then approved", "fail": "then it fails"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """One open question. Times are microseconds since 1970 UTC."""

    id: str
    step: str
    question: str
    about: str = ""
    """A preview of what is to be decided about."""
    asked: int = 0
    due: int = 0
    """0 for as long as it takes."""
    on_timeout: str = "reject"
    run: str = ""
    """Empty for the current one."""
    notebook: str = ""
    way_out: str = ""
    """What to type."""


def inbox_table(rows: Sequence[InboxRow], *, now: int, note: str = "") -> View:
    """Everything that waits for a person, in the order given."""
    return Sheet(
        title=f"{plural(len(rows), 'question')} for a person" if rows else "",
        columns=_COLUMNS,
        rows=[_row(row, now) for row in rows],
        notes=[note],
        empty="nothing waits for a person",
    ).view()


def _row(row: InboxRow, now: int) -> list[Cell]:
    return [
        row.id,
        row.step,
        row.question,
        row.about,
        f"{elapsed((now - row.asked) / 1e6)} ago",
        f"{clock_time(row.due, now)}, {_THEN[row.on_timeout]}" if row.due else "",
        row.run,
        row.notebook,
        row.way_out,
    ]
