"""The transaction on the store's tables that a step's code has begun, if it has."""

import threading
from collections.abc import Callable

from stepwell.errors import InvalidUsage
from stepwell.store import Tables

__all__ = ["Transaction"]


# Held for moments, and one for all: very few attempts have a transaction.
_lock = threading.Lock()


class Transaction:
    """Begun when it is first asked for; ended by the worker. Any thread may call."""

    __slots__ = ("_begin", "_is_over", "_tables")

    def __init__(self, begin: Callable[[], Tables] | None = None) -> None:
        self._begin = begin
        self._tables: Tables | None = None
        self._is_over = False

    def tables(self) -> Tables:
        """The tables. Raises `InvalidUsage` where there are none."""
        with _lock:
            if self._begin is None:
                raise InvalidUsage(
                    "stepwell.current().db is there for steps that run in the kernel"
                )
            if self._tables is None and not self._is_over:
                self._tables = self._begin()
            if self._tables is None:
                raise InvalidUsage("the attempt is over; nothing more can be written")
            return self._tables

    def seal(self) -> Tables | None:
        """The code has come to its end: what it has written, to be committed with the result."""
        with _lock:
            self._is_over = True
            tables = self._tables
        if tables is not None:
            tables.seal()
        return tables

    def undo(self) -> None:
        """The attempt has failed, or nobody wants its result."""
        with _lock:
            self._is_over = True
            tables = self._tables
        if tables is not None:
            tables.rollback()
