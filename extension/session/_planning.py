"""What bringing steps up to date would do, and how long that takes going by the past."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from stepwell.flow import Change
from stepwell.orchestrator import State
from stepwell.session._reports import reasons
from stepwell.session._session import Session
from stepwell.session._surroundings import Alike
from stepwell.store import Store
from stepwell.widgets import PlanRow, View, plan_table
from stepwell.widgets import duration as spelt

__all__ = [
    "NEEDS_A_PERSON",
    "WOULD_RUN",
    "as_json",
    "exit_code",
    "expected",
    "plan",
    "plan_rows",
    "rows_of_plan",
    "show_plan",
]

Action = Literal["reuse", "stale", "run", "person"]

WOULD_RUN = 4
NEEDS_A_PERSON = 3

# An item of a mapped step has a row of its own: what they took together is what counts.
_EXPECTED = """
SELECT step, median(seconds) FROM (
    SELECT run, step, attempt * (item = '')::INT AS pass, sum(seconds) AS seconds
    FROM attempts WHERE status = 'completed' AND seconds IS NOT NULL GROUP BY ALL
) GROUP BY step
"""


def expected(store: Store) -> dict[str, float]:
    """Step → median of the seconds that its completed attempts took, in all runs."""
    return dict(store.sql(_EXPECTED).fetchall())


def plan(session: Session, names: Collection[str] = (), *, is_json: bool = False) -> View:
    """The plan as a table, or as JSON for programs."""
    rows = rows_of_plan(session, names)
    return as_json(rows) if is_json else show_plan(rows)


def rows_of_plan(session: Session, names: Collection[str] = ()) -> list[PlanRow]:
    """The plan as data. Of these steps and what they read, or of all."""
    state = session.state
    alike: Alike = {}
    found = {name: reasons(session, name, alike) for name in _chosen(state, names)}
    return plan_rows(state, found, expected(session.engine.store))


def show_plan(rows: Sequence[PlanRow], *, note: str = "") -> View:
    """The plan as a table, with the time that all of it is expected to take."""
    return plan_table(rows, note="\n".join(part for part in (_time(rows), note) if part))


def _chosen(state: State, names: Collection[str]) -> Sequence[str]:
    return state.flow.order({*names, *state.flow.ancestors(names)} if names else None)


def plan_rows(
    state: State, found: Mapping[str, tuple[Change, ...]], seconds: Mapping[str, float]
) -> list[PlanRow]:
    """Of each step in `found`, what would be done with it, given why its result is stale."""
    rows: list[PlanRow] = []
    running: set[str] = set()
    for name, changes in found.items():
        after = state.flow.upstream(name)
        action, why = _action(state, name, changes, [up for up in after if up in running])
        if action != "reuse" and state.flow[name].approve is not None:
            action, why = "person", (*why, "somebody has to approve it")
        if action != "reuse":
            running.add(name)
            action, why = _with_person(state, name, action, why)
        rows.append(
            PlanRow(
                step=name,
                action=action,
                why=why,
                diff="\n".join(it.diff for it in changes if it.diff) if action != "run" else "",
                seconds=seconds.get(name),
                after=after,
            )
        )
    return rows


def _with_person(
    state: State, name: str, action: Action, why: tuple[str, ...]
) -> tuple[Action, tuple[str, ...]]:
    """What would be done, with the question that comes first, or is open now."""
    opened = [it for it in map(state.approvals.get, state.pending) if it and it.step == name]
    approve = state.flow[name].approve
    if opened:
        return "person", (f"asks: {opened[0].request.question}", *why)
    if approve is not None and state.steps[name].running is None:
        return "person", (f"will ask: {approve.text or 'whether to run it'}", *why)
    return action, why


def _action(
    state: State, name: str, changes: Sequence[Change], above: Sequence[str]
) -> tuple[Action, tuple[str, ...]]:
    step = state.steps[name]
    if step.running is not None:
        return "run", ("is running",)
    if why := _must_run(state, name):
        return "run", why
    if changes:
        return "stale", tuple(change.summary for change in changes)
    return "reuse", tuple(f"unless the result of {up} changes" for up in above)


def _must_run(state: State, name: str) -> tuple[str, ...]:
    step, definition = state.steps[name], state.flow[name]
    if step.checkpoint is None or step.error is not None:
        return _never_ran(state, name)
    if definition.always:
        return ("always",)
    if definition.transient and name not in state.live:
        return (f"{', '.join(definition.transient)} is not stored and is made again",)
    return ()


def _never_ran(state: State, name: str) -> tuple[str, ...]:
    step = state.steps[name]
    if step.error is not None:
        return (f"failed: {step.error.type}: {step.error.message}".splitlines()[0],)
    if name in state.unfinished:
        return ("was interrupted",)
    return ("cancelled",) if step.cancelled else ("has not run",)


# -- how long -------------------------------------------------------------------------------


def _to_run(rows: Sequence[PlanRow]) -> list[PlanRow]:
    return [row for row in rows if row.action != "reuse"]


def longest_way(rows: Sequence[PlanRow]) -> float:
    """Seconds until the last step is done when whatever can goes on side by side."""
    ends: dict[str, float] = {}
    for row in rows:
        own = (row.seconds or 0.0) if row.action != "reuse" else 0.0
        ends[row.step] = own + max((ends.get(up, 0.0) for up in row.after), default=0.0)
    return max(ends.values(), default=0.0)


def _time(rows: Sequence[PlanRow]) -> str:
    known = [row.seconds for row in _to_run(rows) if row.seconds is not None]
    if not known:
        return ""
    return f"expected to take {spelt(longest_way(rows))}, going by what each step took before"


# -- for programs -----------------------------------------------------------------------------


def exit_code(rows: Sequence[PlanRow]) -> int:
    """0: nothing would run; 3: a person is needed; 4: something would run."""
    actions = {row.action for row in rows}
    if "person" in actions:
        return NEEDS_A_PERSON
    return WOULD_RUN if actions - {"reuse"} else 0


def as_json(rows: Sequence[PlanRow]) -> View:
    """The plan as data: `application/json`, and the same as text."""
    data = {
        "steps": [
            {
                "step": row.step,
                "action": row.action,
                "why": list(row.why),
                "diff": row.diff,
                "after": list(row.after),
                "expected_seconds": row.seconds,
            }
            for row in rows
        ],
        "would_run": len(_to_run(rows)),
        "reused": len(rows) - len(_to_run(rows)),
        "expected_seconds": longest_way(rows),
        "exit_code": exit_code(rows),
    }
    return View({"application/json": data, "text/plain": json.dumps(data, indent=2)})
