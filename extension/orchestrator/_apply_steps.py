"""Attempts at a step: begun, completed, failed, interrupted; and asking for one. Of `apply`."""

from stepwell.orchestrator._apply_items import (
    begin_pass,
    end_pass,
    forget_item_failures,
    refused_by,
    settle_item,
)
from stepwell.orchestrator._call_events import ApprovalDecided
from stepwell.orchestrator._calls import forget_failures
from stepwell.orchestrator._deadlines import let_children_go_on, set_deadlines
from stepwell.orchestrator._events import (
    AttemptCompleted,
    AttemptFailed,
    AttemptInterrupted,
    AttemptStarted,
    StepSkipped,
    StepsRequested,
)
from stepwell.orchestrator._owing import answered, hold_readers, owe, wait_or_ready
from stepwell.orchestrator._state import State
from stepwell.orchestrator._undoing import after_doubt
from stepwell.orchestrator._unit import Checkpoint, Running, StepState
from stepwell.orchestrator._waiting import ask_again, end_attempt, withdraw, withdraw_all

__all__ = ["request", "settle_doubt", "skip", "step_attempt"]


def step_attempt(
    state: State,
    step: StepState,
    event: AttemptStarted | AttemptCompleted | AttemptFailed | AttemptInterrupted,
    attempt: int,
    at: int,
) -> None:
    """One of the four things that can happen to an attempt. Late ones change nothing."""
    if isinstance(event, AttemptStarted):
        _start(state, step, event, attempt, at)
        return
    run = step.running
    if run is None or run.attempt != attempt:
        return
    _stopped(state, step, at)
    match event:
        case AttemptCompleted():
            _complete(state, step, run, event, at)
        case AttemptFailed():
            _fail(state, step, run, event, at)
        case AttemptInterrupted():
            _interrupt(state, step, run, event, at)


def _start(state: State, step: StepState, event: AttemptStarted, attempt: int, at: int) -> None:
    if step.force and not step.keeps_items:
        # Asked to run although nothing has changed: nothing is remembered either.
        step.calls = None
        step.heartbeat = None
        withdraw_all(state, [step.name], "the step runs afresh")
    else:
        withdraw(state, step, "the step's code has changed since", but_code=event.code)
    step.running = Running(attempt, at, event.key, event.code, event.inputs, event.environment)
    step.attempts = attempt
    step.since = step.heard = at
    step.begun = step.begun or at
    step.waited_before = step.waited
    step.error = None
    step.failed = None
    step.cancelled = False
    step.was_forced, step.force, step.keeps_items = step.force, False, False
    step.retry_at = 0
    state.troubled.pop(step.name, None)
    state.retrying.pop(step.name, None)
    state.unset_ready(step.name)
    state.running[step.name] = None
    definition = state.flow.get(step.name)
    if definition is not None:
        begin_pass(state, step, definition, event)
        # Of a mapped step each item has a time of its own.
        if definition.map is None:
            set_deadlines(state, definition, step, step.name)


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
        event.inputs if event.inputs is not None else run.inputs,
        run.environment,
        share=event.share,
    )
    step.checkpoints += 1
    step.is_undone = False
    step.restored = False
    step.heartbeat = None
    _new_work(step)
    _ask_no_more(state, step, "the step is done")
    if not state.is_replayed:
        state.live.add(step.name)
    if step.again:
        # Readers wait on: the second request decides whether this result is good for them.
        _look_again(state, step)
    else:
        answered(state, step, at)


def _fail(state: State, step: StepState, run: Running, event: AttemptFailed, at: int) -> None:
    step.error = event.error
    step.failures += 1
    forget_failures(step.calls)
    if (definition := state.flow.get(step.name)) is not None:
        let_children_go_on(definition.retry, step.calls)
    step.since = at
    if event.retry_at and step.owed and not step.again:
        step.retry_at = event.retry_at
        if not state.is_replayed:
            wait_or_ready(state, step)
        return
    _ask_no_more(state, step, "the step has failed")
    step.failed = run
    state.troubled[step.name] = None
    if step.again:
        _look_again(state, step)
        return
    # Its readers stay owed and keep waiting for it: mended, it lets them go on.
    owe(state, step, owed=False)


def _interrupt(
    state: State, step: StepState, run: Running, event: AttemptInterrupted, at: int
) -> None:
    step.since = at
    definition = state.flow.get(step.name)
    may_have_happened = event.reason != "cancelled" and definition is not None and definition.once
    if may_have_happened and step.items is None:
        step.doubt = run
        state.doubtful[step.name] = None
    if event.reason == "cancelled":
        _ask_no_more(state, step, "the attempt was stopped")
    if event.reason == "process_died":
        # Also when it is read again later: who asks for it then goes on, and does not begin anew.
        state.unfinished[step.name] = None
    if step.was_forced and event.reason != "cancelled":
        # It was to run although nothing had changed, and has not: what is left of it is.
        step.force = step.keeps_items = True
    if step.again or event.reason != "cancelled":
        _look_again(state, step)
        return
    step.cancelled = True
    state.troubled[step.name] = None
    owe(state, step, owed=False)


def settle_doubt(state: State, name: str, item: str, decided: ApprovalDecided, at: int) -> None:
    """A person has said what came of the attempt that nobody knew the end of."""
    step = state.steps.get(name)
    if item and step is not None:
        settle_item(state, step, item, decided, at)
    elif step is not None:
        _settle_step(state, step, decided, at)
    after_doubt(state, name)


def _settle_step(state: State, step: StepState, decided: ApprovalDecided, at: int) -> None:
    name = step.name
    run = step.doubt
    if run is None:
        return
    step.doubt = None
    state.doubtful.pop(name, None)
    match decided.decision:
        case "answered":
            state.unfinished.pop(name, None)
            _complete(state, step, run, AttemptCompleted(decided.outputs), at)
        case "rejected":
            state.unfinished.pop(name, None)
            _fail(state, step, run, AttemptFailed(refused_by(decided)), at)
        case _:
            if step.owed and step.running is None and not state.is_replayed:
                wait_or_ready(state, step)


def skip(state: State, step: StepState, event: StepSkipped, attempt: int, at: int) -> None:
    """The step does not apply: what it was asked for is answered, without outputs."""
    if attempt:
        if step.running is None or step.running.attempt != attempt:
            return
        _stopped(state, step, at)
    step.checkpoint = Checkpoint(
        attempt or step.attempts,
        at,
        0.0,
        {},
        "",
        event.code,
        event.inputs,
        event.environment,
        event.reason,
    )
    step.checkpoints += 1
    step.is_undone = False
    step.restored = False
    _new_work(step)
    _ask_no_more(state, step, "the step was skipped")
    if step.again:
        _look_again(state, step)
    else:
        answered(state, step, at)


def _new_work(step: StepState) -> None:
    forget_failures(step.calls)
    step.failures = 0
    step.begun = step.waited = 0


def _ask_no_more(state: State, step: StepState, why: str) -> None:
    if step.items is not None:
        withdraw_all(state, [step.name], why)
    else:
        withdraw(state, step, why)


def _stopped(state: State, step: StepState, at: int) -> None:
    end_attempt(state, step, step=step.name, item="", at=at)
    end_pass(state, step, at)
    step.running = None
    state.running.pop(step.name, None)
    state.superseded.pop(step.name, None)


def _look_again(state: State, step: StepState) -> None:
    step.again = False
    step.error = None
    state.troubled.pop(step.name, None)
    if step.owed and not state.is_replayed:
        wait_or_ready(state, step)


def request(state: State, event: StepsRequested, at: int) -> None:
    """From now on these steps are owed."""
    state.settled = ""
    state.is_cancelled = False
    wanted = [state.step(name) for name in event.environments if name in state.flow]
    for step in wanted:
        step.environment = event.environments[step.name]
        if step.name in event.force:
            step.keeps_items = event.failed_only and (step.keeps_items or not step.force)
            step.force = True
        was_cut_off = state.unfinished.pop(step.name, "") is None
        if not (was_cut_off or step.name in event.goes_on):
            _try_afresh(state, step)
        if step.running is not None:
            # What undoes another step does so once, however often it is asked to go on.
            step.again = step.name not in state.undoing
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


def _try_afresh(state: State, step: StepState) -> None:
    """Somebody asks who was not cut off by a crash: failures before are forgiven."""
    if step.running is None:
        step.failures = 0
        step.begun = step.waited = 0
        step.retry_at = 0
        ask_again(step)
        state.retrying.pop(step.name, None)
    forget_item_failures(step)
