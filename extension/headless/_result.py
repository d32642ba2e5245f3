"""How an execution ended, and what it comes to."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from stepwell.headless._card import Card

__all__ = ["Ending", "FailedCell", "Result", "advice"]


class Ending(Enum):
    """Why there is nothing more to execute."""

    COMPLETED = "completed"
    CELL_FAILED = "a cell failed"
    STEP_FAILED = "a step failed"
    NEEDS_PERSON = "a person is needed"
    KERNEL_DIED = "the kernel died"
    INTERRUPTED = "interrupted"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCell:
    """The cell that ended the execution."""

    index: int
    """Position in the executed notebook, from 0."""
    source: str
    error: str = ""
    """`Type: message`."""
    traceback: str = ""
    """As the kernel coloured it."""

    @property
    def name(self) -> str:
        """Its number, counted from 1, and how it begins."""
        first = next((line.strip() for line in self.source.splitlines() if line.strip()), "")
        return f"cell {self.index + 1} ({first:.40})"


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
    kernel_said: str = ""
    """Where the kernel died or did not start: the last lines its process wrote by itself."""

    @property
    def exit_code(self) -> int:
        """0 when everything is done, 3 when a person has to decide first, otherwise 1."""
        if self.ending is Ending.NEEDS_PERSON:
            return 3
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


def advice(
    ending: Ending,
    trouble: str,
    *,
    failed: FailedCell | None,
    executing: int | None,
    steps: Iterable[Card],
    can_resume: bool,
    store: Path,
) -> str:
    """What ended the execution and what to do now, in a line; empty when it completed."""
    again = "; run the same command with --resume to continue" if can_resume else ""
    match ending:
        case Ending.COMPLETED:
            said = ""
        case Ending.CELL_FAILED:
            said = f"{failed.name if failed else 'a cell'} failed: {trouble}"
        case Ending.STEP_FAILED:
            said = trouble.removeprefix("StepFailed: ")
        case Ending.NEEDS_PERSON:
            what, _, _ = trouble.removeprefix("NeedsPerson: ").partition(" Answer with ")
            said = f"{what} `stepwell inbox {store}` lists what is open; answer with `stepwell "
            said += f"approve {store} STEP`, `reject` or `respond`{again}"
        case Ending.KERNEL_DIED if trouble:
            said = f"the kernel did not start: {trouble}"
        case Ending.KERNEL_DIED | Ending.INTERRUPTED | Ending.TIMED_OUT:
            said = f"{ending.value}{_where(executing, steps)}{again}"
    return said


def _where(executing: int | None, steps: Iterable[Card]) -> str:
    if executing is not None:
        return f" in cell {executing + 1}"
    running = [card.step for card in steps if card.phase == "running"]
    return f" while {', '.join(running)} ran" if running else ""
