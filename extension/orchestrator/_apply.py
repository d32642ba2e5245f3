"""`apply`: one event into the state. Pure and total: any recorded history can be applied.

Rule: nothing is decided here. An event that no longer concerns anybody (the late result
of an attempt that was given up) is recognised by its attempt number and changes nothing:
that is the fence.
"""

from collections.abc import Sequence

import msgspec

from stepwell.flow import Flow, Step
from stepwell.orchestrator._events import (
    AttemptCompleted,
    AttemptFailed,
    AttemptInterrupted,
    AttemptStarted,
    EnvironmentCaptured,
    Event,
    RunCancelled,
    RunSettled,
    RunStarted,
    SetupDefined,
    StepForgotten,
    StepRenamed,
    StepReused,
    StepsDefined,
    StepsRequested,
)
from stepwell.orchestrator._state import Checkpoint, Running, State, StepState

__all__ = ["apply"]


def apply(  # noqa: PLR0912 - one branch to an event, none of them with a thought of its own
    state: State, event: Event, *, step: str = "", attempt: int = 0, at: int = 0
) -> State:
    """The state after `event`. The state passed in is used up; go on with the answer.

    `step`, `attempt` and `at` (microseconds, UTC) are the columns the event was stored with.
    """
    if isinstance(event, AttemptStarted | AttemptCompleted | AttemptFailed | AttemptInterrupted):
        if (known := state.steps.get(step)) is not None:
            _attempt(state, known, event, attempt, at)
        return state
    match event:
        case StepReused():
            if (known := state.steps.get(step)) is not None:
                known.restored = step not in state.live
                _answered(state, known, at)
        case StepsRequested():
            _request(state, event, at)
        case StepsDefined():
            _define(state, event.steps)
        case StepForgotten():
            _forget(state, step)
        case StepRenamed():
            _rename(state, step, event.to)
        case EnvironmentCaptured():
            state.environments[event.environment] = event
        case SetupDefined():
            state.setups[event.name] = event
        case RunStarted():
            state.started, state.started_at = event, at
        case RunCancelled():
            _cancel(state, event.steps, at)
        case RunSettled():
            state.settled = event.status
    return state


def _attempt(
    state: State,
    step: StepState,
    event: AttemptStarted | AttemptCompleted | AttemptFailed | AttemptInterrupted,
    attempt: int,
    at: int,
) -> None:
    if isinstance(event, AttemptStarted):
        _start(state, step, event, attempt, at)
        return
    run = step.running
    if run is None or run.attempt != attempt:
        return
    _stopped(state, step)
    match event:
        case AttemptCompleted():
            _complete(state, step, run, event, at)
        case AttemptFailed():
            _fail(state, step, run, event, at)
        case AttemptInterrupted():
            _interrupt(state, step, event, at)


def _start(state: State, step: StepState, event: AttemptStarted, attempt: int, at: int) -> None:
    step.running = Running(attempt, at, event.key, event.code, event.inputs, event.environment)
    step.attempts = attempt
    step.since = at
    step.error = None
    step.failed = None
    step.cancelled = False
    step.force = False
    state.troubled.pop(step.name, None)
    state.unset_ready(step.name)
    state.running[step.name] = None


def _complete(
    state: State, step: StepState, run: Running, event: AttemptCompleted, at: int
) -> None:
    step.checkpoint = Checkpoint(
        run.attempt,
        at,
        event.seconds,
        event.outputs,
        event.log,
        run.code,
        run.inputs,
        run.environment,
    )
    step.checkpoints += 1
    step.restored = False
    state.live.add(step.name)
    if step.again:
        # Readers wait on: the second request decides whether this result is good for them.
        _look_again(state, step)
    else:
        _answered(state, step, at)


def _fail(state: State, step: StepState, run: Running, event: AttemptFailed, at: int) -> None:
    step.error = event.error
    step.failed = run
    state.troubled[step.name] = None
    if step.again:
        _look_again(state, step)
        return
    step.since = at
    # Its readers stay owed and keep waiting for it: mended, it lets them go on.
    _owe(state, step, owed=False)


def _interrupt(state: State, step: StepState, event: AttemptInterrupted, at: int) -> None:
    step.since = at
    if step.again or event.reason != "cancelled":
        _look_again(state, step)
        return
    step.cancelled = True
    state.troubled[step.name] = None
    _owe(state, step, owed=False)


def _stopped(state: State, step: StepState) -> None:
    step.running = None
    state.running.pop(step.name, None)
    state.superseded.pop(step.name, None)


def _look_again(state: State, step: StepState) -> None:
    step.again = False
    step.error = None
    state.troubled.pop(step.name, None)
    if step.owed and not state.is_replayed:
        _wait_or_ready(state, step)


def _answered(state: State, step: StepState, at: int) -> None:
    """The step's outputs may be read: those who waited for it wait no longer."""
    step.since = at
    step.error = None
    step.failed = None
    step.cancelled = False
    step.force = False
    state.troubled.pop(step.name, None)
    state.unset_ready(step.name)
    _owe(state, step, owed=False)
    if not state.owed or state.is_replayed:
        return
    for name in state.flow.downstream(step.name):
        reader = state.steps.get(name)
        if reader is not None and reader.owed and step.name in reader.waiting:
            reader.waiting.discard(step.name)
            if not reader.waiting and reader.running is None:
                state.set_ready(reader)


def _request(state: State, event: StepsRequested, at: int) -> None:
    state.settled = ""
    state.is_cancelled = False
    wanted = [state.step(name) for name in event.environments if name in state.flow]
    for step in wanted:
        step.environment = event.environments[step.name]
        step.force = step.force or step.name in event.force
        state.unfinished.pop(step.name, None)
        if step.running is not None:
            step.again = True
            if step.running.code != state.flow[step.name].digest:
                state.superseded[step.name] = step.running.attempt
        else:
            step.since = at
        _owe(state, step, owed=True)
    if state.is_replayed:
        return
    for step in wanted:
        if step.running is None:
            _wait_or_ready(state, step)
        _hold_readers(state, step)


def _wait_or_ready(state: State, step: StepState) -> None:
    step.waiting = {
        name for name in state.flow.upstream(step.name) if not state.step(name).is_settled
    }
    state.unset_ready(step.name)
    if not step.waiting:
        state.set_ready(step)


def _hold_readers(state: State, step: StepState) -> None:
    """A reader that was about to start waits for the step's new answer."""
    for name in state.flow.downstream(step.name):
        reader = state.steps.get(name)
        if reader is not None and reader.owed:
            reader.waiting.add(step.name)
            state.unset_ready(name)


def _owe(state: State, step: StepState, *, owed: bool) -> None:
    if step.owed is not owed:
        step.owed = owed
        state.owed += 1 if owed else -1


def _define(state: State, definitions: Sequence[Step]) -> None:
    for flow, steps in _by_flow(state, definitions):
        for step in steps:
            previous = flow.get(step.name)
            if previous is not None and previous.digest != step.digest:
                state.sources[previous.digest] = previous.source
        if len(steps) == 1:
            flow.add(steps[0])
        else:
            flow.extend(steps)
        if flow is state.flow:
            for step in steps:
                state.step(step.name)


def _by_flow(state: State, definitions: Sequence[Step]) -> list[tuple[Flow, list[Step]]]:
    names = dict.fromkeys(definition.flow for definition in definitions)
    return [
        (state.flow_of(mine[0]), mine)
        for name in names
        if (mine := [definition for definition in definitions if definition.flow == name])
    ]


def _forget(state: State, name: str) -> None:
    step = state.steps.pop(name, None)
    if step is not None:
        _owe(state, step, owed=False)
    for group in (state.fresh, state.ready, state.running, state.unfinished, state.troubled):
        group.pop(name, None)
    state.superseded.pop(name, None)
    state.live.discard(name)
    readers = state.flow.downstream(name) if name in state.flow else ()
    if name in state.flow:
        state.flow.remove(name)
    for reader in readers:
        found = state.steps.get(reader)
        if found is not None and found.owed and found.running is None:
            _wait_or_ready(state, found)


def _rename(state: State, old: str, new: str) -> None:
    step = state.steps.get(old)
    if step is None or old not in state.flow or new in state.flow:
        return
    definition = state.flow[old]
    _forget(state, old)
    state.flow.add(msgspec.structs.replace(definition, name=new))
    step.name = new
    step.running = None
    state.steps[new] = step


def _cancel(state: State, names: tuple[str, ...], at: int) -> None:
    state.is_cancelled = state.is_cancelled or not names
    for name in names or tuple(state.steps):
        step = state.steps.get(name)
        if step is None:
            continue
        state.unset_ready(name)
        state.unfinished.pop(name, None)
        if step.owed:
            step.cancelled = True
            state.troubled[name] = None
            step.again = False
            step.since = at
            _owe(state, step, owed=False)
