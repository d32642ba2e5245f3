"""What has been: every attempt at a step, and two runs side by side."""

from collections.abc import Mapping, Sequence

from stepwell.widgets._card import diff
from stepwell.widgets._format import clock_time, duration, plural
from stepwell.widgets._grid import Cell, State
from stepwell.widgets._html import Markup, code, details, join
from stepwell.widgets._rows import Column, DiffRow, HistoryRow
from stepwell.widgets._sheet import MOST_ROWS, Sheet
from stepwell.widgets._state import DONE, NOT_RUN, STALE, look_of
from stepwell.widgets._text import line
from stepwell.widgets._view import View

__all__ = ["diff_table", "history_table"]

_MOST_DIFFS = 50
_HISTORY_COLUMNS = [
    Column("when", is_short=True),
    Column("attempt", is_number=True),
    Column(""),
    Column("time", is_number=True),
    Column("code", is_code=True, is_short=True),
    Column("inputs", is_code=True, at_most=80),
    Column("outcome", is_code=True, at_most=160),
    Column("run", is_code=True, is_short=True),
    Column("who"),
]
_WHERE = {"first": "only in the first", "second": "only in the second", "neither": "in neither"}


def history_table(rows: Sequence[HistoryRow], *, now: int, step: str = "") -> View:
    """Every attempt at a step, in the order given, and how its code changed."""
    changed = [row for row in rows if row.diff][-_MOST_DIFFS:]
    earlier = max(0, len(rows) - MOST_ROWS)
    return Sheet(
        title=step if rows else "",
        about=plural(len(rows), "attempt") if rows else "",
        columns=_HISTORY_COLUMNS,
        rows=[_history_row(row, now) for row in rows[earlier:]],
        notes=[f"and {plural(earlier, 'earlier attempt')}" if earlier else ""],
        empty=f"{step or 'the step'} has never run",
        extras=[
            _folded(f"{clock_time(row.when, now)}: code changed", row.run, row.diff)
            for row in changed
        ],
    ).view()


def _folded(summary: str, name: str, said: str) -> Markup:
    return details(join([summary, " · ", code(name)]), diff(said))


def _history_row(row: HistoryRow, now: int) -> list[Cell]:
    return [
        clock_time(row.when, now),
        row.attempt,
        State(look_of(row.outcome), row.outcome),
        duration(row.seconds) if row.seconds else "",
        row.code[:8] + (" changed" if row.code_changed else ""),
        _pairs(row.inputs, 12),
        row.error or _pairs(row.outputs, 60),
        row.run,
        row.who,
    ]


def _pairs(pairs: Mapping[str, str], at_most: int) -> str:
    return ", ".join(f"{name}={_short(value, at_most)}" for name, value in pairs.items())


def _short(value: str, at_most: int) -> str:
    shown = line(value[: 4 * at_most], 4 * at_most)
    return shown if len(shown) <= at_most else f"{shown[:at_most]}…"


def diff_table(rows: Sequence[DiffRow], *, first: str, second: str) -> View:
    """Two runs side by side, step by step: what was made from something else, and what came out."""
    differing = [row for row in rows if not row.is_same]
    return Sheet(
        title=f"{line(first, 60)} and {line(second, 60)}",
        about=f"{len(differing):,} of {plural(len(rows), 'step')} differ",
        columns=[
            Column("step", is_code=True, is_short=True),
            Column(""),
            Column("made from something else", at_most=200),
            Column(f"outputs of {first}", is_code=True, at_most=160),
            Column(f"outputs of {second}", is_code=True, at_most=160),
            Column(f"time in {first}", is_number=True),
            Column(f"in {second}", is_number=True),
        ],
        rows=[_diff_row(row) for row in rows],
        empty="neither run has a step",
        extras=[_folded("what changed", row.step, row.diff) for row in rows if row.diff],
    ).view()


def _diff_row(row: DiffRow) -> list[Cell]:
    before = {name: sides[0] for name, sides in row.outputs.items()}
    after = {name: sides[1] for name, sides in row.outputs.items()}
    return [
        row.step,
        _state(row),
        "; ".join(row.why),
        _pairs({name: said for name, said in before.items() if said}, 60),
        _pairs({name: said for name, said in after.items() if said}, 60),
        _time(row.seconds[0]),
        _time(row.seconds[1]),
    ]


def _state(row: DiffRow) -> State:
    if row.is_same:
        return State(DONE, "same")
    if row.where == "both":
        return State(STALE, "differs")
    return State(NOT_RUN, _WHERE[row.where])


def _time(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)
