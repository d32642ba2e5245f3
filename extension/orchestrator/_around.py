"""Who holds a turn under a limit, and what is around those who do. Pure.

Inside a call there may be others; around a run that was called there is the call, in the
attempt that made it. Of those that hold turns, one inside the other, only the innermost
works: those around it wait for it, and are no more at once than it is.
"""

from collections.abc import Callable, Collection, Iterator

from stepwell.orchestrator._port import AttemptId
from stepwell.orchestrator._state import State

__all__ = ["Holder", "around", "callers", "innermost"]

Holder = tuple[AttemptId, str]
"""An attempt, and the call in it that holds a turn; "" where it is the attempt itself."""
StateOf = Callable[[str], State | None]


def around(holder: Holder, state_of: StateOf) -> Iterator[Holder]:
    """Everything that would be around it if it held a turn, the nearest first."""
    attempt, call = holder
    yield from _enclosing(attempt, call)
    if (state := state_of(attempt.run)) is not None:
        yield from callers(state, state_of)


def callers(state: State, state_of: StateOf) -> Iterator[Holder]:
    """Everything that would be around an attempt in this run, the nearest first."""
    while (started := state.started) is not None and started.parent and started.call:
        above = state_of(started.parent)
        unit = above.unit(started.step, started.item) if above is not None else None
        if above is None or unit is None or unit.running is None:
            return
        attempt = AttemptId(above.run, started.step, unit.running.attempt, started.item)
        yield attempt, started.call
        yield from _enclosing(attempt, started.call)
        state = above


def innermost(holders: Collection[Holder], state_of: StateOf) -> list[Holder]:
    """Of these, the ones that are around none of them: so many are at work at once."""
    outer = {it for holder in holders for it in around(holder, state_of)}
    return [holder for holder in holders if holder not in outer]


def _enclosing(attempt: AttemptId, call: str) -> Iterator[Holder]:
    end = call.rfind("/")
    while end >= 0:
        yield attempt, call[:end]
        end = call.rfind("/", 0, end)
    if call:
        yield attempt, ""
