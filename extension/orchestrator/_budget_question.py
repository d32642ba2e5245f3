"""What a person is asked when a limit of a run's budget is reached. Pure."""

from collections.abc import Mapping

from stepwell.orchestrator._budget import BudgetSet, shown_seconds
from stepwell.orchestrator._call_events import ApprovalRequested
from stepwell.orchestrator._calls import Approval
from stepwell.orchestrator._closing import decided
from stepwell.orchestrator._commands import Hold, Release
from stepwell.orchestrator._events import Event, RunHeld, RunReleased
from stepwell.orchestrator._state import State

__all__ = [
    "budget_question",
    "counted_on",
    "is_about_budget",
    "is_about_time",
    "limits_of",
    "time_events",
]

_WAY_OUT = "or set another limit with %stepwell budget"


def budget_question(
    state: State, reasons: Mapping[str, str], name: str, call: str
) -> ApprovalRequested:
    """A call waits, because it could break these limits."""
    question = (
        f"{'; '.join(reasons.values())}. Call {name!r} waits. Approve to let the run go on with as "
        f"much again; {_WAY_OUT}"
    )
    known = _id(state, reasons)
    return ApprovalRequested(known, f"{call}?{known}", question, "budget")


def time_events(state: State, command: Hold | Release) -> list[Event]:
    """The run is held, and a person asked for more time unless they are already; or it goes on."""
    asked = [it for it in map(state.approvals.get, state.pending) if it and is_about_time(it)]
    if isinstance(command, Hold):
        held = [] if state.held else [RunHeld()]
        return [*held, *([] if asked else [_time_question(state)])]
    note = "nothing waits for it any more"
    needless = [it for it in asked if not it.request.call]
    voids = (decided(it, "voided", by="", channel="", note=note) for it in needless)
    return [*voids, RunReleased()]


def _time_question(state: State) -> ApprovalRequested:
    seconds = state.budget.seconds if state.budget is not None else None
    question = (
        f"{shown_seconds(seconds or 0.0)} are over. What runs comes to its end, and nothing "
        f"further is started. Approve to let the run go on for as long again; {_WAY_OUT} --time"
    )
    return ApprovalRequested(_id(state, ("seconds",)), question=question, form="budget")


def counted_on(state: State, gone: int) -> BudgetSet | None:
    """For so many microseconds nothing of the run was alive: that does not count as its time."""
    budget = state.budget
    if budget is None or budget.seconds is None or gone <= 0:
        return None
    return BudgetSet(budget, since=state.budget_since + gone, base=state.budget_base)


def _id(state: State, limits: Mapping[str, str] | tuple[str, ...]) -> str:
    # The limits are part of the id: whoever decides cannot change which they are.
    asked = sum(is_about_budget(it) for it in state.approvals.values())
    return f"budget-{state.run}-{asked + 1}-{'+'.join(limits)}"


def limits_of(question: str) -> list[str]:
    """The limits that a question of this id is about."""
    return question.rpartition("-")[2].split("+")


def is_about_budget(approval: Approval | None) -> bool:
    """Whether it asks for more of a budget."""
    return approval is not None and approval.request.form == "budget"


def is_about_time(approval: Approval | None) -> bool:
    """Whether it asks for more time, perhaps among other things."""
    return (
        approval is not None and is_about_budget(approval) and "seconds" in limits_of(approval.id)
    )
