"""What the time of day asks for. Part of `decide`.

Timers are an index over the state. One that is due is taken out and looked at: the state
alone says whether it still means anything.
"""

from collections.abc import Collection, Iterator

from stepwell.orchestrator._commands import EndWait, Expire, TimeOut
from stepwell.orchestrator._deadlines import SECOND
from stepwell.orchestrator._state import State
from stepwell.orchestrator._timers import Timer
from stepwell.orchestrator._waiting import waited

__all__ = ["next_alarm", "wake"]


def wake(state: State, now: int) -> Iterator[TimeOut | EndWait | Expire]:
    """Make ready what is due for another attempt; say what else has become due."""
    for timer in state.timers.take_due(now):
        match timer.kind:
            case "retry":
                _try_again(state, timer)
            case "timeout" | "total" | "stall":
                yield from _too_long(state, timer, now)
            case "call":
                unit = state.unit(timer.step, timer.item)
                call = unit.calls.get(timer.subject) if unit is not None and unit.calls else None
                if call is not None and not call.is_closed:
                    yield EndWait(timer.step, timer.item, timer.subject)
            case "budget":
                pass  # looked at each time: see `_decide_budget`
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
            definition = state.flow.get(step.name)
            step.items.ready[timer.item] = None
            if definition is not None and definition.map is not None and definition.map.undoes:
                step.items.put_first(timer.item)
    elif step.name in state.retrying:
        del state.retrying[step.name]
        unit.retry_at = 0
        state.set_ready(step)


def _too_long(state: State, timer: Timer, now: int) -> Iterator[TimeOut]:
    unit, definition = state.unit(timer.step, timer.item), state.flow.get(timer.step)
    if unit is None or unit.running is None or unit.running.attempt != timer.attempt:
        return
    if (timer.step, timer.item) in state.sealed:
        return
    deadlines = definition.deadlines if definition is not None else None
    if deadlines is None:
        return
    match timer.kind:
        case "stall":
            # Nothing is to be heard from it meanwhile; a run it has called has a guard of its own.
            heard = now if unit.awaited or unit.rests else unit.heard
            due = heard + round(deadlines.stall * SECOND)
        case "timeout":
            allowed = round(deadlines.attempt * SECOND) + waited(unit, now) - unit.waited_before
            due = unit.running.at + allowed
        case "total":
            due = unit.begun + round(deadlines.total * SECOND) + waited(unit, now)
        case _:
            return
    if due > now:
        # While it waits the deadline moves on: no use in looking every microsecond.
        later = max(due, now + SECOND) if unit.awaited or unit.waiting_since else due
        state.timers.set(timer._replace(due=later))
        return
    yield TimeOut(timer.step, timer.item, timer.attempt, timer.kind)


def next_alarm(states: Collection[State], other: int = 0) -> tuple[int, bool]:
    """When something is due next, 0 for never; and whether until then everybody only waits.

    `other` is due besides what the runs know of.
    """
    dues = [other, *(state.timers.next_due for state in states)]
    due = min(filter(None, dues), default=0)
    is_waiting = bool(other) or any(state.is_waiting for state in states)
    return due, is_waiting and all(state.is_idle for state in states)
