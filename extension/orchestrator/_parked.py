"""Whether anything goes on in a run, or only a person can bring it further. Pure; for people."""

from collections.abc import Callable

from stepwell.orchestrator._owing import is_about_doubt
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import StepState, Unit

__all__ = ["Find", "is_at_work", "is_parked", "nobody"]

Find = Callable[[str], State | None]
"""A run by its id, where it is at hand."""


def nobody(_: str) -> State | None:
    """No run is at hand."""
    return None


def is_parked(state: State, find: Find = nobody) -> bool:
    """Whether all that was asked for waits for people, in this run or in one that it has called."""
    if state.held == "asked":
        # Its time is over, and that is what a person is asked about.
        return not any(is_at_work(state, state.steps[name], find) for name in state.running)
    asking = _asking(state, find)
    wanted = [name for name, step in state.steps.items() if step.owed or step.running]
    wanted += state.unfinished
    if not (asking and wanted) or state.retrying:
        return False
    held = asking.union(state.flow.descendants(name for name in asking if name in state.flow))
    if any(is_about_doubt(state, undo) for undo in state.undoing):
        held.update(state.undoing)
    return held.issuperset(wanted) and not any(
        is_at_work(state, state.steps[name], find) for name in state.running
    )


def _asking(state: State, find: Find) -> set[str]:
    """Steps that have asked a person, or whose child runs wait for one."""
    found = {state.approvals[key].step for key in state.pending}
    for step, children in state.children.items():
        if any(_is_parked(child, find) for child in children):
            found.add(step)
    return found


def _is_parked(run: str, find: Find) -> bool:
    state = find(run)
    return state is not None and is_parked(state, find)


def is_at_work(state: State, step: StepState, find: Find = nobody) -> bool:
    """Whether an attempt at the step does anything, or will, before a person has decided.

    May be asked on any thread: the orchestrator's goes on meanwhile.
    """
    items, definition = step.items, state.flow.get(step.name)
    over = definition.map if definition is not None else None
    if items is None or definition is None or over is None:
        return not _waits_for_people(step, find)
    if not items.is_expanded:
        # It looks what items there are, or puts together what they made; or asks before that.
        return not _waits_for_people(step, find)
    running = tuple(items.running)
    if items.waiting or any(not _waits_for_people(items.by_key[key], find) for key in running):
        return True
    has_room = not over.max_parallel or len(running) < over.max_parallel
    # Under a limit those may be in the way that wait.
    return bool(items.ready) and has_room and not (state.is_halted or definition.limit)


def _waits_for_people(unit: Unit, find: Find) -> bool:
    known = unit.calls or {}
    calls = [call for key in tuple(unit.awaited or ()) if (call := known.get(key)) is not None]
    return bool(calls) and all(
        call.form == "approval" or (call.form == "child" and _is_parked(call.subject, find))
        for call in calls
    )
