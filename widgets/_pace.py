"""Which cards are to be shown anew, and when. Pure: told the time, it answers.

Jupyter Server drops everything above 1,000 messages a second, without a word. So there is
an allowance for changes and ticks, and a larger one for final states, which are shown at
once and come once per attempt.

Times are microseconds. A clock that is set back is taken to have stood still.
"""

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil

__all__ = ["Pace"]

SECOND = 1_000_000
CARD_INTERVAL = SECOND // 4
"""Between two showings of one card, unless the second one is final."""


class Allowance:
    """A bucket that fills steadily; each message takes one token."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_microsecond = per_second / SECOND
        self._burst = burst
        self._tokens = burst
        self._filled = 0

    def refill(self, now: int) -> None:
        """Add what has come in since the last time."""
        passed = max(0, now - self._filled)
        self._tokens = min(self._burst, self._tokens + passed * self._per_microsecond)
        self._filled = now

    def take(self) -> bool:
        """Take one token if there is one."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def ready(self) -> int:
        """When there will be a token."""
        lacking = max(0.0, 1 - self._tokens)
        return self._filled + ceil(lacking / self._per_microsecond)


@dataclass(slots=True)
class _Entry:
    """One card. Queued entries that do not match these dues are leftovers and are skipped."""

    shown: int
    since: int = 0
    """Since when it has been running; 0 when it does not tick."""
    change: int | None = None
    tick: int | None = None
    is_final: bool = False


class Pace:
    """The timetable of all cards. Work per call grows with what changed, not with the cards."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._finals: deque[str] = deque()
        self._changes: list[tuple[int, str]] = []
        self._ticks: list[tuple[int, str]] = []
        self._steady = Allowance(per_second=10, burst=10)
        self._urgent = Allowance(per_second=50, burst=100)
        self._latest = 0
        self._set_back = 0

    def opened(self, card: str, now: int, *, since: int) -> None:
        """The card has just been shown. `since` is when it began to run, or 0."""
        now = self._steadily(now)
        self._steady.refill(now)
        self._steady.take()
        self._was_shown(card, self._entries.setdefault(card, _Entry(now)), now, since)

    def changed(self, card: str, now: int, *, since: int, is_final: bool) -> None:
        """An opened card has something new to show."""
        now = self._steadily(now)
        entry = self._entries[card]
        entry.since = since
        if not since:
            entry.tick = None
        if is_final:
            if not entry.is_final:
                entry.is_final = True
                self._finals.append(card)
        elif entry.change is None and not entry.is_final:
            entry.change = max(now, entry.shown + CARD_INTERVAL)
            heappush(self._changes, (entry.change, card))

    def due(self, now: int) -> list[str]:
        """The cards to be shown now, finals first; they count as shown."""
        now = self._steadily(now)
        self._steady.refill(now)
        self._urgent.refill(now)
        cards: list[str] = []
        while self._has_final() and self._urgent.take():
            cards.append(self._finals.popleft())
            self._shown_now(cards[-1], now)
        for is_tick, queue in ((False, self._changes), (True, self._ticks)):
            while (card := self._head(queue, is_tick=is_tick, now=now)) and self._steady.take():
                cards.append(card)
                self._shown_now(card, now)
        return cards

    def everything(self, now: int) -> list[str]:
        """Every card that has something new to show, however soon; they count as shown."""
        now = self._steadily(now)
        cards = [card for card, entry in self._entries.items() if entry.is_final or entry.change]
        for card in cards:
            self._shown_now(card, now)
        self._finals.clear()
        return cards

    def next(self, now: int) -> int | None:
        """When `due` will have something; None for not before the next change."""
        now = self._steadily(now)
        moments = [max(now, self._urgent.ready())] if self._has_final() else []
        for queue, is_tick in ((self._changes, False), (self._ticks, True)):
            if self._head(queue, is_tick=is_tick) is not None:
                moments.append(max(queue[0][0], self._steady.ready()))
        return min(moments) - self._set_back if moments else None

    def _steadily(self, now: int) -> int:
        self._set_back += max(0, self._latest - (now + self._set_back))
        self._latest = now + self._set_back
        return self._latest

    def _has_final(self) -> bool:
        while self._finals and not self._entries[self._finals[0]].is_final:
            self._finals.popleft()  # opened anew in the meantime, and so shown
        return bool(self._finals)

    def _head(
        self, queue: list[tuple[int, str]], *, is_tick: bool, now: int | None = None
    ) -> str | None:
        """The first card of the queue, if it is due; leftovers are dropped on the way."""
        while queue:
            due, card = queue[0]
            entry = self._entries[card]
            if due != (entry.tick if is_tick else entry.change):
                heappop(queue)
                continue
            return card if now is None or due <= now else None
        return None

    def _shown_now(self, card: str, now: int) -> None:
        entry = self._entries[card]
        self._was_shown(card, entry, now, entry.since)

    def _was_shown(self, card: str, entry: _Entry, now: int, since: int) -> None:
        entry.shown, entry.since = now, since
        entry.change, entry.tick, entry.is_final = None, None, False
        if since:
            entry.tick = _next_tick(since, now)
            heappush(self._ticks, (entry.tick, card))


def _next_tick(since: int, now: int) -> int:
    """When the elapsed time next reads differently: each second, after a minute every ten."""
    passed = max(0, now - since)
    period = SECOND if passed < 60 * SECOND else 10 * SECOND
    return since + (passed // period + 1) * period
