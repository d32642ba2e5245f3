"""`apply`: one event into the state. Pure and total: any recorded history can be applied.

Rule: nothing is decided here. An event that no longer concerns anybody (the late result
of an attempt that was given up) is recognised by its attempt number and changes nothing:
that is the fence.
"""

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
from stepwell.orchestrator._flow_events import define, forget, rename
from stepwell.orchestrator._owing import hold_readers, owe, wait_or_ready
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
            define(state, event.steps)
        case StepForgotten():
            forget(state, step)
        case StepRenamed():
            rename(state, step, event.to)
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
    owe(state, step, owed=False)


def _interrupt(state: State, step: StepState, event: AttemptInterrupted, at: int) -> None:
    step.since = at
    if step.again or event.reason != "cancelled":
        _look_again(state, step)
        return
    step.cancelled = True
    state.troubled[step.name] = None
    owe(state, step, owed=False)


def _stopped(state: State, step: StepState) -> None:
    step.running = None
    state.running.pop(step.name, None)
    state.superseded.pop(step.name, None)


def _look_again(state: State, step: StepState) -> None:
    step.again = False
    step.error = None
    state.troubled.pop(step.name, None)
    if step.owed and not state.is_replayed:
        wait_or_ready(state, step)


def _answered(state: State, step: StepState, at: int) -> None:
    """The step's outputs may be read: those who waited for it wait no longer."""
    step.since = at
    step.error = None
    step.failed = None
    step.cancelled = False
    step.force = False
    state.troubled.pop(step.name, None)
    state.unset_ready(step.name)
    owe(state, step, owed=False)
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
        owe(state, step, owed=True)
    if state.is_replayed:
        return
    for step in wanted:
        if step.running is None:
            wait_or_ready(state, step)
        hold_readers(state, step)


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
            owe(state, step, owed=False)
