"""A mailbox: any thread puts, one loop reads.

Delivery is a callback of the loop, not a task that waits: waking a task costs a turn of the
loop more, and every step of a chain pays it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["Mailbox"]

Mail = TypeVar("Mail")


class Mailbox(Generic[Mail]):
    """Unbounded and in order. `read` gets what has come, at most `slice_` pieces at a time."""

    def __init__(
        self,
        read: Callable[[list[Mail]], None],
        *,
        slice_: int,
        aside: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`aside` says how many seconds the next slice can wait for others."""
        self._read = read
        self._aside = aside
        self._slice = slice_
        self._mail: deque[Mail] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_due = False
        self._is_looking = False
        self._is_aside = False

    def open(self) -> None:
        """Deliver from now on, on the running loop; what has come already comes first."""
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._deliver)

    def close(self) -> None:
        """Deliver no more."""
        self._loop = None

    def rest(self) -> list[Mail]:
        """What nobody will deliver any more; the mailbox is empty then."""
        found: list[Mail] = []
        while self._mail:
            found.append(self._mail.popleft())
        return found

    def put(self, mail: Mail) -> None:
        """Leave one piece of mail. Any thread; never blocks."""
        self._mail.append(mail)
        # Looked at after the append, and cleared before mail is taken: one of the two
        # always sees the other.
        loop = self._loop
        if loop is not None and not self._is_due:
            self._is_due = True
            with suppress(RuntimeError):  # the loop has just been closed: nobody reads any more
                loop.call_soon_threadsafe(self._deliver)

    def leave(self, mail: Mail) -> None:
        """Leave mail that can wait for other mail, or for `look_in`: nobody is woken for it."""
        self._mail.append(mail)

    def look_in(self, seconds: float, is_expecting: Callable[[], bool]) -> None:
        """Deliver what was left, then, and again while more is expected. On the loop's thread."""
        if self._loop is None or self._is_looking:
            return
        self._is_looking = True

        def look() -> None:
            self._is_looking = False
            self._deliver()
            if is_expecting():
                self.look_in(seconds, is_expecting)

        self._loop.call_later(seconds, look)

    def _deliver(self) -> None:
        if seconds := self._aside():
            self._step_aside(seconds)
            return
        self._is_due = False
        mail = self._mail
        taken = [mail.popleft() for _ in range(min(len(mail), self._slice))]
        if taken:
            self._read(taken)
        if mail and self._loop is not None:
            # Through the loop, so that the kernel's threads get their turn in between.
            self._is_due = True
            self._loop.call_soon(self._deliver)

    def _step_aside(self, seconds: float) -> None:
        if self._loop is None or self._is_aside:
            return
        self._is_aside = True

        def come_back() -> None:
            self._is_aside = False
            self._deliver()

        self._loop.call_later(seconds, come_back)

    def __len__(self) -> int:
        return len(self._mail)
