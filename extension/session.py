"""The one place that joins the parts. There is one session to a kernel (or script).

It turns what is typed into events and calls, and what happens into cards and names. It
runs on the main thread; what it hears from the orchestrator it hears on the orchestrator's
thread (`_hear`), and passes on at once.
"""

import builtins
import dataclasses
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from stepwell.engine import Engine, open_engine
from stepwell.errors import (
    StepCancelled,
    StepFailed,
    StepNotRun,
    UnknownName,
    UnknownStep,
    WaitTimedOut,
    near_misses,
)
from stepwell.flow import Flow, Step
from stepwell.frontend import Frontend
from stepwell.orchestrator import (
    AttemptCompleted,
    AttemptId,
    AttemptInterrupted,
    Happened,
    Phase,
    RunCancelled,
    SetupDefined,
    State,
    StepForgotten,
    StepRenamed,
    StepReused,
    StepsDefined,
    StepState,
    StepView,
    closure,
    is_stuck,
    load,
    request,
    step_view,
)
from stepwell.place import Place, find_place
from stepwell.store import Store
from stepwell.surroundings import Surroundings
from stepwell.widgets import Board
from stepwell.workers.namespace import Captured

__all__ = ["Session"]


class Session:
    """A notebook's steps, from the cell to the store and back."""

    def __init__(
        self,
        namespace: dict[str, Any],
        frontend: Frontend,
        *,
        place: Place | None = None,
        store: Store | None = None,
    ) -> None:
        self.namespace = namespace
        self.frontend = frontend
        self.surroundings = Surroundings(namespace, frontend, self.is_output)
        self.board = Board(frontend, lambda: time.time_ns() // 1000)
        self._place = place
        self._given_store = store
        self._engine: Engine | None = None
        self._notes: dict[str, str] = {}
        self._setups = 0

    # -- the parts ----------------------------------------------------------------------

    @property
    def engine(self) -> Engine:
        """The open store and what runs on it; opened when first needed."""
        if self._engine is None:
            place = self._place or find_place(dict(self.namespace))
            self._engine = open_engine(
                place,
                self.surroundings,
                self._hear,
                resolve=self.namespace.get,
                store=self._given_store,
            )
        return self._engine

    @property
    def is_open(self) -> bool:
        """Whether the store has been needed yet."""
        return self._engine is not None

    @property
    def state(self) -> State:
        """The current run."""
        return self.engine.state

    def use_store(self, path: Path) -> None:
        """Close the store and go on with another one."""
        place = self._place or find_place(dict(self.namespace))
        self.close()
        self._given_store = None
        self._place = dataclasses.replace(place, store=path.absolute(), mode="")
        _ = self.engine

    def close(self) -> None:
        """Stop, write everything out, let go of the store."""
        engine, self._engine = self._engine, None
        self.board.close()
        if engine is not None:
            engine.close()
        self.board = Board(self.frontend, lambda: time.time_ns() // 1000)

    def is_output(self, name: str) -> bool:
        """Whether a step of the current run writes this name."""
        return self._engine is not None and self.state.flow.writer_of(name) is not None

    def names(self) -> list[str]:
        """The steps, in the order in which they were defined."""
        return [step.name for step in self.state.flow] if self.is_open else []

    # -- asking for work ----------------------------------------------------------------

    def define(self, steps: Sequence[Step]) -> None:
        """Make these steps part of the flow. Raises `FlowError`; then nothing is changed."""
        engine, state = self.engine, self.state
        renamed = [old for step in steps if (old := self._former_name(state, step))]

        def work() -> None:
            for old, new in renamed:
                engine.orchestrator.record(engine.run, StepRenamed(new), step=old)
            changed = [step for step in steps if state.flow_of(step).get(step.name) != step]
            if len(changed) > 1:
                check_all(state, changed)
            if changed:
                engine.orchestrator.record(engine.run, StepsDefined(tuple(changed)))

        engine.orchestrator.call(work)

    def ask(self, names: Collection[str], *, by: str, force: Collection[str] = ()) -> None:
        """Have these steps brought up to date in the background.

        Raises `UnknownStep`, and `UnknownName` for a name that nobody makes.
        """
        engine, state = self.engine, self.state
        names = frozenset(names)
        self.check_names(names)
        environments: dict[str, str] = {}
        for name, (digest, captured) in self._capture_all(names).items():
            environments[name] = digest
            if name in names:
                self._refuse_missing(name, captured)
            self._note(name, captured)

        def work() -> None:
            for digest in dict.fromkeys(environments.values()):
                if digest not in state.environments:
                    blobs = tuple(self.surroundings.captured[digest].blobs.values())
                    event = self.surroundings.event(digest)
                    engine.orchestrator.record(engine.run, event, blobs=blobs)
            wish = request(state, names, environments, by=by, force=force)
            engine.orchestrator.record(engine.run, wish)

        engine.orchestrator.call(work)

    def begin_fresh(self) -> None:
        """A new run with the same steps, none of which has run in it."""
        engine = self.engine
        steps = tuple(self.state.flow)
        setups = tuple(self.state.setups.values())
        self.cancel()
        engine.begin()

        def work() -> None:
            for setup in setups:
                engine.orchestrator.record(engine.run, setup)
            if steps:
                engine.orchestrator.record(engine.run, StepsDefined(steps))

        engine.orchestrator.call(work)

    def load_run(self, run: str) -> State:
        """A run as its events leave it, to look at."""
        return load(self.engine.store, run)

    def could_bring(self, name: str) -> bool:
        """Whether a store that is not open yet may have a name that is missing here.

        Asked about cells that run before the first step: only a name that would be an
        error, in a notebook that has a store, is worth opening it for.
        """
        if name in self.namespace or hasattr(builtins, name):
            return False
        place = self._place or find_place(dict(self.namespace))
        return place.store.exists() and place.mode != "fresh" and self.is_output_after_opening(name)

    def is_output_after_opening(self, name: str) -> bool:
        """As `is_output`; opens the store for it."""
        return self.engine.state.flow.writer_of(name) is not None

    def moved_from(self) -> str:
        """A line for people when this notebook may have been renamed or moved; else empty."""
        if self.is_open:
            return ""
        place = self._place or find_place(dict(self.namespace))
        orphans = place.orphans()
        if not orphans:
            return ""
        listed = " or ".join(f"`%stepwell store {store}`" for store, _ in orphans[:3])
        gone = ", ".join(notebook.name for _, notebook in orphans[:3])
        return (
            f"stepwell: this notebook has no store yet, but beside it are stores of notebooks that "
            f"are gone ({gone}). If it was renamed, go on with what it had: {listed}"
        )

    def capture(self, name: str) -> tuple[str, Captured]:
        """The environment a step would find now."""
        return self.surroundings.capture(self.state.flow[name].reads)

    def _capture_all(self, names: Collection[str]) -> dict[str, tuple[str, Captured]]:
        """The environments of these steps and of what they read from.

        A helper may read another step's output: that is an edge of the graph, which shows
        only when the helper is looked at, and may bring further steps in.
        """
        found: dict[str, tuple[str, Captured]] = {}
        while missing := [name for name in closure(self.state, names) if name not in found]:
            for name in missing:
                definition = self.state.flow[name]
                found[name] = self.capture(name)
                via = [
                    key for key in found[name][1].inputs_via_helpers if key not in definition.reads
                ]
                if via:
                    self.define([replace(definition, reads=(*definition.reads, *via))])
        return found

    def check_names(self, names: Iterable[str]) -> None:
        """Raises `UnknownStep` with near misses."""
        for name in names:
            if name not in self.state.flow:
                raise UnknownStep(name, near_misses(name, self.names()))

    def rerun(self, names: Collection[str]) -> None:
        """Run these steps although nothing has changed."""
        self.ask(names, by="rerun", force=names)

    def cancel(self, names: Collection[str] = ()) -> None:
        """Start nothing more of these (or of all), stop what can be stopped, refuse the rest."""
        engine, state = self.engine, self.state
        self.check_names(names)

        def work() -> None:
            concerned = set(names) or set(state.steps)
            for name in list(state.running):
                running = state.steps[name].running
                if name in concerned and running is not None:
                    engine.worker.cancel(AttemptId(engine.run, name, running.attempt))
                    engine.orchestrator.record(
                        engine.run,
                        AttemptInterrupted("cancelled"),
                        step=name,
                        attempt=running.attempt,
                    )
            engine.orchestrator.record(engine.run, RunCancelled(steps=tuple(names)))

        engine.orchestrator.call(work)

    def forget(self, name: str) -> None:
        """Take the step out of the flow; its history stays in the store."""
        self.check_names([name])
        writes = self.state.flow[name].writes
        engine = self.engine
        engine.orchestrator.call(
            lambda: engine.orchestrator.record(engine.run, StepForgotten(), step=name)
        )
        for output in writes:
            engine.outputs.withdraw(output)

    def remember_setup(self, source: str) -> None:
        """A cell that is to run again wherever the flow is rebuilt."""
        engine, state = self.engine, self.state
        self._setups += 1
        same = next((known for known in state.setups.values() if known.source == source), None)
        if same is not None:
            return
        name = self.frontend.cell_id() or f"setup {self._setups}"
        event = SetupDefined(name, source, self._setups)
        engine.orchestrator.call(lambda: engine.orchestrator.record(engine.run, event))

    # -- waiting --------------------------------------------------------------------------

    def wait_for_names(self, names: Sequence[str]) -> None:
        """What an ordinary cell does before it reads these names."""
        steps = {name: writer.name for name in names if (writer := self.state.flow.writer_of(name))}
        self._wait(steps, None)

    def wait(self, names: Collection[str] = (), *, timeout: float | None = None) -> None:
        """Wait for these steps, or for all that were asked for.

        Raises `StepFailed`, `StepCancelled`, `WaitTimedOut`; interrupting stops the waiting.
        """
        self.check_names(names)
        wanted = list(names) or [
            name for name, step in self.state.steps.items() if self._is_open_question(step)
        ]
        outputs = {f"step {name}": name for name in wanted}
        self._wait(outputs, timeout)

    def _wait(self, steps: Mapping[str, str], timeout: float | None) -> None:
        engine, state = self.engine, self.state
        pending = deque(steps.items())

        def is_done() -> bool:
            # Looks at one name as long as all is well: of ten thousand, the next.
            while pending and self._is_there(state, *pending[0]):
                pending.popleft()
            if not pending:
                return True
            if not (state.troubled or state.settled or engine.outputs.has_problems):
                return False
            return any(self._is_hopeless(state, step) for _, step in pending)

        if not engine.outputs.wait_until(is_done, timeout):
            waiting = ", ".join(list(dict.fromkeys(step for _, step in pending))[:5])
            raise WaitTimedOut(waiting, timeout or 0.0)
        for label, step in pending:
            self._raise_for(label, step)

    def _is_open_question(self, step: StepState) -> bool:
        engine = self.engine
        if step.owed or step.error is not None or not engine.is_durable(step.name):
            return True
        checkpoint = step.checkpoint
        return checkpoint is not None and any(map(engine.outputs.is_being_read, checkpoint.outputs))

    def _is_there(self, state: State, label: str, name: str) -> bool:
        """Whether the output, or all of the step's, are stored and in the namespace."""
        step = state.steps.get(name)
        if step is None or step.checkpoint is None or step.owed or step.error is not None:
            return False
        engine, outputs = self.engine, step.checkpoint.outputs
        wanted = (label,) if label in outputs else outputs
        return engine.is_durable(name) and all(
            engine.outputs.is_published(output, outputs[output].digest) for output in wanted
        )

    def _is_hopeless(self, state: State, name: str) -> bool:
        step = state.steps.get(name)
        if step is None or not step.is_settled or step.checkpoint is None:
            return is_stuck(state, name)
        outputs = self.engine.outputs
        if any(map(outputs.problem, step.checkpoint.outputs)):
            return True
        # Answered by an earlier process, and nobody has asked for it in this one.
        return not (name in state.live or step.restored) and any(
            not outputs.is_published(key, output.digest) and not outputs.is_being_read(key)
            for key, output in step.checkpoint.outputs.items()
        )

    def _raise_for(self, label: str, name: str) -> None:
        """Say why the wait is over although the name is not there."""
        state = self.state
        writes = state.flow[name].writes if name in state.flow else ()
        wanted = label if label in writes else ", ".join(writes) or name
        step = state.steps.get(name)
        if step is not None and step.is_settled:
            for output in (label, *(step.checkpoint.outputs if step.checkpoint else ())):
                if problem := self.engine.outputs.problem(output):
                    raise problem
            if self._is_hopeless(state, name):
                way_out = "Its result is stored: run its cell, or %stepwell resume"
                raise StepNotRun(wanted, name, way_out)
            return
        for other in closure(state, [name]):
            found = state.steps.get(other)
            if found is not None and found.error is not None and not found.owed:
                error = f"{found.error.type}: {found.error.message}"
                raise StepFailed(other, error.splitlines()[0], state.run)
            if found is not None and found.cancelled:
                raise StepCancelled(other, state.run)
        way_out = f"Run its cell, or %stepwell run {name}"
        raise StepNotRun(wanted, name, way_out)

    # -- hearing (on the orchestrator's thread) ------------------------------------------

    def _hear(self, happened: Sequence[Happened]) -> None:
        engine = self._engine
        if engine is None:
            return
        for what in happened:
            if what.run != engine.run:
                continue
            match what.event:
                case AttemptCompleted(outputs=outputs):
                    engine.outputs.publish(what.step, outputs, what.objects)
                case StepReused():
                    self.bring_back(what.step)
                case _:
                    pass
        engine.outputs.notify()
        for name in {what.step for what in happened if what.step in self.surroundings.places}:
            with suppress(UnknownStep):
                self.board.update(self.view(name))

    def bring_back(self, name: str) -> None:
        """Put a restored step's outputs into the namespace."""
        engine = self.engine
        step = engine.state.steps.get(name)
        if step is not None and step.checkpoint is not None:
            engine.outputs.restore(name, step.checkpoint.outputs)

    def view(self, name: str) -> StepView:
        """The step as people are shown it: done when that is on disk, and not before."""
        view = step_view(self.state, name, note=self._notes.get(name, ""))
        if view.phase is Phase.COMPLETED and not self.engine.is_durable(name):
            return dataclasses.replace(view, phase=Phase.RUNNING, restored=False, outputs={})
        return view

    def agent_step_view(self, step: Step) -> StepView:
        """The card of a step that belongs to an agent."""
        note = f"step of agent {step.flow!r}; it runs when the agent is called"
        reads = tuple((name, "") for name in step.reads)
        return StepView(
            name=step.name,
            run=self.state.run,
            phase=Phase.DEFERRED,
            reads=reads,
            writes=step.writes,
            note=note,
            source=step.source,
        )

    # -- inside ---------------------------------------------------------------------------

    def _refuse_missing(self, name: str, captured: Captured) -> None:
        definition = self.state.flow[name]
        for missing in captured.missing:
            if missing in definition.defaults or missing in definition.optional:
                continue
            known = [*self.namespace, *(out for step in self.state.flow for out in step.writes)]
            public = [word for word in known if not word.startswith("_")]
            raise UnknownName(name, missing, near_misses(missing, public))

    def _note(self, name: str, captured: Captured) -> None:
        lines: list[str] = []
        if captured.opaque:
            listed = ", ".join(f"{key} ({kind})" for key, kind in sorted(captured.opaque.items()))
            lines.append(f"cannot tell whether these have changed: {listed}")
        outputs = self.engine.outputs
        lines += [
            f"{read!r} has been changed here; {name!r} reads what was stored"
            for read in self.state.flow[name].reads
            if self.is_output(read) and outputs.is_rebound(read)
        ]
        self._notes[name] = "; ".join(lines)

    def _former_name(self, state: State, step: Step) -> tuple[str, str] | None:
        """The name the step's cell had before, if it was renamed."""
        if not step.cell or step.name in state.flow:
            return None
        for known in state.flow:
            is_running = state.step(known.name).running is not None
            if known.cell == step.cell and not is_running:
                return known.name, step.name
        return None


def check_all(state: State, steps: Sequence[Step]) -> None:
    """Try the definitions on a flow of their own; the state is not touched. Raises `FlowError`."""
    for name in dict.fromkeys(step.flow for step in steps):
        mine = [step for step in steps if step.flow == name]
        known = state.agents.get(name) if name else state.flow
        trial = Flow(name)
        for step in (*(known or ()), *mine):
            trial.add(step)
