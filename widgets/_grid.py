"""Rows and columns, as HTML and as aligned text."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.widgets._html import MONO, Markup, element, text
from stepwell.widgets._rows import Column
from stepwell.widgets._state import Look, chip
from stepwell.widgets._text import line, width

__all__ = ["Cell", "Grid", "State"]

_CELL = "padding:2px 14px 2px 0;text-align:{align};vertical-align:top;border:none;line-height:1.5"
_WIDE = 100
_HEAD = f"{_CELL};font-weight:600;opacity:0.72;white-space:nowrap"


@dataclass(frozen=True, slots=True)
class State:
    """A cell that shows a state; `word` instead of the state's own."""

    look: Look
    word: str = ""

    def __str__(self) -> str:
        return f"{self.look.sign} {self.word or self.look.word}"


Cell = str | int | State


@dataclass(frozen=True, slots=True)
class Grid:
    """A table's content; both forms are made from it."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def without_empty(self) -> "Grid":
        """The same, without the columns in which nothing is said."""
        used = [
            at
            for at in range(len(self.columns))
            if at == 0 or any(row[at] != "" for row in self.rows)
        ]
        columns = [self.columns[at] for at in used]
        return Grid(columns, [[row[at] for at in used] for row in self.rows])

    def html(self) -> Markup:
        """The table as HTML."""
        head = [_html_head(column) for column in self.columns]
        body = [
            element("tr", *map(_html_cell, self.columns, row), style=_row_style(index))
            for index, row in enumerate(self.rows)
        ]
        top = element("tr", *head, style=_row_style(0))
        parts = [element("thead", top), element("tbody", *body)]
        style = "border-collapse:collapse;margin:4px 0;text-align:left;table-layout:auto"
        return element("div", element("table", *parts, style=style), style="overflow:auto")

    def plain(self) -> str:
        """The table as text, columns aligned."""
        # Only the last column may run on: it pushes nothing out of line.
        limits = [min(column.at_most, 60) for column in self.columns]
        limits[-1] = self.columns[-1].at_most
        said = [[line(column.title) for column in self.columns]]
        said += [
            [line(str(cell), limit) for cell, limit in zip(row, limits, strict=True)]
            for row in self.rows
        ]
        widths = [max(map(width, cells)) for cells in zip(*said, strict=True)]
        return "\n".join(_plain_row(self.columns, row, widths) for row in said)


def _align(column: Column) -> str:
    return "right" if column.is_number else "left"


def _html_head(column: Column) -> Markup:
    return element("th", text(column.title), style=_HEAD.format(align=_align(column)))


def _row_style(index: int) -> str:
    # Said for every row: notebooks stripe tables of their own accord.
    shade = "0.06" if index % 2 else "0"
    return f"background-color:rgba(128,128,128,{shade});border-top:1px solid rgba(128,128,128,0.2)"


def _html_cell(column: Column, cell: Cell) -> Markup:
    style = _CELL.format(align=_align(column))
    if isinstance(cell, State):
        return element("td", chip(cell.look, cell.word), style=style)
    content = text(str(cell), column.at_most)
    if column.is_code and cell != "":
        breaks = "nowrap" if column.is_short else "pre-wrap"
        face = f"{MONO};background-color:rgba(128,128,128,0);padding:0;white-space:{breaks}"
        content = element("code", line(str(cell), column.at_most), style=face)
    if column.is_number or column.is_short:
        style += ";white-space:nowrap"
    elif column.at_most >= _WIDE:
        style += ";min-width:200px"
    return element("td", content, style=style)


def _plain_row(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> str:
    cells: list[str] = []
    for column, said, columns_wide in zip(columns, row, widths, strict=True):
        space = " " * (columns_wide - width(said))
        cells.append(space + said if column.is_number else said + space)
    return "  ".join(cells).rstrip()
