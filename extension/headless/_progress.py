"""What is told while a notebook is executed.

Names and messages come from the kernel. They are printed as text, never as terminal
commands or markup.
"""

import re
from typing import Protocol, TextIO

from stepwell.headless._card import Card, Trouble

__all__ = ["Lines", "Progress", "Silence", "in_seconds", "plain", "without_ansi", "words"]

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Progress(Protocol):
    """Who is told how an execution goes on. Called on the execution's own thread."""

    def begin(self, cells: int) -> None:
        """The kernel is about to be started for a notebook of so many cells."""
        ...

    def cell(self, number: int) -> None:
        """A cell has been sent to the kernel; numbers count from 1."""
        ...

    def step(self, card: Card) -> None:
        """A step has come into another phase."""
        ...

    def waiting(self) -> None:
        """All cells have been executed; now the steps are waited for."""
        ...

    def warn(self, message: str) -> None:
        """Something that does not stop the execution, and that people must know."""
        ...

    def end(self) -> None:
        """Nothing more will be told."""
        ...


class Silence:
    """Tells nobody."""

    def begin(self, cells: int) -> None:
        """Keep silent."""

    def cell(self, number: int) -> None:
        """Keep silent."""

    def step(self, card: Card) -> None:
        """Keep silent."""

    def waiting(self) -> None:
        """Keep silent."""

    def warn(self, message: str) -> None:
        """Keep silent."""

    def end(self) -> None:
        """Keep silent."""


class Lines(Silence):
    """One line per change of a step, for logs."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def step(self, card: Card) -> None:
        """Print the step's new phase."""
        self._print("  ".join(words(card)))

    def warn(self, message: str) -> None:
        """Print the warning."""
        self._print(f"warning: {plain(message)}")

    def _print(self, line: str) -> None:
        print(line, file=self._file, flush=True)


def words(card: Card) -> list[str]:
    """The parts of the line about a step: its name, what it does, and what is to know."""
    name = plain(card.step)
    match card.phase:
        case "done" if card.restored:
            return [name, "restored", f"saved {in_seconds(card.seconds or 0)}"]
        case "done":
            items = [str(card.items)] if card.items is not None else []
            return [name, "done", in_seconds(card.seconds or 0), *items]
        case "failed":
            return [name, "failed", plain(str(card.error or Trouble()))]
        case "waiting" if card.waiting_for:
            return [name, "waiting", plain("for " + ", ".join(card.waiting_for))]
        case "running":
            attempt = [f"attempt {card.attempt}"] if card.attempt > 1 else []
            return [name, "running", *attempt, *(plain(reason) for reason in card.stale[:1])]
        case _:
            return [name, plain(card.phase)]


def plain(text: str, at_most: int = 300) -> str:
    """The text on one line, without anything a terminal would obey."""
    line = " ".join(_CONTROL.sub("", _ANSI.sub("", text.replace("\n", " "))).split())
    return line if len(line) <= at_most else line[: at_most - 1] + "…"


def without_ansi(text: str) -> str:
    """The text in its lines, without anything a terminal would obey."""
    return _CONTROL.sub("", _ANSI.sub("", text))


def in_seconds(seconds: float) -> str:
    """A duration as people write it."""
    if seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    return f"{seconds:.1f} s" if seconds >= 0.05 else f"{seconds * 1000:.0f} ms"
