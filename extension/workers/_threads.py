"""Threads that a step's code starts speak for the step, as tasks it starts do.

A thread begins without the context of the one that started it, so what it prints would go
to whatever cell happens to run. Threads that nobody's step has started are left alone.
"""

import threading
from collections.abc import Callable
from typing import Any

from stepwell.inside import inside
from stepwell.workers._output import recording

__all__ = ["follow_threads", "leave_threads"]

_original: Callable[[threading.Thread], None] | None = None
_ours: Callable[[threading.Thread], None] | None = None


def follow_threads(before_thread: Callable[[], None]) -> None:
    """From now on; `before_thread` is called on each such thread first. Twice is harmless."""
    global _original, _ours
    if _ours is not None:
        return
    original = threading.Thread.start

    def start(self: threading.Thread) -> None:
        recorder, attempt = recording.get(), inside.get()
        if recorder is not None and not self.name.startswith("stepwell-"):
            thread: Any = self
            run: Callable[[], None] = thread.run

            def run_for_the_step() -> None:
                recording.set(recorder)
                inside.set(attempt)
                before_thread()
                run()

            thread.run = run_for_the_step
        original(self)

    _original, _ours = original, start
    _set_start(start)


def leave_threads() -> None:
    """As it was, unless somebody else has taken the same place meanwhile."""
    global _original, _ours  # noqa: PLW0603 - as above
    if _original is not None and threading.Thread.start is _ours:
        _set_start(_original)
    _original = _ours = None


def _set_start(start: Any) -> None:
    kind: Any = threading.Thread
    kind.start = start
