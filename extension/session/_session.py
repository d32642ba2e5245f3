"""The one place that joins the parts. There is one session to a kernel (or script).

It turns what is typed into events and calls, and what happens into cards and names. It
runs on the main thread; what it hears from the orchestrator it hears on the orchestrator's
thread (`_hear`), and passes on at once.
"""

import builtins
import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stepwell.agents import Agent
from stepwell.errors import InvalidUsage, StoreClosed
from stepwell.flow import Step
from stepwell.frontend import Frontend
from stepwell.inside import Cassette
from stepwell.orchestrator import (
    ApprovalDecided,
    AttemptId,
    Clock,
    Happened,
    LimitSet,
    Sign,
    State,
    StepView,
    has_failed,
    load,
)
from stepwell.place import Place, find_place
from stepwell.session import _asking as asking
from stepwell.session._agents import Agents
from stepwell.session._below import agent_step, cancel
from stepwell.session._cards import Cards
from stepwell.session._desk import ABSENT, Desk, Question
from stepwell.session._engine import Engine, open_engine
from stepwell.session._recording import Recording
from stepwell.session._surroundings import Alike, Surroundings
from stepwell.session._waits import Wait, is_open_question
from stepwell.session._window import Act, Window
from stepwell.store import Store
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
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock
        self._is_patient = clock is not None
        self.namespace = namespace
        self.frontend = frontend
        self.surroundings = Surroundings(namespace, frontend, self.is_output)
        self.agents = Agents(self.surroundings)
        self._cards = Cards(frontend)
        self.acts: dict[str, Act] = {
            "run": self._run,
            "rerun": self._rerun,
            "pause": self._pause,
            "continue": self._go_on,
            "cancel": self._cancel,
        }
        """What people can do from the view."""
        self.window = self._make_window()
        self._place = place
        self._given_store = store
        self._engine: Engine | None = None
        self._recording = Recording()

    # -- the parts ----------------------------------------------------------------------

    @property
    def engine(self) -> Engine:
        """The open store and what runs on it; opened when first needed."""
        if self._engine is None:
            self._engine = self._open(self.place, self._given_store)
        return self._engine

    def _open(self, place: Place, store: Store | None) -> Engine:
        cassette = self._recording.of(place)
        engine = open_engine(
            place,
            self.surroundings,
            self._publish,
            self._hear,
            self._see,
            resolve=self.namespace.get,
            store=store,
            clock=self._clock,
            unreadable=self._tell,
        )
        engine.worker.tape = cassette
        return engine

    def use_cassette(self, cassette: Cassette | None) -> None:
        """Record the calls of steps that start from now on, or answer them from a recording."""
        self._recording.use(cassette)
        self.engine.worker.tape = cassette

    @property
    def is_open(self) -> bool:
        """Whether the store has been needed yet."""
        return self._engine is not None

    @property
    def place(self) -> Place:
        """Where the notebook and its store are, as far as can be told now."""
        return self._place or find_place(dict(self.namespace))

    @property
    def state(self) -> State:
        """The current run."""
        return self.engine.state

    @property
    def board(self) -> Board:
        """The cards that are shown."""
        return self._cards.board

    def use_store(self, path: Path) -> None:
        """Close the store and go on with another one. Raises what opening it raises."""
        place = dataclasses.replace(self.place, store=path.absolute(), mode="")
        is_other = self._given_store is not None or place.store != self.place.store
        # Opened first: if that fails, nothing has changed.
        engine = self._open(place, None) if is_other else None
        self.close()
        self._given_store, self._place, self._engine = None, place, engine
        _ = self.engine

    def close(self) -> None:
        """Stop, write everything out, let go of the store."""
        self.window.close()
        engine, self._engine = self._engine, None
        self._recording.save()
        self._cards.close()
        if engine is not None:
            engine.close()
        self.agents.close()
        self._cards, self.window = Cards(self.frontend), self._make_window()

    def _opened(self) -> Engine:
        # Who only looks must not open a store, least of all the one that is being closed.
        if self._engine is None:
            raise StoreClosed("the store is closed: %load_ext stepwell, then %stepwell view")
        return self._engine

    def _make_window(self) -> Window:
        window = Window(self._opened, self.frontend, self.view)
        window.can(self.acts, on_main=("fork", "rerun", "run"))
        window.decides(partial(self.decide, channel="widget"))
        return window

    def is_output(self, name: str) -> bool:
        """Whether a step of the current run writes this name."""
        return self._engine is not None and self.state.flow.writer_of(name) is not None

    def names(self) -> list[str]:
        """The steps, in the order in which they were defined."""
        return [step.name for step in self.state.flow] if self.is_open else []

    def check_names(self, names: Iterable[str]) -> None:
        """Raises `UnknownStep` with near misses."""
        asking.check_names(self.state, names)

    # -- before the store is open -------------------------------------------------------

    def could_bring(self, name: str) -> bool:
        """Whether a store that is not open yet may have a name that is missing here.

        Asked about cells that run before the first step: only a name that would be an
        error, in a notebook that has a store, is worth opening it for.
        """
        if name in self.namespace or hasattr(builtins, name):
            return False
        place = self.place
        return place.store.exists() and place.mode != "fresh" and self.is_output_after_opening(name)

    def is_output_after_opening(self, name: str) -> bool:
        """As `is_output`; opens the store for it."""
        return self.engine.state.flow.writer_of(name) is not None

    def moved_from(self) -> str:
        """A line for people when this notebook may have been renamed or moved; else empty."""
        orphans = [] if self.is_open else self.place.orphans()
        if not orphans:
            return ""
        listed = " or ".join(f"`%stepwell store {store}`" for store, _ in orphans[:3])
        gone = ", ".join(notebook.name for _, notebook in orphans[:3])
        return (
            f"stepwell: this notebook has no store yet, but beside it are stores of notebooks that "
            f"are gone ({gone}). If it was renamed, go on with what it had: {listed}"
        )

    # -- asking for work ----------------------------------------------------------------

    def define(self, steps: Sequence[Step]) -> None:
        """Make these steps part of the flow. Raises `FlowError`; then nothing is changed."""
        asking.define(self.engine, steps)
        self.agents.add_steps(self.engine, steps)

    def define_agent(self, text: str, *, max_depth: int) -> Agent[..., Any]:
        """Declare an agent; its name in the notebook means it from now on."""
        return self.agents.declare(
            self.engine, text, max_depth=max_depth, cell=self.frontend.cell_id()
        )

    def define_agent_step(self, step: Step) -> None:
        """Make it a step of its agent; what failed for want of it goes on.

        Raises `InvalidUsage` for an agent that nobody has declared, `FlowError`.
        """
        engine, agents = self.engine, self.agents
        agents.check_declared(engine, step.flow)
        is_new = self.state.flow_of(step).get(step.name) != step
        self.define([step])
        if is_new:
            steps, keys = agents.failed_callers(engine, step.flow)
            if steps:
                self.ask(steps, by="cell")
            agents.go_on_with(engine, keys, self.frontend.where())

    def start_agent(
        self,
        agent: Agent[..., Any],
        args: Sequence[object],
        kwargs: Mapping[str, object],
        *,
        fresh: bool = False,
    ) -> str:
        """Start a run of the agent, on behalf of this cell: its id."""
        where = self.frontend.where()
        key = self.agents.start(self.engine, agent, args, kwargs, where, fresh=fresh)
        return self.state.calls[key].subject

    async def call_agent(
        self, agent: Agent[..., Any], args: Sequence[object], kwargs: Mapping[str, object]
    ) -> Any:
        """The same, waiting for its result."""
        where = self.frontend.where()
        return await self.agents.call(
            self.engine, agent, args, kwargs, where=where, is_patient=lambda: self.is_patient
        )

    def ask(self, names: Collection[str], *, by: str, force: Collection[str] = ()) -> None:
        """Have these steps brought up to date in the background.

        Raises `UnknownStep`, and `UnknownName` for a name that nobody makes.
        """
        engine, flow = self.engine, self.state.flow
        if undoers := [name for name in names if name in flow and flow[name].undo_of]:
            self._undo_on(undoers, by=by)
            names = [name for name in names if name not in undoers]
            if not names:
                return
        self._cards.note(engine, asking.ask(engine, names, by=by, force=force))

    def _undo_on(self, names: Collection[str], *, by: str) -> None:
        """Go on with undoing. Raises `InvalidUsage` where there is nothing to be undone."""
        for name in names:
            undone = self.state.flow[name].undo_of
            if name not in self.state.undoing:
                raise InvalidUsage(
                    f"step {name!r} undoes {undone!r} and runs only then: "
                    f"%stepwell cancel {undone} --undo"
                )
        asking.undo_on(self.engine, names, by=by)

    def undo(self, names: Collection[str] = (), *, on_failure: bool = False) -> None:
        """Undo what these steps, or all, have done, the newest first; or if the run fails."""
        asking.undo(self.engine, names, on_failure=on_failure)

    def rerun(self, names: Collection[str]) -> None:
        """Run these steps although nothing has changed."""
        self.ask(names, by="rerun", force=names)

    def go_on_from(self, names: Collection[str]) -> None:
        """Run these steps for the sake of what they call: what is remembered stays so."""
        engine = self.engine
        found = asking.ask(engine, names, by="rerun", force=names, failed_only=True)
        self._cards.note(engine, found)

    def rerun_failed(self, names: Collection[str], readers: Collection[str] = ()) -> list[str]:
        """Try again what of these steps has failed, and nothing else; then `readers`, if need be.

        The answer names those of which something had failed.
        """
        self.check_names(names)
        if not (failed := [name for name in names if has_failed(self.state.step(name))]):
            return []
        engine, wanted = self.engine, [*failed, *readers]
        found = asking.ask(engine, wanted, by="rerun", force=failed, failed_only=True)
        self._cards.note(engine, found)
        return failed

    def cancel(self, names: Collection[str] = ()) -> None:
        """Start nothing more of these (or of all), stop what can be stopped, refuse the rest.

        Of an agent's run, or a step of one: that, and nothing besides.
        """
        cancel(self.engine, names)

    # What people do in the view, in the words they are answered with.

    def _run(self, name: str) -> str:
        names = [name] if name else self.names()
        self.ask(names, by="run", force=[it for it in names if self.state.flow[it].always])
        return "asked for; what is up to date does not run again"

    def _rerun(self, name: str) -> str:
        self.rerun([name])
        return f"{name} runs again"

    def _cancel(self, name: str) -> str:
        self.cancel([name] if name else [])
        return f"{name or 'the run'} is cancelled; what is done stays"

    def _pause(self, _: str) -> str:
        self.pause()
        return "paused; what runs comes to its end"

    def _go_on(self, _: str) -> str:
        self.go_on()
        return "it goes on"

    def pause(self) -> None:
        """Start nothing more until somebody resumes; what runs comes to its end."""
        asking.pause(self.engine)

    def go_on(self) -> None:
        """The run is no longer paused."""
        asking.go_on(self.engine)

    def stop(self) -> None:
        """What runs comes to its end, and the run stops there."""
        asking.stop(self.engine)

    def limit(self, name: str, *, concurrent: int = 0, rate: int = 0, per: float = 0.0) -> None:
        """So many attempts at most that share this limit; without numbers, any number."""
        asking.limit(self.engine, LimitSet(name, concurrent, rate, per))

    def limits(self) -> Mapping[str, LimitSet]:
        """The limits that are set, by name."""
        return dict(self.engine.orchestrator.limits.rules)

    def forget(self, name: str) -> None:
        """Take the step out of the flow; its history stays in the store."""
        if name not in self.state.flow and (found := agent_step(self.engine, name)) is not None:
            self.agents.forget(self.engine, *found)
        else:
            asking.forget(self.engine, name)

    def begin_fresh(self) -> None:
        """A new run with the same steps, none of which has run in it."""
        asking.begin_fresh(self.engine)

    def remember_setup(self, source: str) -> None:
        """A cell that is to run again wherever the flow is rebuilt."""
        asking.remember_setup(self.engine, source, cell=self.frontend.cell_id())

    def bring_back(self, name: str) -> None:
        """Put a restored step's outputs into the namespace."""
        self.engine.bring_back(name)

    # -- people ------------------------------------------------------------------------

    @property
    def desk(self) -> Desk:
        """Where decisions arrive. Any thread may use it."""
        return self.engine.desk

    def inbox(self) -> list[Question]:
        """Everything that waits for a person, in all runs of the store, the oldest first."""
        return self.desk.inbox()

    def decide(
        self,
        which: str,
        decision: str = "approve",
        value: object = ABSENT,
        reason: str = "",
        *,
        by: str = "",
        channel: str = "python",
        always: bool = False,
    ) -> ApprovalDecided:
        """Decide a question, by its id or the step's name. See `Desk.decide`."""
        return self.desk.decide(
            which,
            decision,
            value,
            reason,
            by=by,
            channel=channel,
            always=always,
            run=self.engine.run,
        )

    def send(self, run: str, topic: str, payload: object = None) -> None:
        """Send a message to a run of this store. Returns when it is on disk.

        Raises `UnknownRun`, `ValueNotStorable`.
        """
        self.desk.send(self.engine.resolve(run) if run else self.engine.run, topic, payload)

    # -- waiting ------------------------------------------------------------------------

    @property
    def is_patient(self) -> bool:
        """Whether a person can decide while a cell waits: in a form that is open elsewhere."""
        return self._is_patient or self.window.is_attended

    def wait_for_names(self, names: Sequence[str], timeout: float | None = None) -> None:
        """What an ordinary cell does before it reads these names. Raises as `wait` does."""
        flow = self.state.flow
        wanted = {name: writer.name for name in names if (writer := flow.writer_of(name))}
        Wait(self.engine, wanted, is_patient=self.is_patient).until(timeout)

    def wait(self, names: Collection[str] = (), *, timeout: float | None = None) -> None:
        """Wait for these steps, or for all that were asked for.

        Raises `NeedsPerson` where nobody could decide meanwhile, `StepFailed`,
        `StepCancelled`, `WaitTimedOut`; interrupting stops the waiting.
        """
        self.check_names(names)
        engine = self.engine
        wanted = list(names) or [
            name for name, step in self.state.steps.items() if is_open_question(engine, step)
        ]
        steps = {f"step {name}": name for name in wanted}
        Wait(engine, steps, is_patient=self.is_patient, for_all=not names).until(timeout)
        if not names:
            self.agents.wait(engine, timeout, lambda: self.is_patient)

    # -- looking ------------------------------------------------------------------------

    def expect_card(self, name: str, where: object) -> None:
        """This cell is the step's, before anything is asked for."""
        self._cards.expect(self.engine, name, where)

    def open_card(self, name: str, where: object) -> None:
        """Show the step's card in the cell, and what it said if it does not say it anew."""
        self._cards.open(self.engine, name, where)
        self.window.card_opened()

    def capture(self, name: str, alike: Alike | None = None) -> tuple[str, Captured]:
        """The environment a step would find now. See `Surroundings.capture`."""
        return self.engine.capture(name, alike=alike)

    def load_run(self, run: str) -> State:
        """A run as its events leave it, to look at."""
        return load(self.engine.store, run)

    def view(self, name: str) -> StepView:
        """The step as people are shown it: done when that is on disk, and not before."""
        return self._cards.view(self.engine, name)

    def agent_step_view(self, step: Step) -> StepView:
        """The card of a step that belongs to an agent."""
        return self._cards.agent_step_view(self.engine, step)

    def _tell(self, step: str) -> None:
        if self._engine is not None:
            self._cards.tell(self._engine, step)

    # -- hearing (on the orchestrator's thread) -----------------------------------------

    def _see(self, attempt: AttemptId, sign: Sign) -> None:
        if self._engine is not None:
            self.window.live.changed(self._cards.see(self._engine, attempt, sign))

    def _publish(self, happened: Sequence[Happened]) -> None:
        if self._engine is not None:
            self._engine.publish(happened)

    def _hear(self, happened: Sequence[Happened]) -> None:
        engine = self._engine
        if engine is None:
            return
        self._recording.hear(happened)
        engine.outputs.notify()
        self.agents.hear(engine, happened)
        concerned = self._cards.hear(engine, happened, is_watched=self.window.live.is_open)
        self.window.hear(happened, concerned)
