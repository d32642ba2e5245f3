"""The pieces of a call's result: as they come, as people see them come, as they are stored.

Pieces come to the code that reads them, on its thread; what people see of them is sent from
there, or from a timer when no more come for a while.
"""

import asyncio
import threading
import time
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

from stepwell.inside._conduct import Making
from stepwell.inside._current import Inside, is_on_loop
from stepwell.orchestrator import Sign
from stepwell.store.values import is_immutable, preview

__all__ = ["END", "Given", "Pieces"]

SHOW_SECONDS = 0.1
SHOWN = 4000
"""So many characters are shown at once: what came before them in that time nobody could read."""
END: Any = object()
"""Stands where no more pieces come."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """All of them, and what came after the last: what a generator has returned."""

    pieces: list[Any]
    result: Any = None

    def kept(self) -> object:
        """As they are stored. A bare list is what a stream has that has no result besides."""
        if self.result is None:
            return self.pieces
        return {"pieces": self.pieces, "result": self.result}

    @classmethod
    def of(cls, kept: object) -> "Pieces":
        """As they were stored."""
        if isinstance(kept, dict):
            told = cast("dict[str, Any]", kept)
            return cls(told["pieces"], told["result"])
        return cls(cast("list[Any]", kept))

    @property
    def told_by(self) -> object:
        """What tells what the call has consumed: its result, or the last piece."""
        if self.result is not None:
            return self.result
        return self.pieces[-1] if self.pieces else None


class Given:
    """The pieces that have come, as they came: a reader may change what it was given."""

    def __init__(self, making: Making) -> None:
        self._making = making
        self.pieces: list[Any] = []
        self._within: Inside | None = None
        # What is not shown yet; guarded by the lock, since a timer may show it.
        self._lock = threading.Lock()
        self._unseen: list[str] = []
        self._shown_at = 0.0
        self._is_timed = False
        self._is_closed = False

    def add(self, piece: Any) -> None:
        """One more."""
        self.pieces.append(piece if is_immutable(piece) else deepcopy(piece))
        text = piece if isinstance(piece, str) else f"{preview(piece)}\n"
        with self._lock:
            self._unseen.append(text)
            left = self._shown_at + SHOW_SECONDS - time.monotonic()
            if left <= 0:
                self._show()
            elif not self._is_timed:
                self._is_timed = True
                self._after(left)

    def begin(self, within: Inside) -> None:
        """A try begins, in which pieces may come."""
        self._within = within

    def close(self) -> None:
        """No more are to come: all are there, or nobody wants them."""
        with self._lock:
            self._is_closed = True
            if self.pieces:
                self._show(is_over=True)
        if self._within is not None:
            self._making.count(self._within)

    def _after(self, seconds: float) -> None:
        """Show the rest then, if no further piece does it before."""
        if is_on_loop():
            asyncio.get_running_loop().call_later(seconds, self._show_late)
            return
        timer = threading.Timer(seconds, self._show_late)
        timer.name, timer.daemon = "stepwell-stream", True
        timer.start()

    def _show_late(self) -> None:
        with self._lock:
            self._is_timed = False
            if self._unseen and not self._is_closed:
                self._show()

    def _show(self, *, is_over: bool = False) -> None:
        inside, making = self._making.inside, self._making
        text, count = "".join(self._unseen), float(len(self.pieces))
        total = count if is_over else 0.0
        sign = Sign("piece", text[-SHOWN:], count, total, making.key, making.call.name)
        inside.link.sign(inside.attempt.id, sign)
        self._unseen.clear()
        self._shown_at = time.monotonic()
