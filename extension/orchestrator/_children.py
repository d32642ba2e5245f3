"""Runs that were called by a step of another run: begun, gone on with, ended with it.

A child begins in the same commit as the call that waits for it, and ends in the same commit
as that call: there is never one without the other, so that a crash starts none twice and
loses none. A child lives no longer than what waits for it: when that is cancelled, or comes
to its end without having waited, the child is cancelled with it. Only another attempt at the
same work takes it over.

On the orchestrator's thread alone.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Protocol

from msgspec.structs import replace

from stepwell.errors import AgentTooDeep
from stepwell.flow import Flow, Step
from stepwell.orchestrator._base import ErrorInfo, Output
from stepwell.orchestrator._call_events import (
    ChildLeft,
    ChildRecalled,
    ChildSettled,
    ChildStarted,
    ChildWaiting,
    WaitResumed,
)
from stepwell.orchestrator._calls import Call
from stepwell.orchestrator._events import (
    AttemptCompleted,
    AttemptFailed,
    AttemptInterrupted,
    Event,
    RunCancelled,
    RunContinued,
    RunHeld,
    RunPaused,
    RunReleased,
    RunSettled,
    RunStarted,
    StepForgotten,
    StepReused,
    StepsDefined,
    StepSkipped,
)
from stepwell.orchestrator._port import AttemptId, Birth
from stepwell.orchestrator._request import interrupted, request
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import StepState, Unit
from stepwell.store import Blob

__all__ = ["Children", "child_id"]

_CONCERNS = (RunSettled, RunPaused, RunContinued, RunHeld, RunReleased, RunCancelled)
_ENDS = (
    AttemptCompleted,
    AttemptFailed,
    AttemptInterrupted,
    RunCancelled,
    StepForgotten,
    StepReused,
    StepSkipped,
)


class Runs(Protocol):
    """What is needed of the orchestrator."""

    def is_advancing(self, run: str) -> bool:
        """Whether the run was adopted."""
        ...

    def state(self, run: str) -> State:
        """Of an adopted run."""
        ...

    def adopt(self, state: State) -> None:
        """Advance this run."""
        ...

    def interrupt(self, run: str, step: str) -> None:
        """End every attempt at the step."""
        ...

    def record(
        self,
        run: str,
        event: Event,
        *,
        step: str = "",
        item: str = "",
        attempt: int = 0,
        blobs: Sequence[Blob] = (),
    ) -> None:
        """Write an event."""
        ...


def child_id(parent: AttemptId, call: str) -> str:
    """The id of the run that this call of this attempt begins; told apart from all others."""
    parts = (parent.run, parent.step, parent.item, str(parent.attempt), call)
    return blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()


class Children:
    """Of an orchestrator: what its runs have to do with each other."""

    def __init__(self, runs: Runs, load: Callable[[str], State]) -> None:
        self._runs = runs
        self._load = load

    # -- begun, or gone on with ---------------------------------------------------------

    def begin(self, parent: AttemptId, call: str, birth: Birth) -> None:
        """Have the call answered by a run: the one it has, or a new one.

        A call that has failed stays failed, until its step is asked for anew, or is tried again
        for such a failure; one that was answered by another version of the agent goes on with
        what has changed. Raises
        `AgentTooDeep`, `FlowError`; then nothing was written.
        """
        state = self._runs.state(parent.run)
        unit = state.unit(parent.step, parent.item)
        known = (state.calls if unit is None else unit.calls or {}).get(call)
        if known is not None and known.is_closed and _holds(known, unit, birth):
            return
        birth = replace(birth, started=_placed(state, parent, call, birth))
        _check(birth, self._deepest(birth))
        is_open = known is not None and not known.is_closed and known.version == birth.version
        child = known.subject if known is not None else child_id(parent, call)
        if not is_open:
            event = ChildStarted(call, child, birth.started.flow, birth.shown, birth.version)
            self._note(parent, event)
        elif unit is not None:
            self._note(parent, WaitResumed(call))
        if known is None:
            self._runs.adopt(State(child))
            self._runs.record(child, birth.started, blobs=birth.blobs)
        below = self._adopted(child)
        self._halt(below, state)
        self._bring_up_to_date(below, birth, known, is_open=is_open)

    def _halt(self, child: State, parent: State) -> None:
        """It may start something if its parent may; they may have been told apart by a crash."""
        if parent.is_paused is not child.is_paused:
            self._runs.record(child.run, RunPaused() if parent.is_paused else RunContinued())
        if parent.held != child.held:
            event = RunHeld(parent.held == "refused") if parent.held else RunReleased()
            self._runs.record(child.run, event)

    def _note(self, at: AttemptId, event: ChildStarted | WaitResumed) -> None:
        self._runs.record(at.run, event, step=at.step, item=at.item, attempt=at.attempt)

    def _deepest(self, birth: Birth) -> int:
        """At which depth a run may be: what the caller says, and the budget of them all."""
        root = birth.started.root
        budget = self._runs.state(root).budget if self._runs.is_advancing(root) else None
        most = budget.depth if budget is not None else None
        return birth.max_depth if most is None else min(most, birth.max_depth)

    def _bring_up_to_date(
        self, state: State, birth: Birth, known: Call | None, *, is_open: bool
    ) -> None:
        """Have it go on with its steps as they are now.

        `is_open`: it has not ended, and they have not changed since. Then only what was cut off
        is asked for: what has failed stays failed.
        """
        if is_open and state.owed and not state.unfinished:
            # It has gone on all the while.
            return
        child = state.run
        self._define(state, birth.steps)
        for event, blobs in birth.environments:
            if not state.knows(event):
                self._runs.record(child, event, blobs=blobs)
        names = list(state.unfinished) if is_open else []
        names = names or [step.name for step in birth.steps if not step.defer]
        again = known.force if known is not None else ()
        force = [
            it.name for it in birth.steps if it.name in again or (it.always and it.name in names)
        ]
        wish = request(
            state,
            names,
            birth.environment_of,
            by="call",
            force=force,
            failed_only=known is not None and known.keeps_calls,
        )
        self._runs.record(child, wish)

    def _adopted(self, child: str) -> State:
        """The run, as its events leave it where nobody has advanced it in this process."""
        if not self._runs.is_advancing(child):
            state = self._load(child)
            self._runs.adopt(state)
            for step, item, attempt, event in interrupted(state):
                self._runs.record(child, event, step=step, item=item, attempt=attempt)
        return self._runs.state(child)

    def _define(self, state: State, steps: Sequence[Step]) -> None:
        names = {step.name for step in steps}
        for gone in [step.name for step in state.flow if step.name not in names]:
            self._runs.record(state.run, StepForgotten(), step=gone)
        changed = tuple(step for step in steps if state.flow.get(step.name) != step)
        if changed:
            self._runs.record(state.run, StepsDefined(changed))

    # -- what people want of one of them ---------------------------------------------------

    def recall(self, child: str, step: str) -> tuple[str, str]:
        """Have this run go on with one of its steps again, when its call is asked for next.

        So it is with every run above it, each for the sake of the call below. The answer is the
        step of the uppermost run that has to run again to ask, or nothing and the call of its
        cell.
        """
        below, force = child, step
        while True:
            started = self._adopted(below).started
            assert started is not None
            parent = self._adopted(started.parent)
            event = ChildRecalled(started.call, (force,), keeps_calls=below != child)
            self._runs.record(parent.run, event, step=started.step, item=started.item)
            if parent.started is None or not parent.started.call:
                return started.step, started.call
            below, force = parent.run, started.step

    def cancel_steps(self, child: str, steps: Sequence[str]) -> None:
        """Nothing more of these steps of the run; it comes to its end without them."""
        for name in steps:
            self._runs.interrupt(child, name)
        self._runs.record(child, RunCancelled(tuple(steps)))

    # -- what follows from what happens ---------------------------------------------------

    def follow(self, state: State, event: Event, step: str, item: str = "") -> None:
        """Something has happened in this run: its parent and its children are to know."""
        if state.children or isinstance(event, _CONCERNS):
            self._follow(state, event, step, item)
        if state.started is not None and state.started.step:
            self._tell_waiting(state, state.started)

    def _follow(self, state: State, event: Event, step: str, item: str) -> None:
        match event:
            case RunSettled():
                self._settle(state, event)
            case RunPaused() | RunContinued() | RunHeld() | RunReleased():
                for child in _children(state, state.children):
                    if self._runs.is_advancing(child):
                        self._runs.record(child, event)
            case ChildLeft(call=call):
                unit = state.unit(step, item)
                known = (unit.calls or {}).get(call) if unit is not None else None
                if known is not None and not known.is_closed:
                    self.cancel(known.subject)
            case AttemptInterrupted(reason="process_died"):
                # It is tried again, and asks for its children then.
                pass
            case RunCancelled(steps=()):
                for child in _children(state, ("", *state.children)):
                    self.cancel(child)
            case _ if isinstance(event, _ENDS):
                self._end_unwanted(state, getattr(event, "steps", (step,)))
            case _:
                pass

    def _tell_waiting(self, child: State, started: RunStarted) -> None:
        """The clocks of a step that waits for this run stand still while it only waits itself."""
        if not self._runs.is_advancing(started.parent):
            return
        unit = self._runs.state(started.parent).unit(started.step, started.item)
        call = (unit.calls or {}).get(started.call) if unit is not None else None
        if call is None or call.is_closed or call.is_waiting is child.is_resting:
            return
        event = ChildWaiting(started.call, child.run, child.is_resting)
        self._runs.record(started.parent, event, step=started.step, item=started.item)

    def _settle(self, child: State, event: RunSettled) -> None:
        started = child.started
        if started is None or not started.call or not self._runs.is_advancing(started.parent):
            return
        error, failed = _failure(child)
        settled = ChildSettled(
            started.call,
            child.run,
            event.status,
            results(child) if event.status == "completed" else {},
            error,
            failed,
            child.spent.total({}),
        )
        self._runs.record(started.parent, settled, step=started.step, item=started.item)

    def _end_unwanted(self, state: State, steps: Iterable[str]) -> None:
        for name in filter(None, steps):
            found = state.steps.get(name)
            for child, item in list(state.children.get(name, {}).items()):
                if not _is_awaited(found, item):
                    self.cancel(child)

    def is_over(self, run: str) -> bool:
        """Whether this is a child that has come to its end: the store has it, if it is needed."""
        if not self._runs.is_advancing(run):
            return False
        state = self._runs.state(run)
        is_child = state.started is not None and bool(state.started.call)
        return is_child and bool(state.settled) and not (state.running or state.owed)

    def cancel(self, child: str) -> None:
        """Nobody waits for this run any more: nothing of it starts, what runs is stopped."""
        state = self._adopted(child)
        for name in list(state.running):
            self._runs.interrupt(child, name)
        self._runs.record(child, RunCancelled())
        if state.settled != "cancelled":
            self._runs.record(child, RunSettled("cancelled"))


def _holds(call: Call, unit: Unit | None, birth: Birth) -> bool:
    """Whether the answer the call has is good for whoever asks now."""
    if call.version != birth.version or call.goes_on:
        return False
    # In a cell it is a person who asks, each time.
    return call.status == "completed" or (unit is not None and call.closed >= unit.begun)


def _placed(parent: State, at: AttemptId, call: str, birth: Birth) -> RunStarted:
    """Where the child stands among the runs."""
    above = parent.started or RunStarted()
    return replace(
        birth.started,
        parent=parent.run,
        notebook=above.notebook,
        user=above.user,
        host=above.host,
        root=above.root or parent.run,
        depth=above.depth + 1,
        step=at.step,
        item=at.item,
        call=call,
    )


def _check(birth: Birth, deepest: int) -> None:
    started = birth.started
    if started.depth > deepest:
        raise AgentTooDeep(started.flow, deepest)
    Flow(started.flow).extend(birth.steps)


def _is_awaited(step: StepState | None, item: str) -> bool:
    """Whether an attempt runs, or is to come, that asks for what this call came to."""
    if step is None or not (step.owed or step.running is not None):
        return False
    if not item or step.items is None or not step.items.is_expanded:
        return True
    items = step.items
    return item in items.running or item in items.ready or item in items.waiting


def _children(state: State, steps: Iterable[str]) -> list[str]:
    return [child for name in steps for child in state.children.get(name, ())]


def _failure(child: State) -> tuple[ErrorInfo | None, str]:
    """The first error that nobody has mended, and whose it is."""
    for name in child.troubled:
        if (error := child.steps[name].error) is not None:
            return error, name
    return None, ""


def results(child: State) -> dict[str, Output]:
    """What the run was called for, as far as it is there."""
    wanted = child.started.outputs if child.started is not None else ()
    found: dict[str, Output] = {}
    for name in wanted:
        writer = child.flow.writer_of(name)
        checkpoint = child.steps[writer.name].checkpoint if writer is not None else None
        if checkpoint is not None and name in checkpoint.outputs:
            found[name] = checkpoint.outputs[name]
    return found
