"""Results that are coming in pieces, as far as people are shown them.

Heard on the orchestrator's thread; any thread may ask. What is kept of each is its end, and
of those that are over the latest alone: long streams and many of them cost no more.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from stepwell.orchestrator import AttemptId, Sign, StreamView

__all__ = ["Streams"]

TAIL = 2000
"""So many characters of each are kept."""
SHOWN = 3
"""So many of a step are shown; the others are counted."""


@dataclass(slots=True)
class _Stream:
    attempt: AttemptId
    view: StreamView


@dataclass(slots=True)
class Streams:
    """Of the steps of one run."""

    _by_step: dict[str, dict[str, _Stream]] = field(default_factory=dict[str, dict[str, _Stream]])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def see(self, step: str, attempt: AttemptId, sign: Sign, *, below: str = "") -> None:
        """More has come, for this step; `below` is the step of a child run that makes it."""
        key = f"{attempt.run}\0{attempt.item}\0{sign.subject}"
        with self._lock:
            mine = self._by_step.setdefault(step, {})
            known = mine.get(key)
            if known is None or known.attempt != attempt:
                _drop_what_is_over(mine)
                known = mine[key] = _Stream(attempt, StreamView(call=sign.subject))
            text = known.view.text + sign.text
            known.view = StreamView(
                call=sign.subject,
                name=sign.name,
                item=attempt.item,
                step=below,
                text=text[-TAIL:],
                is_cut=known.view.is_cut or len(text) > TAIL,
                pieces=int(sign.done),
                is_over=bool(sign.total),
            )

    def of(
        self, step: str, is_running: Callable[[AttemptId], bool]
    ) -> tuple[tuple[StreamView, ...], int]:
        """What is to be shown, and how many besides. Those of attempts that ended are dropped."""
        with self._lock:
            mine = self._by_step.get(step)
            if not mine:
                return (), 0
            for key in [key for key, it in mine.items() if not is_running(it.attempt)]:
                del mine[key]
            views = [it.view for it in mine.values()]
        live = [view for view in views if not view.is_over]
        return tuple(live[:SHOWN] or views[-1:]), max(0, len(live) - SHOWN)

    def forget(self, step: str) -> None:
        """The step does not run."""
        with self._lock:
            self._by_step.pop(step, None)


def _drop_what_is_over(streams: dict[str, _Stream]) -> None:
    for key in [key for key, it in streams.items() if it.view.is_over]:
        del streams[key]
