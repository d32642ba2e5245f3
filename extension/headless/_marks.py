"""What each cell of an executed notebook says about itself: `metadata.stepwell`.

A cell is `completed`, `failed`, `running`, `cancelled`, `skipped` (tagged so, or
empty) or `not run`. A cell whose step works in the background is what its step is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from nbformat import NotebookNode

from stepwell.headless._card import Card

__all__ = ["Marks"]

_STATUS_OF_PHASE = {
    "done": "completed",
    "failed": "failed",
    "running": "running",
    "cancelled": "cancelled",
    "waiting": "not run",
    "not run": "not run",
}
# A cell with several steps is as good as the worst of them.
_WORST_FIRST = ("failed", "running", "cancelled", "not run", "completed")


@dataclass(slots=True)
class _Mark:
    index: int
    cell: NotebookNode
    status: str = "not run"
    started: str | None = None
    finished: str | None = None
    reason: str = ""
    steps: dict[str, str] = field(default_factory=dict[str, str])


class Marks:
    """Keeps the marks of one notebook true while it is executed."""

    def __init__(
        self,
        notebook: NotebookNode,
        changed: Callable[[int], None],
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._changed = changed
        self._now = now or (lambda: datetime.now(UTC))
        self._marks = {
            index: _Mark(index, cell)
            for index, cell in enumerate(notebook.cells)
            if cell.cell_type == "code"
        }
        self._cell_of_step: dict[str, int] = {}

    def clear(self, skip_tag: str) -> None:
        """Before the first cell: nothing has run; outputs of an earlier execution are gone."""
        for mark in self._marks.values():
            cell = mark.cell
            if skip_tag in cell.metadata.get("tags", []) or not cell.source.strip():
                # These are never executed; what they show is what their author left there.
                mark.status = "skipped"
            else:
                cell.outputs = []
                cell.execution_count = None
            self._write(mark)

    def started(self, index: int) -> None:
        """The cell has been sent to the kernel."""
        mark = self._marks[index]
        mark.status, mark.started = "running", self._time()
        self._write(mark)

    def ended(self, index: int, *, failed: bool) -> None:
        """The kernel has answered for the cell."""
        mark = self._marks[index]
        mark.status, mark.finished = "failed" if failed else "completed", self._time()
        self._write(mark)

    def step(self, index: int, card: Card) -> None:
        """A card was shown in a cell. The first cell to show a step's card is the step's own."""
        if self._cell_of_step.setdefault(card.step, index) != index or index not in self._marks:
            return
        mark = self._marks[index]
        mark.steps[card.step] = _STATUS_OF_PHASE.get(card.phase, "not run")
        if card.is_settled:
            mark.finished = self._time()
        self._write(mark)

    def stopped(self, reason: str) -> tuple[int, ...]:
        """The run ends before its time: what was running stays marked so, with the reason.

        Answers the indexes of those cells.
        """
        caught = [i for i, mark in self._marks.items() if _status(mark) == "running"]
        for index in caught:
            self._marks[index].reason = reason
            self._write(self._marks[index])
        return tuple(caught)

    def count(self, status: str) -> int:
        """How many cells have that status."""
        return sum(_status(mark) == status for mark in self._marks.values())

    def _time(self) -> str:
        return self._now().isoformat(timespec="milliseconds")

    def _write(self, mark: _Mark) -> None:
        status = _status(mark)
        said: dict[str, str | None] = {
            "status": status,
            "started": mark.started,
            "finished": None if status in {"running", "not run"} else mark.finished,
        }
        if mark.reason and status == "running":
            said["reason"] = mark.reason
        mark.cell.metadata["stepwell"] = said
        self._changed(mark.index)


def _status(mark: _Mark) -> str:
    if mark.status != "completed" or not mark.steps:
        return mark.status
    return min(mark.steps.values(), key=_WORST_FIRST.index)
