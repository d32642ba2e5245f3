"""What was said by whom, in order."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Conversation", "Turn"]


@dataclass(frozen=True)
class Turn:
    """Something that somebody said."""

    speaker: str
    said: Any


@dataclass(frozen=True)
class Conversation:
    """Turns, the question first. Prints as a transcript."""

    turns: tuple[Turn, ...]

    @property
    def result(self) -> Any:
        """What was said last."""
        return self.turns[-1].said

    @property
    def speakers(self) -> list[str]:
        """Who has spoken, turn by turn, without the question."""
        return [turn.speaker for turn in self.turns[1:]]

    def __str__(self) -> str:
        return "\n".join(f"{turn.speaker}: {turn.said}" for turn in self.turns)
