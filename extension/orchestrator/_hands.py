"""Carrying out what was decided: each command becomes events, and effects that follow them.

Runs on the orchestrator's thread. Effects run later, on the store's, when the events are
on disk.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from stepwell.flow import Step
from stepwell.orchestrator._budget_question import time_events
from stepwell.orchestrator._closing import closing
from stepwell.orchestrator._commands import (
    CancelAttempt,
    Command,
    CutOff,
    Deliver,
    DropWaiting,
    EndWait,
    Expire,
    FailPass,
    FollowUp,
    Gather,
    Hold,
    Release,
    Reuse,
    Settle,
    Skip,
    StartAttempt,
    TimeOut,
    Undo,
    Void,
)
from stepwell.orchestrator._deadlines import Failure, retry_at
from stepwell.orchestrator._events import (
    AttemptFailed,
    AttemptInterrupted,
    AttemptStarted,
    ErrorInfo,
    Event,
    RunCancelled,
    RunSettled,
    StepReused,
    StepSkipped,
    UndoRequested,
)
from stepwell.orchestrator._failures import items_failed, timed_out
from stepwell.orchestrator._inputs import derived_digest
from stepwell.orchestrator._journal import Effect
from stepwell.orchestrator._limits import is_limited
from stepwell.orchestrator._port import (
    NOTHING,
    Attempt,
    AttemptId,
    Failed,
    Gathered,
    ItemRef,
    Link,
    Worker,
)
from stepwell.orchestrator._request import running_attempts
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import StepState, Unit
from stepwell.store import Blob

__all__ = ["Hands"]


class _Record(Protocol):
    def __call__(
        self,
        run: str,
        event: Event,
        *,
        step: str = "",
        item: str = "",
        attempt: int = 0,
        blobs: Sequence[Blob] = (),
    ) -> None: ...


class Hands:
    """Of an orchestrator: `record` writes an event."""

    def __init__(
        self,
        worker: Worker,
        link: Link,
        record: _Record,
        now: Callable[[], int],
    ) -> None:
        self._worker = worker
        self._link = link
        self._record = record
        self._now = now
        self._leaving: list[tuple[State, Attempt]] = []
        """Attempts whose start is on its way to the disk."""

    def carry_out(self, state: State, command: Command) -> None:
        """Do it."""
        match command:
            case StartAttempt():
                self._start(state, command)
            case Reuse():
                self._record(state.run, StepReused(), step=command.step)
            case Skip():
                event = StepSkipped(
                    command.reason, command.code, command.inputs, command.environment
                )
                self._record(state.run, event, step=command.step)
            case CancelAttempt():
                self._cancel(state, command)
            case Gather():
                self._gather(state, command)
            case CutOff():
                cut_off = AttemptInterrupted("source_ended")
                self._record(state.run, cut_off, step=command.step, attempt=command.attempt)
            case FailPass():
                error = items_failed(state.steps[command.step])
                self._record(
                    state.run, AttemptFailed(error), step=command.step, attempt=command.attempt
                )
            case TimeOut():
                self._time_out(state, command)
            case EndWait() | Expire() | FollowUp() | Void() | Deliver():
                closed, step, item, attempt = closing(state, command)
                self._record(state.run, closed, step=step, item=item, attempt=attempt)
            case Undo():
                self._record(state.run, UndoRequested(command.environments))
            case Hold() | Release() | DropWaiting():
                self._keep_to_time(state, command)
            case Settle():
                self._record(state.run, RunSettled(command.status))

    def _keep_to_time(self, state: State, command: Hold | Release | DropWaiting) -> None:
        if not isinstance(command, DropWaiting):
            for event in time_events(state, command):
                self._record(state.run, event)
            return
        for name in state.mapped.keys() & set(command.steps):
            self.interrupt(state, state.steps[name])
        self._record(state.run, RunCancelled(command.steps))

    def interrupt(self, state: State, step: StepState) -> None:
        """End every attempt at the step, for somebody who has said so."""
        if state.is_sealed(step.name):
            # In a moment, when it is known what has come of the result.
            if step.running is not None:
                state.superseded[step.name] = step.running.attempt
            return
        for item, attempt in running_attempts(step):
            self._worker.cancel(AttemptId(state.run, step.name, attempt, item))
            event = AttemptInterrupted("cancelled")
            self._record(state.run, event, step=step.name, item=item, attempt=attempt)

    def _cancel(self, state: State, command: CancelAttempt) -> None:
        state.superseded.pop(command.step, None)
        step = state.steps[command.step]
        if step.items is None:
            self._worker.cancel(AttemptId(state.run, command.step, command.attempt))
        else:
            # Of a mapped step nothing may be at work that could report its end.
            self.interrupt(state, step)

    def _start(self, state: State, command: StartAttempt) -> None:
        is_item, limit = bool(command.item), state.flow[command.step].limit
        event = AttemptStarted(
            key=command.key,
            code="" if is_item else command.code,
            inputs={} if is_item else command.inputs,
            environment="" if is_item else command.environment,
            fresh=command.fresh,
            streams=command.streams,
            limit=limit if is_limited(state, command.step, command.item, limit) else "",
        )
        self._record(
            state.run, event, step=command.step, item=command.item, attempt=command.attempt
        )
        if not command.streams:
            self._leaving.append((state, self._attempt(state, command)))

    def _attempt(self, state: State, command: StartAttempt) -> Attempt:
        definition, step = state.flow[command.step], state.steps[command.step]
        unit = state.unit(command.step, command.item) or step
        running, item = step.running, None
        if command.item and step.items is not None:
            found = step.items.by_key[command.item]
            of_pass = running.attempt if running is not None else 0
            is_stored = bool(step.items.source)
            item = ItemRef(found.name, found.index, found.digest, of_pass, is_stored)
        return Attempt(
            AttemptId(state.run, command.step, command.attempt, command.item),
            definition,
            command.key,
            command.inputs,
            command.environment,
            _derived(definition, unit, command.item),
            unit.failures + 1,
            item,
            unit.calls,
            unit.heartbeat,
        )

    def _gather(self, state: State, command: Gather) -> None:
        step = state.steps[command.step]
        items, run = step.items, step.running
        if items is None or run is None:
            return
        units = [items.by_key[key] for key in items.order]
        gathered = [
            Gathered(
                unit.name,
                unit.checkpoint.outputs
                if unit.checkpoint is not None and unit.name not in items.failed
                else None,
            )
            for unit in units
        ]
        # Asked for once: the pass is over as far as deciding goes.
        items.is_expanded = False
        attempt = Attempt(
            AttemptId(state.run, command.step, command.attempt),
            state.flow[command.step],
            run.key,
            run.inputs,
            run.environment,
            _derived(state.flow[command.step], step),
            gathered=gathered,
        )
        self._leaving.append((state, attempt))

    def take_leaving(self) -> Effect | None:
        """What hands the attempts over that were started since the last time, if there are any.

        To be done when all is durable that was recorded until now.
        """
        if not self._leaving:
            return None
        leaving, self._leaving = self._leaving, []
        return partial(self._hand_over_all, leaving)

    def _hand_over_all(self, leaving: Sequence[tuple[State, Attempt]]) -> None:
        for state, attempt in leaving:
            self._hand_over(state, attempt)

    def _hand_over(self, state: State, attempt: Attempt) -> None:
        """To the worker, on the store's thread, unless it was given up in the meantime."""
        unit = state.unit(attempt.id.step, attempt.id.item)
        running = unit.running if unit is not None else None
        if running is None or running.attempt != attempt.id.attempt:
            return
        try:
            self._worker.start(attempt, self._link)
        except Exception as error:
            message = f"it could not be started: {error}"
            info = ErrorInfo(type(error).__name__, message, is_user_code=False)
            self._link.report(Failed(attempt.id, info))

    def _time_out(self, state: State, command: TimeOut) -> None:
        definition = state.flow[command.step]
        unit = state.tried(command.step, command.item, command.attempt)
        if unit is None:
            return  # two of its times were up at once
        error = timed_out(definition, command.kind)
        failure = Failure((error.type, "TimeoutError", "Exception"), is_transient=True)
        is_last = command.kind == "total" or definition.once  # it may have happened
        due = 0 if is_last else retry_at(definition, unit, failure, self._now())
        self._worker.cancel(AttemptId(state.run, command.step, command.attempt, command.item))
        self._record(
            state.run,
            AttemptFailed(replace(error, failure=failure), retry_at=due),
            step=command.step,
            item=command.item,
            attempt=command.attempt,
        )


def _derived(definition: Step, unit: Unit, item: str = "") -> Mapping[str, str]:
    """What transient outputs go by."""
    run = unit.running
    if run is None or not definition.transient:
        return NOTHING
    return {name: derived_digest(run, name, item) for name in definition.transient}
