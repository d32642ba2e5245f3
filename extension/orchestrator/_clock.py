"""The time of day, and being called at a certain time. Tests have a clock of their own."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "SystemClock"]

_FAR_SECONDS = 3600.0


class Clock(Protocol):
    """What the orchestrator knows of time."""

    def now(self) -> int:
        """Microseconds since 1970-01-01 UTC. Any thread may ask."""
        ...

    def wake_at(self, due: int, wake: Callable[[], None], *, is_idle: bool = False) -> None:
        """Call `wake` at that time, on any thread; a later call takes the place of this one.

        Called on the orchestrator's thread. 0 takes it back. Calling early is harmless: it
        is looked again what is due. `is_idle` says that nothing is under way but waits, so that
        nothing happens before then unless somebody comes from outside.
        """
        ...


class SystemClock:
    """The machine's clock, and the running loop's timers."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0

    def now(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000

    def wake_at(self, due: int, wake: Callable[[], None], *, is_idle: bool = False) -> None:
        """See `Clock`. A clock that was set while we slept is noticed within the hour."""
        if due == self._due and self._timer is not None and not self._timer.cancelled():
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due, self._timer = due, None
        if due:
            seconds = max(0.0, (due - self.now()) / 1_000_000)
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(min(seconds, _FAR_SECONDS), self._ring, wake)

    def _ring(self, wake: Callable[[], None]) -> None:
        self._timer, self._due = None, 0
        wake()
