"""How an execution ended, and what it comes to."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from stepwell.headless._card import Card

__all__ = ["Ending", "FailedCell", "Result"]


class Ending(Enum):
    """Why there is nothing more to execute."""

    COMPLETED = "completed"
    CELL_FAILED = "a cell failed"
    STEP_FAILED = "a step failed"
    KERNEL_DIED = "the kernel died"
    INTERRUPTED = "interrupted"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCell:
    """The cell that ended the execution, or that was being executed when it ended."""

    index: int
    """Position in the executed notebook, from 0."""
    source: str
    error: str = ""
    """`Type: message`."""
    traceback: str = ""
    """As the kernel coloured it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of executing a notebook."""

    ending: Ending
    output: Path
    """The executed notebook."""
    store: Path
    seconds: float
    cells: int
    """Code cells that ran to their end."""
    steps: tuple[Card, ...] = ()
    """The last that was heard of each step, in the order they were first heard of."""
    message: str = ""
    """What ended it and what to do now; empty when it completed."""
    failed_cell: FailedCell | None = None

    @property
    def exit_code(self) -> int:
        """0 when everything is done, otherwise 1."""
        return 0 if self.ending is Ending.COMPLETED else 1

    @property
    def run(self) -> tuple[Card, ...]:
        """Steps that were executed to their end."""
        return tuple(card for card in self.steps if card.phase == "done" and not card.restored)

    @property
    def restored(self) -> tuple[Card, ...]:
        """Steps answered from the store."""
        return tuple(card for card in self.steps if card.phase == "done" and card.restored)

    @property
    def failed(self) -> tuple[Card, ...]:
        """Steps that failed."""
        return tuple(card for card in self.steps if card.phase == "failed")

    @property
    def unfinished(self) -> tuple[Card, ...]:
        """Steps that were running or waiting at the end."""
        return tuple(card for card in self.steps if card.phase in {"running", "waiting"})

    @property
    def seconds_saved(self) -> float:
        """Time that the restored steps had taken when they ran."""
        return sum(card.seconds or 0 for card in self.restored)
