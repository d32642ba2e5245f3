"""What the time of day asks for. Part of `decide`.

Timers are an index over the state. One that is due is taken out and looked at: the state
alone says whether it still means anything.
"""

from collections.abc import Iterator

from stepwell.orchestrator._commands import EndWait, Expire, TimeOut
from stepwell.orchestrator._deadlines import SECOND
from stepwell.orchestrator._state import State
from stepwell.orchestrator._timers import Timer
from stepwell.orchestrator._unit import Unit

__all__ = ["wake"]


def wake(state: State, now: int) -> Iterator[TimeOut | EndWait | Expire]:
    """Make ready what is due for another attempt; say what else has become due."""
    for timer in state.timers.take_due(now):
        match timer.kind:
            case "retry":
                _try_again(state, timer)
            case "timeout" | "total" | "stall":
                yield from _too_long(state, timer)
            case "call":
                unit = state.unit(timer.step, timer.item)
                call = unit.calls.get(timer.subject) if unit is not None and unit.calls else None
                if call is not None and not call.is_closed:
                    yield EndWait(timer.step, timer.item, timer.subject)
            case "approval":
                if timer.subject in state.pending:
                    yield Expire(timer.subject)


def _try_again(state: State, timer: Timer) -> None:
    unit = state.unit(timer.step, timer.item)
    if unit is None or unit.running is not None or unit.retry_at != timer.due:
        return
    step = state.steps[timer.step]
    if timer.item:
        if step.items is not None and step.items.waiting.pop(timer.item, "") is None:
            step.items.ready[timer.item] = None
    elif step.name in state.retrying:
        del state.retrying[step.name]
        unit.retry_at = 0
        state.set_ready(step)


def _too_long(state: State, timer: Timer) -> Iterator[TimeOut]:
    unit, definition = state.unit(timer.step, timer.item), state.flow.get(timer.step)
    if unit is None or unit.running is None or unit.running.attempt != timer.attempt:
        return
    deadlines = definition.deadlines if definition is not None else None
    if deadlines is None:
        return
    match timer.kind:
        case "stall":
            due = unit.heard + round(deadlines.stall * SECOND)
        case "timeout" | "total":
            # A person may take their time: it is not the attempt that is slow.
            due = timer.due + waited_for_people(state, unit, timer.due)
        case _:
            return
    if due > timer.due:
        state.timers.set(timer._replace(due=due))
        return
    yield TimeOut(timer.step, timer.item, timer.attempt, timer.kind)


def waited_for_people(state: State, unit: Unit, now: int) -> int:
    """Microseconds to be added to a deadline that ends now because somebody is being asked."""
    asked = [
        approval
        for approval in (state.approvals.get(name) for name in state.pending)
        if approval is not None and unit.calls and approval.request.call in unit.calls
    ]
    # Looked at again soon: when the answer comes, the rest of the time is left.
    return SECOND if asked else 0
