"""While very much happens at once, the others in this process get their turn sooner.

A kernel's own threads need the interpreter for moments, and some twenty times for one answer.
Beside threads that are never done they wait for it each time. And what a lot of work leaves
behind makes CPython look for garbage among everything there is: 50 ms and more in which
nobody gets anywhere. So, while there is a lot to do,

- whoever works here steps aside for the moments in which a cell is begun and answered;
- threads change places more often than CPython has them do by itself;
- that search for garbage is put off, for ten seconds at most; young garbage is collected.

What is set for the whole process is set back, unless somebody else has set it meanwhile.
"""

import asyncio
import gc
import sys
import threading
from collections.abc import Callable
from time import monotonic

__all__ = ["COURTESY", "Courtesy", "Rush"]

MANY = 16
"""Pieces of mail in one slice; of a chain of steps there are one or two."""
QUIET_SECONDS = 0.5
SWITCH_SECONDS = 0.001
PUT_OFF_SECONDS = 10.0
NAP_SECONDS = 0.002
"""Who stands aside looks again after so long."""
ASIDE_SECONDS = 0.01
_NEVER = 1_000_000
"""Collections of the middle generation between two of all."""


class Courtesy:
    """Of the process. Any thread may call; several orchestrators may be in a rush at once."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rushes = 0
        # Between these two times those who are in a rush stand aside.
        self._since = self._until = 0.0
        self._collect_at = 0.0
        self._interval: float | None = None
        self._threshold: tuple[int, int, int] | None = None

    def give_way(self) -> None:
        """Somebody needs the interpreter for a moment: whoever works in a rush steps aside.

        Until `go_on`, ten milliseconds at most, and not before the work has gone on for as long
        as it stood still the last time.
        """
        if not self._rushes:
            return
        now = self._clock()
        if now >= self._until:
            self._since = max(now, self._until + (self._until - self._since))
        self._until = self._since + ASIDE_SECONDS

    def go_on(self, seconds: float = 0.0) -> None:
        """In so many seconds from now they may go on."""
        self._until = min(self._until, max(self._since, self._clock() + seconds))

    def aside(self) -> float:
        """How long to do nothing before asking again, seconds; 0 to go on."""
        # Looked at before every piece of work, so nothing is locked.
        if not self._rushes or (now := self._clock()) >= self._until or now < self._since:
            return 0.0
        return min(self._until - now, NAP_SECONDS)

    def begin(self) -> None:
        """There is a lot to do."""
        with self._lock:
            self._rushes += 1
            if self._rushes > 1:
                return
            self._collect_at = self._clock() + PUT_OFF_SECONDS
            if sys.getswitchinterval() > SWITCH_SECONDS:
                self._interval = sys.getswitchinterval()
                sys.setswitchinterval(SWITCH_SECONDS)
            self._threshold = gc.get_threshold()
            gc.set_threshold(*self._threshold[:2], _NEVER)

    def look(self) -> None:
        """There still is."""
        with self._lock:
            if self._clock() > self._collect_at:
                self._collect_again()

    def end(self) -> None:
        """There is no more. Once to each `begin`."""
        with self._lock:
            self._rushes -= 1
            if self._rushes:
                return
            self._collect_again()
            interval, self._interval = self._interval, None
            if interval is not None and abs(sys.getswitchinterval() - SWITCH_SECONDS) < 1e-6:
                sys.setswitchinterval(interval)

    def _collect_again(self) -> None:
        threshold, self._threshold = self._threshold, None
        if threshold is not None and gc.get_threshold() == (*threshold[:2], _NEVER):
            gc.set_threshold(*threshold)


COURTESY = Courtesy()


class Rush:
    """Of one orchestrator, on its thread: it is in one while it is given much to read."""

    def __init__(self, courtesy: Courtesy = COURTESY) -> None:
        self._courtesy = courtesy
        self._is_on = False
        self._latest = 0.0

    def see(self, pieces: int) -> None:
        """So much mail has just been read."""
        if pieces < MANY:
            return
        self._latest = monotonic()
        if not self._is_on:
            self._is_on = True
            self._courtesy.begin()
            asyncio.get_running_loop().call_later(QUIET_SECONDS, self._look)

    def _look(self) -> None:
        if not self._is_on:
            return
        left = self._latest + QUIET_SECONDS - monotonic()
        if left <= 0:
            self.end()
            return
        self._courtesy.look()
        asyncio.get_running_loop().call_later(left, self._look)

    def end(self) -> None:
        """It is over. Twice is harmless."""
        if self._is_on:
            self._is_on = False
            self._courtesy.end()
