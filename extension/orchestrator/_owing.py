"""Who is owed an answer, and what they wait for. Parts of `apply`."""

from collections.abc import Iterator
from itertools import takewhile

from stepwell.orchestrator._state import State
from stepwell.orchestrator._timers import Timer
from stepwell.orchestrator._unit import Running, StepState
from stepwell.orchestrator._waiting import withdraw_all

__all__ = [
    "answered",
    "cancel",
    "doubts",
    "hold_readers",
    "is_about_doubt",
    "owe",
    "release_reader",
    "wait_or_ready",
]


def wait_or_ready(state: State, step: StepState) -> None:
    """Wait for what is above and for a retry that is due later, or be ready."""
    if step.name in state.undoing:
        # What it reads is there or is not; it waits for those that undo what is newer.
        above = takewhile(lambda name: name != step.name, state.undoing)
        step.waiting = dict.fromkeys(above)
    else:
        step.waiting = {
            name: None for name in state.flow.upstream(step.name) if not state.step(name).is_settled
        }
        # What is just being undone is done again afterwards.
        step.waiting |= {name: None for name, it in state.undoing.items() if it == step.name}
    state.unset_ready(step.name)
    if not step.waiting:
        _set_ready(state, step)


def _set_ready(state: State, step: StepState) -> None:
    if step.doubt is not None or is_about_doubt(state, step.name):
        return
    if step.retry_at:
        state.retrying[step.name] = None
        state.timers.set(Timer(step.retry_at, "retry", step.name))
    else:
        state.set_ready(step)


def doubts(step: StepState) -> Iterator[Running]:
    """Attempts at the step, and at its items, of which nobody knows how they ended."""
    if step.doubt is not None:
        yield step.doubt
    for unit in step.items.by_key.values() if step.items is not None else ():
        if unit.doubt is not None:
            yield unit.doubt


def is_about_doubt(state: State, undo: str) -> bool:
    """Whether it is to undo something of which nobody knows whether it has happened."""
    step = state.steps.get(state.undoing.get(undo, ""))
    return step is not None and any(doubts(step))


def hold_readers(state: State, step: StepState) -> None:
    """A reader that was about to start waits for the step's new answer."""
    for name in state.flow.downstream(step.name):
        reader = state.steps.get(name)
        if reader is not None and reader.owed and name not in state.undoing:
            reader.waiting[step.name] = None
            state.unset_ready(name)


def release_reader(state: State, reader: StepState, above: str) -> None:
    """The reader waits for this step no longer."""
    if reader.owed and above in reader.waiting:
        del reader.waiting[above]
        if not reader.waiting and reader.running is None:
            _set_ready(state, reader)


def owe(state: State, step: StepState, *, owed: bool) -> None:
    """Note whether somebody waits for the step's answer."""
    if step.owed is not owed:
        step.owed = owed
        state.owed += 1 if owed else -1
    if not owed:
        state.retrying.pop(step.name, None)


def answered(state: State, step: StepState, at: int) -> None:
    """The step's outputs may be read: those who waited for it wait no longer."""
    step.since = at
    step.error = None
    step.failed = None
    step.cancelled = False
    step.force = step.keeps_items = False
    step.retry_at = 0
    state.troubled.pop(step.name, None)
    state.unset_ready(step.name)
    owe(state, step, owed=False)
    if step.name in state.undoing:
        _undone(state, step, at)
    if not state.owed or state.is_replayed:
        return
    for name in state.flow.downstream(step.name):
        if (reader := state.steps.get(name)) is not None:
            release_reader(state, reader, step.name)


def _undone(state: State, undo: StepState, at: int) -> None:
    """What the step undoes is no longer done; the next one may go on."""
    step = state.step(state.undoing.pop(undo.name))
    step.is_undone, step.since = True, at
    if state.is_replayed:
        return
    for name in (step.name, *state.undoing):
        release_reader(state, state.step(name), undo.name)


def cancel(state: State, names: tuple[str, ...], at: int) -> None:
    """Nobody waits for these any more, or for any."""
    state.is_cancelled = state.is_cancelled or not names
    withdraw_all(state, names or state.steps, "it was cancelled")
    for name in names or tuple(state.steps):
        step = state.steps.get(name)
        if step is None:
            continue
        state.unset_ready(name)
        state.unfinished.pop(name, None)
        state.undoing.pop(name, None)
        if step.owed:
            step.cancelled = True
            state.troubled[name] = None
            step.again = False
            step.retry_at = 0
            step.since = at
            owe(state, step, owed=False)
