"""Whether a piece of code works, or only waits with all its calls.

An attempt works, and so does each try at a call in it, unless calls inside wait for their
turn, for a person or for the time of their next try, and none of them works. It is found out
where it happens, and passed on from the innermost outwards: the time that a try may take
does not go on while it waits for a turn or a person, and whoever keeps the attempt's time
is told.

Any thread may call. One lock to an attempt, held for moments.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import monotonic

from stepwell.orchestrator import Rest

__all__ = ["Work"]


class Work:
    """Of an attempt, or of a try at a call in it. Entered while its code runs."""

    __slots__ = ("_entered", "_how", "_inside", "_lock", "_parent", "_since", "_tell", "_worked")

    def __init__(
        self, parent: "Work | None" = None, tell: Callable[[Rest], None] = lambda how: None
    ) -> None:
        """`tell` hears how it stands with an attempt, whenever that has changed."""
        self._parent = parent
        self._tell = tell
        self._lock: threading.Lock = parent._lock if parent is not None else threading.Lock()
        self._inside = {"": 0, "pause": 0, "wait": 0}
        self._how: Rest = ""
        self._entered = 0
        self._since = 0.0
        self._worked = 0.0

    @property
    def worked(self) -> float:
        """Seconds that it has run so far, but for those in which it has only waited."""
        with self._lock:
            is_counting = self._entered and self._how != "wait"
            return self._worked + (monotonic() - self._since if is_counting else 0.0)

    def __enter__(self) -> None:
        with self._lock:
            self._entered += 1
            if self._entered == 1:
                self._since = monotonic()
                if self._parent is not None:
                    self._parent._change(None, self._how)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._entered -= 1
            if not self._entered:
                self._count(self._how)
                if self._parent is not None:
                    self._parent._change(self._how, None)

    @contextmanager
    def waiting(self, how: Rest) -> Generator[None]:
        """A call in it waits, until the block is left."""
        with self._lock:
            self._change(None, how)
        try:
            yield
        finally:
            with self._lock:
                self._change(how, None)

    # -- with the lock held -----------------------------------------------------------------

    def _change(self, old: Rest | None, new: Rest | None) -> None:
        """Something in it that did this does that now; None where it has begun, or ended."""
        inside, before = self._inside, self._how
        if old is not None:
            inside[old] -= 1
        if new is not None:
            inside[new] += 1
        after = self._how = _together(inside)
        if before == after:
            return
        if self._parent is None:
            self._tell(after)
        elif self._entered:
            self._count(before)
            self._parent._change(before, after)

    def _count(self, how: Rest) -> None:
        now = monotonic()
        if how != "wait":
            self._worked += now - self._since
        self._since = now


def _together(inside: dict[str, int]) -> Rest:
    if inside[""]:
        return ""
    if inside["pause"]:
        return "pause"
    return "wait" if inside["wait"] else ""
