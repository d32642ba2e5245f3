"""Waiting for outputs: until they are stored and in the namespace, or cannot come any more."""

import sys
from collections import deque
from collections.abc import Mapping

from stepwell.errors import (
    StepCancelled,
    StepFailed,
    StepNotRun,
    StepSkipped,
    WaitTimedOut,
    show_as,
)
from stepwell.orchestrator import Approval, ErrorInfo, StepState, closure, is_at_work, is_stuck
from stepwell.session._engine import Engine
from stepwell.session._people import needs_person, question_before

__all__ = ["Wait", "is_open_question"]


class Wait:
    """One wait, on the main thread, for outputs of the current run.

    `wanted` is what is waited for and the step it comes from; where the first is no output
    of the step, all of the step's are meant.
    """

    def __init__(
        self,
        engine: Engine,
        wanted: Mapping[str, str],
        *,
        is_patient: bool = False,
        for_all: bool = False,
    ) -> None:
        self._engine = engine
        # Whether somebody can decide while this thread waits; if not, it would be in vain.
        self._is_patient = is_patient
        self._for_all = for_all
        self._said: set[str] = set()
        self._state = engine.state
        self._wanted = wanted
        self._pending = deque(wanted.items())
        # Nobody has asked for them: no use in waiting until all else has come to its end.
        self._is_in_vain = any(map(self._is_out_of_question, wanted.values()))

    def until(self, timeout: float | None) -> None:
        """Wait so many seconds, or as long as it takes; interrupting stops the waiting.

        Raises `NeedsPerson`, `StepFailed`, `StepCancelled`, `StepNotRun`, `WaitTimedOut`, or
        why a stored value cannot be read or the store cannot be written.
        """
        if not self._is_complete() and self._engine.orchestrator.trouble is not None:
            # There may be space again since the disk was tried last.
            self._engine.orchestrator.call(lambda: None)
        try:
            is_over = self._engine.outputs.wait_until(self._is_over, timeout)
        except KeyboardInterrupt as stopped:
            show_as(stopped, f"stopped waiting for {self._steps()}; the run goes on")
            raise
        if not is_over:
            self._refuse_person(timeout or 0.0)
            raise WaitTimedOut(self._steps(), timeout or 0.0)
        self._raise_for_skipped()
        if self._pending and (trouble := self._engine.orchestrator.trouble):
            raise trouble
        self._refuse_person()
        for label, step in self._pending:
            self._raise_for(label, step)

    def _refuse_person(self, timeout: float = 0.0) -> None:
        """Say that a person is needed, if nobody could decide while this waits."""
        for _, step in () if self._is_patient or timeout else self._pending:
            approval = self._question_before(step)
            if approval is not None:
                raise needs_person(step, approval)

    def _question_before(self, step: str) -> Approval | None:
        return question_before(self._engine.orchestrator, self._state, step)

    def _waits_for_people(self) -> bool:
        """Whether the wait is over because only a person can bring it to its end."""
        if not (self._state.pending or self._state.children):
            return False
        waiting = [step for label, step in self._pending if not self._is_there(label, step)]
        asked = {step: it for step in waiting if (it := self._question_before(step)) is not None}
        if self._is_patient:
            for step, approval in asked.items():
                if approval.id not in self._said:
                    self._said.add(approval.id)
                    print(f"waiting: {needs_person(step, approval)}", file=sys.stderr)
            return False
        if not self._for_all:
            return bool(asked)
        # Of a mapped step other items may still be at work.
        return len(asked) == len(waiting) and not any(map(self._is_at_work, asked))

    def _is_at_work(self, name: str) -> bool:
        state = self._state
        return name in state.mapped and is_at_work(state, state.steps[name], self._engine.find)

    def _raise_for_skipped(self) -> None:
        """A name that somebody waited for is not there, although all has gone as it should."""
        for label, name in self._wanted.items():
            step = self._state.steps.get(name)
            skipped = step.checkpoint.skipped if step is not None and step.checkpoint else ""
            if skipped and name in self._state.flow and label in self._state.flow[name].writes:
                raise StepSkipped(label, name, skipped)

    def _steps(self) -> str:
        return ", ".join(list(dict.fromkeys(step for _, step in self._pending))[:5])

    def _is_over(self) -> bool:
        if self._is_complete():
            return True
        if self._engine.orchestrator.trouble is not None or self._waits_for_people():
            return True
        state = self._state
        problems = self._engine.outputs.has_problems
        if not (self._is_in_vain or state.troubled or state.settled or problems or state.is_paused):
            return False
        return any(self._is_hopeless(step) for _, step in self._pending)

    def _is_complete(self) -> bool:
        # Looks at one name as long as all is well: of ten thousand, the next.
        while self._pending and self._is_there(*self._pending[0]):
            self._pending.popleft()
        return not self._pending

    def _is_there(self, label: str, name: str) -> bool:
        """Whether the output, or all of the step's, are stored and in the namespace."""
        step = self._state.steps.get(name)
        if step is None or step.checkpoint is None or not step.is_settled:
            return False
        engine, outputs = self._engine, step.checkpoint.outputs
        wanted = (label,) if label in outputs else outputs
        return engine.is_durable(name) and all(
            engine.outputs.is_published(output, outputs[output].digest)
            and not engine.outputs.is_being_read(output)
            for output in wanted
        )

    def _is_out_of_question(self, name: str) -> bool:
        step = self._state.steps.get(name)
        return step is None or not (step.owed or step.running or step.is_settled)

    def _is_hopeless(self, name: str) -> bool:
        step = self._state.steps.get(name)
        if self._state.is_paused and step is not None and step.owed and step.running is None:
            return True
        if step is None or not step.is_settled or step.checkpoint is None:
            return is_stuck(self._state, name)
        outputs = self._engine.outputs
        if any(map(outputs.problem, step.checkpoint.outputs)):
            return True
        # Answered by an earlier process, and nobody has asked for it in this one.
        return not (name in self._state.live or step.restored) and any(
            not outputs.is_published(key, output.digest) and not outputs.is_being_read(key)
            for key, output in step.checkpoint.outputs.items()
        )

    def _raise_for(self, label: str, name: str) -> None:
        """Say why the wait is over although the name is not there."""
        state = self._state
        writes = state.flow[name].writes if name in state.flow else ()
        wanted = label if label in writes else ", ".join(writes) or name
        step = state.steps.get(name)
        if step is not None and step.is_settled:
            for output in (label, *(step.checkpoint.outputs if step.checkpoint else ())):
                if problem := self._engine.outputs.problem(output):
                    raise problem
            if self._is_hopeless(name):
                way_out = "Its result is stored: run its cell, or %stepwell resume"
                raise StepNotRun(wanted, name, way_out)
            return
        if state.is_paused and step is not None and step.owed:
            raise StepNotRun(wanted, name, "The run is paused: %stepwell resume goes on")
        for other in closure(state, [name]):
            found = state.steps.get(other)
            if found is not None and found.error is not None and not found.owed:
                raise _failure(other, found.error, state.run)
            if found is not None and found.cancelled:
                raise StepCancelled(other, state.run)
        way_out = f"Run its cell, or %stepwell run {name}"
        raise StepNotRun(wanted, name, way_out)


def _failure(step: str, error: ErrorInfo, run: str) -> StepFailed:
    first = next(iter(error.message.strip().splitlines()), "").rstrip(".")
    said = ": ".join(part for part in (error.type, first) if part)
    return StepFailed(step, said, run, is_user_code=error.is_user_code)


def is_open_question(engine: Engine, step: StepState) -> bool:
    """Whether somebody who waits for everything waits for this step."""
    if step.owed or step.error is not None or not engine.is_durable(step.name):
        return True
    checkpoint = step.checkpoint
    return checkpoint is not None and any(map(engine.outputs.is_being_read, checkpoint.outputs))
