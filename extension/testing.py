"""For tests of notebooks and agents: time that passes when told.

    clock = VirtualClock(auto=False)
    with stepwell.run(steps=[publish], wait=False, clock=clock) as run:
        clock.at("2d", lambda: run.decide("publish", "approve"))
        clock.go()
        run.wait()

A three-day approval runs in milliseconds: whenever every attempt only waits (for a person,
a message, a time, a retry of the step or of a call, a turn under a rate), the clock goes on to
what is due next.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from stepwell.flow import seconds

__all__ = ["VirtualClock"]

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualClock:
    """A clock for `stepwell.run(…, clock=…)` and `Orchestrator(…, clock=…)`. Any thread may call.

    With `auto` it goes on by itself when nothing is under way but waits; without, `advance`
    moves it, and from `go` on it goes by itself, too. Code that really takes time, or sleeps by
    itself, takes as long as ever, and so do the time-outs of durable calls.
    """

    def __init__(self, start: datetime = _BEGIN, *, auto: bool = True) -> None:
        self._now = _micros(start)
        self._auto = auto
        self._lock = threading.RLock()
        self._due = 0
        self._wake: Callable[[], None] = lambda: None
        self._plans: list[tuple[int, int, Callable[[], object]]] = []
        self._number = count()
        self._acting = 0

    def now(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return self._now

    @property
    def time(self) -> datetime:
        """The time it is, in UTC."""
        return datetime.fromtimestamp(self._now / 1_000_000, UTC)

    def advance(self, duration: float | str | timedelta) -> None:
        """Let so much time pass: seconds, a text like `"3d"`, or a `timedelta`."""
        with self._lock:
            until = self._now + _length(duration)
            while self._plans and self._plans[0][0] <= until:
                due, _, act = heappop(self._plans)
                self._go_to(due)
                act()
            self._go_to(until)

    def go(self) -> None:
        """From now on it goes on by itself."""
        with self._lock:
            self._auto = True
        self._wake()

    def at(self, duration: float | str | timedelta, act: Callable[[], object]) -> None:
        """Do something when so much time has passed from now, on a thread of its own.

        A person's decision, a message: whatever would happen then. It comes before what is
        due at that time by itself.
        """
        with self._lock:
            heappush(self._plans, (self._now + _length(duration), next(self._number), act))
        self._wake()

    def wake_at(self, due: int, wake: Callable[[], None], *, is_idle: bool = False) -> None:
        """See `stepwell.orchestrator.Clock`."""
        with self._lock:
            self._due, self._wake = due, wake
            if not (self._auto and is_idle) or self._acting:
                return
            if self._plans and (not due or self._plans[0][0] <= due):
                due, _, act = heappop(self._plans)
                self._now = max(self._now, due)
                self._acting += 1
                threading.Thread(target=self._act, args=(act,), daemon=True).start()
            elif due:
                self._go_to(due)

    def _act(self, act: Callable[[], object]) -> None:
        try:
            act()
        finally:
            with self._lock:
                self._acting -= 1
            self._wake()

    def _go_to(self, moment: int) -> None:
        self._now = max(self._now, moment)
        if self._due and self._due <= self._now:
            self._due = 0
            self._wake()


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _length(duration: float | str | timedelta) -> int:
    if isinstance(duration, timedelta):
        return round(duration.total_seconds() * 1_000_000)
    if isinstance(duration, str):
        return round(seconds(duration, what="duration") * 1_000_000)
    return round(duration * 1_000_000)
