"""How often an attempt's signs of life are passed on.

They may come in a tight loop: all but a few a second end after a look at the clock, before
any lock. The rest is done by whichever thread comes at the right time, one at a time; who
finds another one at it goes on.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from time import monotonic
from typing import Any

from stepwell.inside._work import Work
from stepwell.orchestrator import Rest

__all__ = ["Pulse"]

BEAT_SECONDS = 1.0
SHOW_SECONDS = 0.1
AT_ONCE = 5
"""So many may come closely one after the other before they are thinned out."""


class _Pace:
    """Lets few through at any pace, and one in so many seconds of those that come faster."""

    __slots__ = ("_lock", "_seconds", "_theoretical", "opens")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._theoretical = 0.0
        self._lock = threading.Lock()
        self.opens = 0.0
        """Before this moment nothing gets through. Read without the lock."""

    def enter(self) -> bool:
        """Whether the caller may go on; it must then `leave`."""
        if not self._lock.acquire(blocking=False):
            return False
        now = monotonic()
        if now < self.opens:
            self._lock.release()
            return False
        self._theoretical = max(self._theoretical, now) + self._seconds
        self.opens = self._theoretical - AT_ONCE * self._seconds
        return True

    def leave(self) -> None:
        """The next one may come."""
        self._lock.release()


_making = threading.Lock()
"""Held while what not every attempt needs is made for one."""


class Pulse:
    """Of one attempt."""

    __slots__ = (
        *("_answer", "_beats", "_details", "_is_full", "_is_new", "_shows", "_stall", "_waits"),
        *("_is_denying", "_work"),
        "is_given_up",
    )

    def __init__(self, stall: float = 0.0) -> None:
        """`stall` is how many seconds without a heartbeat are too many; 0 for none."""
        # Made with the first sign: most attempts give none.
        self._stall = stall
        self._beats: _Pace | None = None
        self._shows: _Pace | None = None
        self._details: object = None
        self._is_new = False
        self._is_full = False
        self._answer: Future[None] | None = None
        self._waits: dict[Future[Any], None] | None = None
        self._work: Work | None = None
        self._is_denying = False
        self.is_given_up = False
        """Nobody wants the attempt's result any more: its code is told as soon as it calls."""

    def expect(self, answer: "Future[Any]", given_up: BaseException) -> None:
        """The attempt's code waits for this; when that is given up, so may be the answer."""
        with _making:
            waits = self._waits = {} if self._waits is None else self._waits
        waits[answer] = None
        answer.add_done_callback(self._forget)
        # Looked at after it was entered: either it is found there, or this is.
        if self._is_denying:
            _deny(answer, given_up)

    def work(self, tell: Callable[[Rest], None]) -> Work:
        """Whether the attempt works; `tell` hears when that changes."""
        if self._work is None:
            with _making:
                self._work = self._work or Work(None, tell)
        return self._work

    def _forget(self, answer: "Future[Any]") -> None:
        if self._waits is not None:
            self._waits.pop(answer, None)

    def give_up(self, error: BaseException) -> None:
        """Nobody wants the result any more: who waits hears so, also on a thread."""
        self._is_denying = True
        for answer in list(self._waits or ()):
            _deny(answer, error)

    def beat(self, details: object, send: Callable[[object], "Future[None]"]) -> None:
        """The attempt is alive. Raises what an earlier `send` has come to, if that is an error."""
        self._details, self._is_new = details, True
        beats = self._beats or self._make_beats()
        if monotonic() < beats.opens:
            return
        if beats.enter():
            try:
                self._send(send)
            finally:
                beats.leave()

    def _make_beats(self) -> _Pace:
        with _making:
            if self._beats is None:
                stall = self._stall
                self._beats = _Pace(min(BEAT_SECONDS, stall / 10) if stall else BEAT_SECONDS)
            return self._beats

    def _make_shows(self) -> _Pace:
        with _making:
            self._shows = self._shows or _Pace(SHOW_SECONDS)
            return self._shows

    def _send(self, send: Callable[[object], "Future[None]"]) -> None:
        last = self._answer
        if last is not None:
            if not last.done():
                return  # the disk is slower than we are
            last.result()
        self._is_new = False
        self._answer = send(self._details)

    def flush(self, send: Callable[[object], "Future[None]"]) -> None:
        """Have the newest details kept, before the attempt's end is told of."""
        if self._is_new and self._details is not None:
            self._is_new = False
            send(self._details)

    def may_show(self, done: float, total: float) -> bool:
        """Whether this is to be shown; that all is done always is, once."""
        is_full = bool(total) and done >= total
        shows = self._shows or self._make_shows()
        if monotonic() < shows.opens and (not is_full or self._is_full):
            return False
        is_allowed = shows.enter()
        if is_allowed:
            shows.leave()
        is_allowed = is_allowed or (is_full and not self._is_full)
        if is_allowed:
            self._is_full = is_full
        return is_allowed


def _deny(answer: "Future[Any]", error: BaseException) -> None:
    with suppress(InvalidStateError):
        answer.set_exception(error)
