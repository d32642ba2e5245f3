"""A call's turn under a limit that it shares with others: taken for each try, then handed back."""

from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from stepwell.inside._current import Inside

__all__ = ["Taken", "Turn", "take_turn"]


@dataclass(frozen=True, slots=True)
class Turn:
    """Until it is the call's turn under this limit."""

    permit: "Future[None]"
    limit: str


@dataclass(frozen=True, slots=True)
class Taken:
    """It is the call's turn until it is handed back. Once too often does no harm."""

    inside: Inside
    permit: "Future[None] | None" = None

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.hand_back()

    def hand_back(self) -> None:
        """Others may have their turn."""
        if self.permit is not None:
            self.inside.link.hand_back(self.inside.attempt.id, self.permit)


def take_turn(inside: Inside, key: str, limit: str) -> Generator[Turn, Any, Taken]:
    """Wait for the turn of the call of that key. Raises `AttemptGivenUp`."""
    permit = inside.expected(inside.link.permit(inside.attempt.id, key, limit))
    taken = Taken(inside, permit)
    try:
        yield Turn(permit, limit)
    except BaseException:
        taken.hand_back()
        raise
    return taken
