"""What happens to open stores in a forked child: they are dead there, and touch nothing.

A child that closed an inherited DuckDB connection, or merely ended while holding one,
could unlink its parent's write-ahead log; records acknowledged afterwards would be lost.
"""

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["watch_forks"]


class Inherited(Protocol):
    """Something that must not be used after a fork."""

    def abandon(self) -> None:
        """Called in the child: mark as dead, leak what would be closed. Takes no lock."""
        ...


_inherited: "WeakSet[Inherited]" = WeakSet()


def watch_forks(thing: Inherited) -> None:
    """Have it abandoned in every child this process forks."""
    _inherited.add(thing)


def _abandon_all() -> None:
    for thing in list(_inherited):
        thing.abandon()
    _inherited.clear()


os.register_at_fork(after_in_child=_abandon_all)
