"""When each attempt began and ended: what the timeline is drawn from. Pure.

Told of records in any order and of some of them twice, it comes to the same: what was read
from the store and what is heard at the same moment overlap.
"""

from dataclasses import dataclass, field

__all__ = ["Spans"]

_ENDS = {
    "attempt_completed": "done",
    "attempt_failed": "failed",
    "attempt_interrupted": "cancelled",
}

Key = tuple[str, int]


@dataclass(slots=True)
class _Span:
    start: int = 0
    end: int = 0
    outcome: str = "running"


@dataclass(slots=True)
class Spans:
    """The attempts at the steps of one run. Items of mapped steps are not told apart."""

    _spans: dict[Key, _Span] = field(default_factory=dict[Key, _Span])
    _changed: dict[Key, None] = field(default_factory=dict[Key, None])

    def note(self, kind: str, step: str, attempt: int, at: int) -> None:
        """A record of this kind was written; other kinds than those of attempts say nothing."""
        if kind != "attempt_started" and kind not in _ENDS:
            return
        span = self._spans.setdefault((step, attempt), _Span())
        if kind == "attempt_started":
            span.start = at
        elif kind in _ENDS:
            span.end, span.outcome = at, _ENDS[kind]
        self._changed[step, attempt] = None

    def take_changed(self) -> list[list[object]]:
        """What is new since the last time, each as step, attempt, start, end, outcome."""
        changed, self._changed = self._changed, {}
        return [self._said(key) for key in changed]

    def everything(self) -> list[list[object]]:
        """All of them, which then count as told."""
        self._changed = {}
        return [self._said(key) for key in self._spans]

    def _said(self, key: Key) -> list[object]:
        span = self._spans[key]
        return [*key, span.start or span.end, span.end, span.outcome]
