"""What is to happen at a certain time: an index over the state, made again from its events.

An entry may have been overtaken by the time it is due. Whoever takes it out looks whether
it still holds; nothing is ever removed from the middle.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal, NamedTuple

__all__ = ["Timer", "TimerKind", "Timers"]

TimerKind = Literal["retry", "timeout", "total", "stall", "call", "approval", "budget"]


class Timer(NamedTuple):
    """Something that is due. Ordered by time."""

    due: int
    """Microseconds UTC."""
    kind: TimerKind
    step: str
    item: str = ""
    attempt: int = 0
    subject: str = ""
    """The call's key or the approval's id."""


@dataclass(slots=True)
class Timers:
    """Entries by time, the next one first."""

    _heap: list[Timer] = field(default_factory=list[Timer])

    def set(self, timer: Timer) -> None:
        """Add an entry."""
        heappush(self._heap, timer)

    def take_due(self, now: int) -> list[Timer]:
        """Take out everything that is due."""
        found: list[Timer] = []
        while self._heap and self._heap[0].due <= now:
            found.append(heappop(self._heap))
        return found

    @property
    def next_due(self) -> int:
        """When the next entry is due; 0 when there is none."""
        return self._heap[0].due if self._heap else 0

    def __len__(self) -> int:
        return len(self._heap)
