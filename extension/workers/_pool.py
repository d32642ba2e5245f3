"""Threads for steps that are not async.

Daemon threads: a step that hangs must not keep the kernel from ending.

Few work at a time while work gets done, because threads that compete for the interpreter
only slow each other down. When work is waiting and nothing has got done for a few
milliseconds, those at work are themselves waiting (for a model, a query, a file), and more
join them, twice as many each time. The one that stopped last is woken first, so that a
crowd once needed does not take turns ever after.

Rule: everything below the lock is bookkeeping; no work is done and no thread started there.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

__all__ = ["ThreadPool"]

_LOG = logging.getLogger("stepwell.workers")

Work = Callable[[], None]


class ThreadPool:
    """Runs work in order of arrival, on at most `size` threads.

    Work looks after its own errors; one that gets out is logged, and the thread goes on.
    """

    FEW = 2
    STALL_SECONDS = 0.005

    def __init__(self, size: int, name: str, *, aside: Callable[[], float] = lambda: 0.0) -> None:
        """`aside` says how many seconds the next piece of work can wait for others."""
        self._size = size
        self._aside = aside
        self._name = name
        self._lock = threading.Lock()
        self._queue: deque[Work] = deque()
        self._asleep: list[threading.Lock] = []
        """One alarm to each sleeping thread; releasing it wakes the thread."""
        self._awake = 0
        self._wanted = min(self.FEW, size)
        """How many may be awake, as things stand."""
        self._done = 0
        self._is_watched = False
        # Rings the thread that watches, once it is there: most queues are short-lived, and a
        # thread for each of them would cost more than their work.
        self._to_watch: threading.Lock | None = None
        self._is_closed = False

    def submit(self, work: Work) -> None:
        """Run `work` on a thread, soon; not at all once closed. Never blocks."""
        with self._lock:
            if self._is_closed:
                return
            self._queue.append(work)
            joins = self._awake < self._wanted
            self._awake += joins
            alarm = self._asleep.pop() if joins and self._asleep else None
            watch = not joins and not self._is_watched and self._awake < self._size
            self._is_watched = self._is_watched or watch
        if joins:
            self._rouse(alarm)
        if watch:
            self._have_watched()

    def close(self) -> None:
        """Let idle threads end; busy ones end with their work. What is queued is dropped."""
        with self._lock:
            self._is_closed = True
            self._queue.clear()
            asleep, self._asleep = self._asleep, []
            # Only where the watching thread sleeps: nobody releases a lock that is free.
            if self._to_watch is not None and not self._is_watched:
                asleep.append(self._to_watch)
        for alarm in asleep:
            alarm.release()

    def _rouse(self, alarm: "threading.Lock | None") -> None:
        if alarm is not None:
            alarm.release()
        else:
            self._start(self._run, "")

    def _start(self, target: Callable[[], None], suffix: str) -> None:
        name = f"{self._name}-{suffix}" if suffix else self._name
        threading.Thread(target=target, name=name, daemon=True).start()

    def _run(self) -> None:
        alarm = threading.Lock()
        alarm.acquire()
        while True:
            while seconds := self._aside():
                time.sleep(seconds)
            with self._lock:
                work = self._queue.popleft() if self._queue else None
                if work is None:
                    if self._is_closed:
                        return
                    self._awake -= 1
                    if self._awake == 0:
                        self._wanted = min(self.FEW, self._size)
                    self._asleep.append(alarm)
            if work is None:
                alarm.acquire()
                continue
            try:
                work()
            except BaseException:
                _LOG.exception("work that was to look after its errors did not")
            self._done += 1

    def _have_watched(self) -> None:
        # By one thread at a time: whoever comes here has set `_is_watched`.
        if self._to_watch is not None:
            self._to_watch.release()
            return
        self._to_watch = threading.Lock()
        self._to_watch.acquire()
        self._start(self._keep_watch, "watch")

    def _keep_watch(self) -> None:
        assert self._to_watch is not None
        self._watch()
        while not self._is_closed:
            self._to_watch.acquire()
            self._watch()

    def _watch(self) -> None:
        """While work is waiting and none gets done, let more threads join in."""
        more = 1
        while True:
            done = self._done
            time.sleep(self.STALL_SECONDS)
            with self._lock:
                if not self._queue or self._awake >= self._size or self._is_closed:
                    self._is_watched = False
                    return
                is_stalled = self._done == done and not self._aside()
                joining = min(more, len(self._queue), self._size - self._awake) if is_stalled else 0
                self._awake += joining
                self._wanted = max(self._wanted, self._awake)
                alarms = [self._asleep.pop() if self._asleep else None for _ in range(joining)]
            for alarm in alarms:
                self._rouse(alarm)
            more = more * 2 if is_stalled else 1
