"""Callers who wait for an answer, so that none is left waiting when there cannot be one."""

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

__all__ = ["Answers", "deny", "give"]


class Answers:
    """Answers that are due. Used on the orchestrator's thread; `give` on the store's."""

    def __init__(self) -> None:
        self._due: list[Future[Any]] = []

    def expect(self, answer: "Future[Any]") -> None:
        """Somebody waits for this one."""
        self._due = [other for other in self._due if not other.done()]
        self._due.append(answer)

    def refuse(self, error: BaseException) -> None:
        """Nobody waits any longer: there is only this to say."""
        due, self._due = self._due, []
        for answer in due:
            deny(answer, error)


def give(answer: "Future[Any]", result: Any) -> None:
    """The answer, unless it was refused meanwhile."""
    with suppress(InvalidStateError):
        answer.set_result(result)


def deny(answer: "Future[Any]", error: BaseException) -> None:
    """An error for an answer, unless it has been given meanwhile."""
    with suppress(InvalidStateError):
        answer.set_exception(error)
