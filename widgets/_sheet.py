"""A table with its title and what is to be said about it; anybody's rows as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.widgets._format import plural
from stepwell.widgets._grid import Cell, Grid
from stepwell.widgets._html import Markup, element, join, muted, text
from stepwell.widgets._rows import Column
from stepwell.widgets._text import block, line
from stepwell.widgets._view import View

__all__ = ["MOST_ROWS", "Sheet", "cell", "table"]

MOST_ROWS = 200
_MOST_NOTES = 20
_BOX = "margin:2px 0;line-height:1.6;text-align:left;overflow-wrap:break-word"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that is shown; `view` gives it as a page and as text."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    about: str = ""
    """Goes on after the title, less loudly."""
    notes: Sequence[str] = ()
    empty: str = "nothing to show"
    """Said instead of a table without rows."""
    ornament: str = ""
    """Beside the title, on a page only."""
    extras: Sequence[Markup] = ()
    """Below everything, on a page only."""

    def view(self) -> View:
        """The sheet in both forms; of very many rows the first ones, the others counted."""
        grid = Grid(self.columns, self.rows[:MOST_ROWS]).without_empty() if self.rows else None
        notes = self._said_below()
        page = [
            element("div", self._title(), self.ornament) if self.title else "",
            grid.html() if grid else muted(text(self.empty)),
            *[element("div", text(row, 600)) for row in notes],
            *self.extras,
        ]
        plain = [
            " · ".join(line(part, 300) for part in (self.title, self.about) if part),
            grid.plain() if grid else line(self.empty, 300),
            *[line(row, 600) for row in notes],
        ]
        said = "\n".join(part for part in plain if part)
        return View({"text/html": element("div", *page, style=_BOX), "text/plain": said})

    def _title(self) -> Markup:
        about = muted(" · ", text(self.about)) if self.about else ""
        return join([element("b", text(self.title)), about])

    def _said_below(self) -> list[str]:
        count = len(self.rows) - MOST_ROWS
        left_out = [f"… and {plural(count, 'more row')}"] if count > 0 else []
        notes = "\n".join([*left_out, *(note for note in self.notes if note)])
        return [row for row in block(notes, lines=_MOST_NOTES, columns=600).split("\n") if row]


def table(
    columns: Sequence[Column | str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    note: str = "",
    empty: str = "nothing to show",
) -> View:
    """Any rows as a table. All text is escaped and cut to its column's length.

    Raises `ValueError` for a row that has not as many cells as there are columns.
    """
    known = [column if isinstance(column, Column) else Column(column) for column in columns]
    for row in rows:
        if len(row) != len(known):
            raise ValueError(f"a row has {len(row)} cells for {len(known)} columns: {row!r:.200}")
    cells = [[cell(value) for value in row] for row in rows]
    return Sheet(title=title, columns=known, rows=cells, notes=[note], empty=empty).view()


def cell(value: object) -> Cell:
    """What stands in a cell for a value: nothing for None."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    return "" if value is None else str(value)
