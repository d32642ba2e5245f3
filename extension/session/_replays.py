"""What a step printed and displayed, shown again in a cell that did not hear it.

A cell that is run again has lost its outputs. If its step runs too, they are made anew; if
the step is answered by a stored result, what it said then is shown again. That may be
decided long after the cell has returned, and has its place below the card: so it is shown
when the card stands and the answer is known, whichever comes last.

`expect` is the main thread's, the rest the orchestrator's; reading and sending happen on a
thread of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from stepwell.errors import StepwellError
from stepwell.frontend import Frontend
from stepwell.orchestrator import AttemptStarted, Happened, StepReused, StepState, Unit
from stepwell.session._engine import Engine
from stepwell.store import Digest
from stepwell.widgets import replay
from stepwell.workers import ThreadPool

__all__ = ["Replays"]

MOST_LOGS = 100
"""Of a mapped step so many items are heard again."""


@dataclass(slots=True)
class _Cell:
    """A cell in which nothing of what its step says has been heard."""

    where: object
    has_card: bool = False
    is_answered: bool = False


class Replays:
    """Shows each cell once what its step said, unless the step says it there itself."""

    def __init__(self, frontend: Frontend) -> None:
        self._frontend = frontend
        self._cells: dict[str, _Cell] = {}
        self._sending = ThreadPool(1, "stepwell-replay")

    def expect(self, step: str, where: object) -> None:
        """The step's cell is being run; nothing has been asked for yet."""
        self._cells[step] = _Cell(where)

    def card_stands(self, engine: Engine, step: str) -> None:
        """The step's card is in its cell."""
        if (cell := self._cells.get(step)) is not None:
            cell.has_card = True
            self._show(engine, step, cell)

    def hear(self, engine: Engine, happened: Sequence[Happened]) -> None:
        """Who runs speaks for itself; who is answered from the store does not."""
        for what in happened:
            cell = self._cells.get(what.step)
            if cell is None:
                continue
            match what.event:
                case AttemptStarted() if not what.item:
                    del self._cells[what.step]
                case StepReused():
                    cell.is_answered = True
                    self._show(engine, what.step, cell)
                case _:
                    pass

    def close(self) -> None:
        """Show nothing more."""
        self._sending.close()

    def _show(self, engine: Engine, step: str, cell: _Cell) -> None:
        if not (cell.has_card and cell.is_answered):
            return
        del self._cells[step]
        if logs := _logs(engine.state.steps[step]):
            self._sending.submit(partial(self._send, engine, logs, cell.where))

    def _send(self, engine: Engine, logs: Sequence[str], where: object) -> None:
        entries: list[dict[str, object]] = []
        for log in logs[:MOST_LOGS]:
            entries += _read(engine, log)
        if (more := len(logs) - MOST_LOGS) > 0:
            entries.append(_line(f"… and what {more:,} more items said"))
        self._frontend.relay(where, replay(entries))


def _logs(step: StepState) -> list[str]:
    """What it said; of a mapped step what its items did, in order."""
    units: list[Unit | None] = [step]
    if step.items is not None:
        units += [step.items.by_key.get(key) for key in step.items.order]
    checkpoints = [unit.checkpoint for unit in units if unit is not None]
    return [found.log for found in checkpoints if found is not None and found.log]


def _read(engine: Engine, log: str) -> list[dict[str, object]]:
    try:
        return cast("list[dict[str, object]]", engine.values.load(Digest(log)))
    except StepwellError as problem:
        return [_line(str(problem))]


def _line(text: str) -> dict[str, object]:
    return {"output_type": "stream", "name": "stderr", "text": f"{text}\n"}
