"""How often a value repeats what it holds.

A list may hold one list many times over, and that one another: written out, each occurrence
in full, such a value of a hundred bytes takes more than any disk. Pickle writes each once.
"""

from stepwell.store.values._encoded import Unsuited

__all__ = ["SMALL", "Repeats"]

SMALL = 64
"""Of a part with no more items in it nobody needs to remember how many they are."""

MOST_REPEATED = 1_000_000
"""Items that a text may repeat, some megabytes of it. Sharing is lost there, and no harm done."""


class Repeats:
    """Counts the items that would be written again, though they have been written."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    def add(self, items: int) -> None:
        """A part of so many items is met again. Raises `Unsuited` where that is too much."""
        self._count += items
        if self._count > MOST_REPEATED:
            raise Unsuited
