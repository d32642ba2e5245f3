"""Threads for steps that are not async.

Daemon threads: a step that hangs must not keep the kernel from ending. There are few of
them while steps are short, because threads that compete for the interpreter only slow each
other down; when the ones there are do not get on, more are added, so that steps that wait
(for a model, a query, a file) run side by side.
"""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

__all__ = ["ThreadPool"]

Work = Callable[[], None]


class ThreadPool:
    """Runs work in order of arrival, on at most `size` threads. Work must not raise."""

    FEW = 2
    STALL_SECONDS = 0.002

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._done = 0
        self._is_watched = False

    def submit(self, work: Work) -> None:
        """Run `work` on a thread, soon. Never blocks."""
        self._queue.put(work)
        if self._queue.qsize() <= self._idle:
            return
        with self._lock:
            if self._threads < self._size and self._threads < self.FEW:
                self._add()
            elif not self._is_watched and self._threads < self._size:
                self._is_watched = True
                threading.Thread(
                    target=self._watch, name=f"{self._name}-watch", daemon=True
                ).start()

    def close(self) -> None:
        """Let idle threads end; busy ones end with their work."""
        with self._lock:
            count, self._size = self._threads, 0
        for _ in range(count):
            self._queue.put(None)

    def _add(self) -> None:
        self._threads += 1
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            work = self._queue.get()
            with self._lock:
                self._idle -= 1
            if work is None:
                return
            work()
            self._done += 1

    def _watch(self) -> None:
        """While work is waiting and none gets done, add threads, twice as many each time."""
        more = 1
        while True:
            done = self._done
            time.sleep(self.STALL_SECONDS)
            with self._lock:
                if self._queue.empty() or self._threads >= self._size:
                    self._is_watched = False
                    return
                if self._done == done:
                    for _ in range(min(more, self._size - self._threads)):
                        self._add()
                    more *= 2
