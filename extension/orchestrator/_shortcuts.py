"""Who makes shortcuts: now and then, in the background, of runs in which much has happened.

Threads. A thread that is there only while one is made; it works a few milliseconds at a time
and rests much longer than it works, because others in this process want to get on. It has a
state of its own, made of what is on disk, and touches nothing else. `follow` is called on the
orchestrator's thread, everything else by any.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TypeVar
from weakref import WeakSet

from stepwell.errors import StoreCorrupt, StoreError
from stepwell.orchestrator._fold import GivenUp, fold
from stepwell.orchestrator._port import Happened
from stepwell.orchestrator._shortcut import form, parts_of
from stepwell.orchestrator._state import State
from stepwell.store import Store

__all__ = ["Shortcuts", "is_shortcut_true", "make_shortcut"]

Thing = TypeVar("Thing")

_LOG = logging.getLogger("stepwell.orchestrator")

EVERY = 25_000
"""Events between two shortcuts to a run: what a resume reads besides is applied in 0.2 s."""
AT_THE_END = 10_000
"""As many are worth one when the store is closed."""
PORTION = 2_048
FREED = 500
WORK_SECONDS = 0.002
REST = 5
"""So many times as long as it has worked."""
LONGEST_REST_SECONDS = 0.1
CLOSING_SECONDS = 2.0


class Pace:
    """How quickly something goes on that nobody waits for."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._half = self._until = float("inf")
        self._is_hurried = threading.Event()

    def __call__(self) -> None:
        """Rest, if it is time to. Raises `GivenUp` when it is too late."""
        now = time.monotonic()
        if self._is_hurried.is_set():
            if now >= self._until:
                raise GivenUp
            return
        worked = now - self._began
        if worked >= WORK_SECONDS:
            self._is_hurried.wait(min(worked * REST, LONGEST_REST_SECONDS))
            self._began = time.monotonic()

    def hurry(self, seconds: float) -> None:
        """Rest no more, and be done in this time or not at all."""
        now = time.monotonic()
        self._half, self._until = now + seconds / 2, now + seconds
        self._is_hurried.set()

    def is_enough(self) -> bool:
        """Whether half of the time is over: what was read is to be written in the other."""
        return time.monotonic() >= self._half


def make_shortcut(store: Store, run: str, *, at_least: int = 1, pace: Pace | None = None) -> int:
    """Keep what the run's records come to, if there are so many new ones.

    Answers the number of the last one; 0 where nothing was kept. Without a pace of its own
    it does not rest.
    """
    if pace is None:
        pace = Pace()
        pace.hurry(float("inf"))
    folded = fold(store, run, pace=pace, is_enough=pace.is_enough, portion=PORTION)
    if folded.last is None or folded.count < at_least or not form():
        return 0

    def parts() -> Iterator[bytes]:
        for part in parts_of(folded.state):
            yield part
            pace()

    store.keep_shortcut(folded.last, form(), parts())
    _let_go(folded.state, pace)
    return folded.last.seq


def _let_go(state: State, pace: Pace) -> None:
    # Bit by bit: while very much is freed at once, everybody else stands still.
    for step in state.steps.values():
        if step.items is not None:
            _empty(step.items.by_key, pace)
    _empty(state.steps, pace)


def _empty(things: dict[str, Thing], pace: Pace) -> None:
    while things:
        for _ in range(min(FREED, len(things))):
            things.popitem()
        pace()


def is_shortcut_true(store: Store, run: str) -> bool:
    """Whether the run's shortcut is what its records come to; so is one that is not there."""
    numbering = store.numbering
    found = store.shortcut(run)
    if found is None or found.form != form():
        return True
    parts = parts_of(fold(store, run, until=found.seq, is_direct=False).state)
    try:
        is_true = all(kept == made for kept, made in zip_longest(found.parts, parts))
    except (OSError, StoreCorrupt):
        is_true = False
    # One that was made of records by their old numbers has gone meanwhile.
    return is_true or store.numbering != numbering


class Shortcuts:
    """Counts what happens in each run, and makes its shortcut when that has become much."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._since: dict[str, int] = {}
        self._due: dict[str, int] = {}
        self._wanted: dict[str, int] = {}
        self._thread: threading.Thread | None = None
        self._pace = Pace()
        self._is_open = True
        _makers.add(self)

    def follow(self, happened: Sequence[Happened]) -> None:
        """This has become durable."""
        for what in happened:
            count = self._since[what.run] = self._since.get(what.run, 0) + 1
            if count >= self._due.get(what.run, EVERY):
                self._want(what.run, EVERY)

    def look(self, run: str) -> None:
        """The run was read from the store: what of it was not in its shortcut counts."""
        if self._store.last_seq >= EVERY:
            found = self._store.shortcut(run)
            is_good = found is not None and found.form == form()
            if self._store.last_seq - (found.seq if found and is_good else 0) >= EVERY:
                self._want(run, EVERY)

    def close(self, seconds: float = CLOSING_SECONDS) -> None:
        """Make what is worth it, quickly, and end."""
        # Without any time this is the interpreter's end, at which no thread can be started.
        for run, count in list(self._since.items()) if seconds else ():
            if count >= AT_THE_END:
                self._want(run, AT_THE_END)
        with self._lock:
            self._is_open = False
            thread = self._thread
        self._pace.hurry(seconds)
        if thread is not None:
            thread.join()

    def _want(self, run: str, at_least: int) -> None:
        with self._lock:
            if not self._is_open:
                return
            self._since[run] = 0
            self._wanted[run] = at_least
            if self._thread is None:
                # Not a daemon: one that is inside DuckDB when the interpreter goes away
                # aborts the process. `_stop_all` ends it before it would be waited for.
                self._thread = threading.Thread(
                    target=self._work, name="stepwell-shortcuts", daemon=False
                )
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._wanted:
                    self._thread = None
                    return
                run, at_least = next(iter(self._wanted.items()))
                del self._wanted[run]
            self._make(run, at_least)

    def _make(self, run: str, at_least: int) -> None:
        try:
            last = make_shortcut(self._store, run, at_least=at_least, pace=self._pace)
        except (GivenUp, StoreError):
            return
        except Exception:
            _LOG.exception("a shortcut to run %s could not be made", run)
            return
        # Making one takes the longer the more there is: so it is done the less often.
        self._due[run] = max(EVERY, last // 8)


_makers: "WeakSet[Shortcuts]" = WeakSet()


def _stop_all() -> None:
    for maker in list(_makers):
        maker.close(0.0)


# As the store's writer does, which see: atexit functions come too late.
_register = getattr(threading, "_register_atexit", None)
if _register is not None:
    _register(_stop_all)
