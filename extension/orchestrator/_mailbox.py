"""A mailbox: any thread puts, one task takes."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

import anyio

__all__ = ["Mailbox"]

Mail = TypeVar("Mail")


class Mailbox(Generic[Mail]):
    """Unbounded and in order. Waking the reader costs one system call, and only if it sleeps."""

    def __init__(self) -> None:
        self._mail: deque[Mail] = deque()
        self._bell: anyio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def put(self, mail: Mail) -> None:
        """Leave one piece of mail. Any thread; never blocks."""
        self._mail.append(mail)
        # Read after the append: a reader that found the deque empty has set its bell
        # before, so one of the two always sees the other.
        bell = self._bell
        if bell is not None and self._loop is not None:
            self._bell = None
            self._loop.call_soon_threadsafe(bell.set)

    async def take(self, at_most: int) -> list[Mail]:
        """What has come, at least one piece and no more than `at_most`. One reader only."""
        while not self._mail:
            self._loop = asyncio.get_running_loop()
            bell = self._bell = anyio.Event()
            if self._mail:
                self._bell = None
                break
            await bell.wait()
        mail = self._mail
        return [mail.popleft() for _ in range(min(len(mail), at_most))]

    def __len__(self) -> int:
        return len(self._mail)
