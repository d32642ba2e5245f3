"""What is known of an execution while it goes on; kept in the notebook, its file and here."""

from typing import Any

from nbformat import NotebookNode

from stepwell.headless._card import Card
from stepwell.headless._marks import Marks
from stepwell.headless._progress import Progress
from stepwell.headless._result import FailedCell
from stepwell.headless._writing import NotebookFile

__all__ = ["Record"]


class Record:
    """Hears from the client: through nbclient's hooks, and as its `Watcher`."""

    def __init__(self, notebook: NotebookNode, file: NotebookFile, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self.marks = Marks(notebook, file.changed)
        self.steps: dict[str, Card] = {}
        self.executing: int | None = None
        """Index of the cell that the kernel is busy with."""
        self.failed_cell: FailedCell | None = None

    def cell_starts(self, cell: NotebookNode, cell_index: int) -> None:
        """Note that a cell is about to be sent."""
        self.executing = cell_index
        self.marks.started(cell_index)
        self._progress.cell(cell_index + 1)

    def cell_sent(self, cell: NotebookNode, cell_index: int) -> None:
        """Write the file, now that the kernel works.

        It costs the cell nothing, and the file shows all cells before as they ended and
        this one as running.
        """
        self._file.write()

    def cell_ended(
        self, cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any] | None
    ) -> None:
        """Note how the kernel answered for a cell."""
        content: dict[str, Any] = execute_reply["content"] if execute_reply else {}
        failed = content.get("status") == "error"
        expected = "raises-exception" in cell.metadata.get("tags", [])
        self.executing = None
        self.marks.ended(cell_index, failed=failed and not expected)
        if failed:
            self.failed_cell = FailedCell(
                index=cell_index,
                source=cell.source,
                error=f"{content.get('ename', 'Error')}: {content.get('evalue', '')}",
                traceback="\n".join(content.get("traceback") or []),
            )

    def card_shown(self, cell_index: int, card: Card) -> None:
        """Keep what the card says; tell it if the step has come into another phase."""
        before = self.steps.get(card.step)
        self.steps[card.step] = card
        self.marks.step(cell_index, card)
        if before is None or _standing(before) != _standing(card):
            self._progress.step(card)

    def has_unfinished_steps(self) -> bool:
        """Whether a step is running or waiting to run."""
        return any(card.phase in {"running", "waiting"} for card in self.steps.values())

    def has_running_steps(self) -> bool:
        """Whether a step is running that does not wait for a person."""
        return any(
            card.phase == "running" and not card.needs_person for card in self.steps.values()
        )

    def heard(self, cell_index: int) -> None:
        """Have the file written soon."""
        self._file.changed(cell_index)
        self._file.write_if_due()

    def quiet(self) -> None:
        """Write what was put off."""
        self._file.write_if_due()


def _standing(card: Card) -> tuple[str, int, bool]:
    return card.phase, card.attempt, card.restored
