"""What is to be done about the time that a run may take. Part of `decide`.

Only the run that has the budget looks at the clock; those below are held and released with it.
"""

from collections.abc import Iterator

from stepwell.orchestrator._budget_question import is_about_time
from stepwell.orchestrator._commands import DropWaiting, Hold, Release
from stepwell.orchestrator._deadlines import SECOND
from stepwell.orchestrator._state import State

__all__ = ["from_budget"]


def from_budget(state: State, now: int) -> Iterator[Hold | Release | DropWaiting]:
    """Hold the run when its time is over, let it go on when it has more or needs none."""
    if state.budget is not None:
        is_due = _is_over(state, now) and _is_busy(state)
        if is_due and (not state.held or (state.held == "asked" and not _is_asking(state))):
            yield Hold()
        elif state.held and not is_due:
            yield Release()
    if state.held == "refused" and (dropped := _waiting(state)):
        yield DropWaiting(dropped)


def _is_over(state: State, now: int) -> bool:
    seconds = state.budget.seconds if state.budget is not None else None
    return seconds is not None and now >= state.budget_since + round(seconds * SECOND)


def _is_asking(state: State) -> bool:
    return any(is_about_time(state.approvals[name]) for name in state.pending)


def _is_busy(state: State) -> bool:
    return bool(state.running or state.owed or state.children or state.unfinished)


def _waiting(state: State) -> tuple[str, ...]:
    """What would be started if the run were not held; of a mapped step, elements of it."""
    limited = (name for group in state.limited.values() for name in group)
    mapped = (name for name in state.mapped if _has_elements_left(state, name))
    return (*state.fresh, *state.ready, *limited, *mapped)


def _has_elements_left(state: State, name: str) -> bool:
    items = state.steps[name].items
    return items is not None and bool(items.ready) and not items.running
