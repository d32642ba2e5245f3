"""What people are shown of the steps: each one's card, what it said, what they must know."""

import dataclasses
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from stepwell.errors import StoreClosed, UnknownStep
from stepwell.flow import Flow, Step
from stepwell.frontend import Frontend
from stepwell.orchestrator import (
    AttemptCompleted,
    AttemptFailed,
    AttemptId,
    AttemptInterrupted,
    Happened,
    Phase,
    ProgressView,
    RunCancelled,
    RunContinued,
    RunHeld,
    RunPaused,
    RunReleased,
    Sign,
    State,
    StepForgotten,
    StepReused,
    StepsDefined,
    StepsRequested,
    StepView,
    approval_view,
    items_view,
    step_view,
)
from stepwell.session._asking import Environments
from stepwell.session._engine import Engine
from stepwell.session._people import question_before
from stepwell.session._replays import Replays
from stepwell.session._staleness import Staleness
from stepwell.session._streams import Streams
from stepwell.widgets import Board
from stepwell.workers.namespace import Captured

__all__ = ["Cards"]

WHOLE_SECONDS = 1.0
"""So long a running step's card may tell of its items' number alone."""


class Cards:
    """The cards of one notebook's steps, in the cells they were opened in.

    `expect`, `open` and `note` are the main thread's, `hear` is the orchestrator's; `view`
    may be called on both.
    """

    def __init__(self, frontend: Frontend) -> None:
        self.board = Board(frontend, lambda: time.time_ns() // 1000)
        self._replays = Replays(frontend)
        self._staleness = Staleness()
        self._notes: dict[str, str] = {}
        # What the latest attempt that said anything has said of its progress.
        self._progress: dict[str, tuple[int, ProgressView]] = {}
        self._streams = Streams()
        self._views: dict[str, tuple[float, StepView]] = {}

    def expect(self, engine: Engine, name: str, where: object) -> None:
        """This cell is the step's, before anything is asked for: what it says belongs there."""
        engine.surroundings.places[name] = where
        # A quick step has its say before its card stands, and would be shown above it.
        engine.surroundings.relay.hold(where)
        self._replays.expect(name, where)

    def open(self, engine: Engine, name: str, where: object) -> None:
        """Show the step's card in the cell, and what it said if it does not say it anew."""

        def show() -> None:
            # Where changes are heard, so that none falls between the two.
            # Of what is found out here nobody hears again: cards below must be told now.
            self._update(engine, self._staleness.look(engine.state, [name]))
            self.board.open(self.view(engine, name), where)
            self._replays.card_stands(engine, name)

        # What was asked for has been accepted: a disk that has filled up since is for the
        # card to tell, not an error of the cell's.
        try:
            engine.orchestrator.look(show)
        finally:
            engine.surroundings.relay.release(where)

    def close(self) -> None:
        """Show everything new, then nothing any more."""
        self.board.close()
        self._replays.close()

    def note(self, engine: Engine, environments: Environments) -> None:
        """Remember what the environments of these steps leave in doubt."""
        flow = engine.state.flow
        for name, (_, captured) in environments.items():
            self._notes[name] = _note(engine, flow, name, captured)

    def hear(self, engine: Engine, happened: Sequence[Happened], *, is_watched: bool) -> set[str]:
        """Bring the cards of all steps up to date of which something else is to be said.

        The answer names them; without cards or somebody who watches it is not found out.
        """
        places, state = engine.surroundings.places, engine.state
        if not (places or is_watched):
            return set()
        mine = [what for what in happened if what.run == engine.run]
        concerned = {name for what in mine for name in _concerned(state, what)}
        concerned |= self._staleness.look(state, concerned)
        if engine.orchestrator.trouble is not None:
            concerned |= {name for name in places if not engine.is_durable(name)}
        by_items = {what.step for what in mine if what.item}
        by_items.difference_update(what.step for what in mine if not what.item)
        self._update(engine, concerned, by_items)
        self._replays.hear(engine, mine)
        return concerned

    def see(self, engine: Engine, attempt: AttemptId, sign: Sign) -> set[str]:
        """A running attempt shows something. The answer names the step of which something
        else is to be said: what a child run shows is said of the step that called it.
        """
        is_own = attempt.run == engine.run
        name = attempt.step if is_own else engine.caller(attempt)
        if name not in engine.state.flow:
            return set()
        if sign.kind == "piece":
            self._streams.see(name, attempt, sign, below="" if is_own else attempt.step)
        elif is_own and not attempt.item:  # of a mapped step its elements are counted
            said = ProgressView(done=sign.done, total=sign.total, text=sign.text)
            self._progress[name] = attempt.attempt, said
        else:
            return set()
        self._update(engine, {name}, {name})
        return {name}

    def tell(self, engine: Engine, step: str) -> None:
        """Something else is to be said of this step. Any thread but the orchestrator's."""
        with suppress(StoreClosed):
            engine.orchestrator.look(lambda: self._update(engine, {step}))

    def _update(self, engine: Engine, names: set[str], by_items: Collection[str] = ()) -> None:
        for name in names.intersection(engine.surroundings.places):
            with suppress(UnknownStep):
                counted = self._counted(engine, name) if name in by_items else None
                self.board.update(counted or self._whole(engine, name))

    def _whole(self, engine: Engine, name: str) -> StepView:
        view = self.view(engine, name)
        self._views[name] = (time.monotonic(), view)
        return view

    def _counted(self, engine: Engine, name: str) -> StepView | None:
        """A running step as it was shown last, its items counted anew, and what it shows.

        There may be ten thousand of them, each with calls: adding them all up whenever one is
        done would take longer than their work.
        """
        step, (looked, view) = engine.state.steps.get(name), self._views.get(name, (0.0, None))
        if step is None or step.running is None or view is None:
            return None
        is_same = (view.run, view.attempt) == (engine.run, step.attempts)
        if not is_same or view.phase is not Phase.RUNNING:
            return None
        if time.monotonic() - looked > WHOLE_SECONDS:
            return None
        return self._with_signs(engine, dataclasses.replace(view, items=items_view(step)))

    def view(self, engine: Engine, name: str) -> StepView:
        """The step as people are shown it: done when that is on disk, and not before."""
        view = step_view(engine.state, name, note=self._note(engine, name))
        view = self._with_signs(engine, _with_question_below(engine, view))
        if engine.is_durable(name):
            return self._with_reasons(view)
        if trouble := engine.orchestrator.trouble:
            view = dataclasses.replace(view, note=str(trouble))
        if view.phase is Phase.COMPLETED:
            return dataclasses.replace(view, phase=Phase.RUNNING, restored=False, outputs={})
        return view

    def _with_signs(self, engine: Engine, view: StepView) -> StepView:
        """With what its attempts show while they run."""
        name = view.name
        if view.phase is not Phase.RUNNING:
            self._streams.forget(name)
            return view
        attempt, said = self._progress.get(name, (0, None))
        streams, more = self._streams.of(name, engine.is_running)
        if view.approval is not None and view.approval.status == "pending":
            # A card that asks stands still: somebody may be writing in the form over it.
            streams, more = (), 0
        return dataclasses.replace(
            view,
            progress=said if attempt == view.attempt else None,
            streams=streams,
            more_streams=more,
        )

    def _note(self, engine: Engine, name: str) -> str:
        step = engine.state.steps.get(name)
        made = step.checkpoint.outputs if step is not None and step.checkpoint is not None else ()
        notes = [self._notes.get(name, ""), *engine.outputs.problems(made)]
        return "; ".join(note for note in notes if note)

    def _with_reasons(self, view: StepView) -> StepView:
        if view.phase is not Phase.COMPLETED or not (why := self._staleness.why(view.name)):
            return view
        return dataclasses.replace(view, stale=why, diff=self._staleness.diff(view.name))

    def agent_step_view(self, engine: Engine, step: Step) -> StepView:
        """The card of a step that belongs to an agent."""
        note = f"step of agent {step.flow!r}; it runs when the agent is called"
        reads = tuple((name, "") for name in step.reads)
        return StepView(
            name=step.name,
            run=engine.run,
            phase=Phase.DEFERRED,
            reads=reads,
            writes=step.writes,
            note=note,
            source=step.source,
        )


_OF_ALL = (RunCancelled, RunContinued, RunHeld, RunPaused, RunReleased, StepForgotten)


def _with_question_below(engine: Engine, view: StepView) -> StepView:
    """With what a run that the step has called asks, at whatever depth: so the step waits, too."""
    state = engine.state
    is_alone = view.phase is not Phase.RUNNING or view.name not in state.children
    if is_alone or view.approval is not None:
        return view
    asked = question_before(engine.orchestrator, state, view.name)
    if asked is None:
        return view
    return dataclasses.replace(view, approval=approval_view(asked), questions=1)


def _note(engine: Engine, flow: Flow, name: str, captured: Captured) -> str:
    lines: list[str] = []
    if captured.opaque:
        listed = ", ".join(f"{key} ({kind})" for key, kind in sorted(captured.opaque.items()))
        lines.append(f"cannot tell whether these have changed: {listed}")
    lines += [
        f"{read!r} has been changed here; {name!r} reads what was stored"
        for read in flow[name].reads
        if flow.writer_of(read) is not None and engine.outputs.is_rebound(read)
    ]
    return "; ".join(lines)


def _concerned(state: State, what: Happened) -> Iterable[str]:
    """The steps of which something else may be to be said after this."""
    # What happens to an item concerns its step alone.
    match None if what.item else what.event:
        case StepsDefined(steps=steps):
            names = [step.name for step in steps if step.name in state.flow]
            return [*names, *(it for name in names for it in state.flow.downstream(name))]
        case StepsRequested(environments=environments):
            return environments
        case AttemptCompleted() | StepReused() if what.step in state.flow:
            return [what.step, *state.flow.downstream(what.step)]
        case AttemptFailed() | AttemptInterrupted():
            return [what.step, *(name for name, step in state.steps.items() if step.owed)]
        case event if isinstance(event, _OF_ALL):
            return list(state.steps)
        case _:
            return [what.step]
