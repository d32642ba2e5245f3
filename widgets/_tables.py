"""What running would do, and what a store holds."""

from collections.abc import Mapping, Sequence

from stepwell.widgets._card import diff
from stepwell.widgets._format import duration, plural
from stepwell.widgets._grid import Cell, State
from stepwell.widgets._html import code, details, join
from stepwell.widgets._rows import Column, PlanRow
from stepwell.widgets._sheet import Sheet, cell
from stepwell.widgets._state import NEEDED, RESTORED, STALE, TO_RUN
from stepwell.widgets._view import View

__all__ = ["plan_table", "store_table"]

_MOST_DIFFS = 50
_PLAN_COLUMNS = [
    Column("step", is_code=True, is_short=True),
    Column("plan"),
    Column("reads from", is_code=True),
    Column("took before", is_number=True),
    Column("why", at_most=200),
]
_ACTIONS = {
    "reuse": State(RESTORED, "reuse"),
    "stale": State(STALE, "stale, will run"),
    "run": State(TO_RUN),
    "person": State(NEEDED),
}


def plan_table(rows: Sequence[PlanRow], *, note: str = "") -> View:
    """What running would do, step by step, and how long it took before."""
    changed = [row for row in rows if row.diff][:_MOST_DIFFS]
    return Sheet(
        title=_plan_title(rows),
        about=_plan_about(rows),
        columns=_PLAN_COLUMNS,
        rows=[_plan_row(row) for row in rows],
        notes=[note],
        empty="there are no steps yet",
        extras=[
            details(join(["what changed in ", code(row.step)]), diff(row.diff)) for row in changed
        ],
    ).view()


def _plan_row(row: PlanRow) -> list[Cell]:
    return [
        row.step,
        _ACTIONS[row.action],
        f"← {', '.join(row.after)}" if row.after else "",
        "" if row.seconds is None else duration(row.seconds),
        "; ".join(row.why),
    ]


def _to_run(rows: Sequence[PlanRow]) -> list[PlanRow]:
    return [row for row in rows if row.action in ("stale", "run")]


def _plan_title(rows: Sequence[PlanRow]) -> str:
    return f"{len(_to_run(rows)):,} of {plural(len(rows), 'step')} would run" if rows else ""


def _plan_about(rows: Sequence[PlanRow]) -> str:
    reused = [row for row in rows if row.action == "reuse"]
    saved = sum(row.seconds or 0.0 for row in reused)
    persons = sum(row.action == "person" for row in rows)
    said = [
        _expected(_to_run(rows)),
        f"{len(reused):,} reused" if reused else "",
        f"saves {duration(saved)}" if saved else "",
        f"{persons:,} in need of a person" if persons else "",
    ]
    return " · ".join(part for part in said if part)


def _expected(rows: Sequence[PlanRow]) -> str:
    known = [row.seconds for row in rows if row.seconds is not None]
    if not known:
        return ""
    unknown = len(rows) - len(known)
    more = f", and {unknown:,} never run before" if unknown else ""
    return f"took {duration(sum(known))} before{more}"


def store_table(facts: Mapping[str, object], *, note: str = "") -> View:
    """What is known about a store, one fact to a line."""
    return Sheet(
        columns=[Column("store", is_short=True), Column("", at_most=300)],
        rows=[[name, cell(value)] for name, value in facts.items()],
        notes=[note],
        empty="no store is open",
    ).view()
