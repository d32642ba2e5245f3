"""What people are shown of the steps: each one's card, and a note of what they must know."""

import dataclasses
import time
from collections.abc import Sequence
from contextlib import suppress

from stepwell.asking import Environments
from stepwell.engine import Engine
from stepwell.errors import UnknownStep
from stepwell.flow import Step
from stepwell.frontend import Frontend
from stepwell.orchestrator import Happened, Phase, StepView, step_view
from stepwell.widgets import Board
from stepwell.workers.namespace import Captured

__all__ = ["Cards"]


class Cards:
    """The cards of one notebook's steps, in the cells they were opened in.

    `note` is the main thread's, `hear` the orchestrator's; `view` may be called on both.
    """

    def __init__(self, frontend: Frontend) -> None:
        self.board = Board(frontend, lambda: time.time_ns() // 1000)
        self._notes: dict[str, str] = {}

    def note(self, engine: Engine, environments: Environments) -> None:
        """Remember what the environments of these steps leave in doubt."""
        for name, (_, captured) in environments.items():
            self._notes[name] = _note(engine, name, captured)

    def hear(self, engine: Engine, happened: Sequence[Happened]) -> None:
        """Bring the cards of these steps up to date."""
        places = engine.surroundings.places
        for name in {what.step for what in happened if what.step in places}:
            with suppress(UnknownStep):
                self.board.update(self.view(engine, name))

    def view(self, engine: Engine, name: str) -> StepView:
        """The step as people are shown it: done when that is on disk, and not before."""
        view = step_view(engine.state, name, note=self._notes.get(name, ""))
        if view.phase is Phase.COMPLETED and not engine.is_durable(name):
            return dataclasses.replace(view, phase=Phase.RUNNING, restored=False, outputs={})
        return view

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


def _note(engine: Engine, name: str, captured: Captured) -> str:
    lines: list[str] = []
    if captured.opaque:
        listed = ", ".join(f"{key} ({kind})" for key, kind in sorted(captured.opaque.items()))
        lines.append(f"cannot tell whether these have changed: {listed}")
    flow = engine.state.flow
    lines += [
        f"{read!r} has been changed here; {name!r} reads what was stored"
        for read in flow[name].reads
        if flow.writer_of(read) is not None and engine.outputs.is_rebound(read)
    ]
    return "; ".join(lines)
