"""A gate that many may pass at once, and that one may close to be alone for a moment."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["Gate"]


class Gate:
    """Any thread may pass; whoever closes it must not be one of those inside."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_closed = False

    @contextmanager
    def passing(self) -> Generator[None]:
        """Be inside, after waiting for a closed gate to open."""
        with self._changed:
            while self._is_closed:
                self._changed.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                if not self._inside:
                    self._changed.notify_all()

    @contextmanager
    def closed(self) -> Generator[None]:
        """Be alone: everybody has left, and nobody comes in before this ends."""
        with self._changed:
            self._is_closed = True
            while self._inside:
                self._changed.wait()
        try:
            yield
        finally:
            with self._changed:
                self._is_closed = False
                self._changed.notify_all()
