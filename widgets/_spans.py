"""When each attempt ran and when it waited: what the timeline is drawn from. Pure.

Told of records in any order and of some of them twice, it comes to the same: what was read
from the store and what is heard at the same moment overlap.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["SPAN_KINDS", "SpanRecord", "Spans"]

_ENDS = {
    "attempt_completed": "done",
    "attempt_failed": "failed",
    "attempt_interrupted": "interrupted",
}
_STOPPED = frozenset({"cancelled", "source_ended"})
"""Reasons for which an attempt was ended; of others nobody knows how long it went on."""
_OPENS = {
    "approval_requested": "person",
    "timer_set": "sleep",
    "message_awaited": "message",
    "child_started": "child",
}
_CLOSES = frozenset({"approval_decided", "wait_ended", "message_received", "child_settled"})
_RESTORED = frozenset({"step_reused", "checkpoint_shared"})
_MOST = 500

SPAN_KINDS = frozenset({"attempt_started", "call_tried", *_ENDS, *_OPENS, *_CLOSES, *_RESTORED})
"""Records of other kinds say nothing of when something ran or waited."""

Key = tuple[str, int]
"""A step and the number of an attempt."""
Call = tuple[str, str]
"""A step and the call that waits."""


class SpanRecord(NamedTuple):
    """A record that tells when something ran or waited."""

    kind: str
    step: str
    attempt: int
    at: int
    call: str = ""
    """What waits, or is waited for."""
    said: str = ""
    """What there is to say of it; of an end the reason."""
    until: int = 0
    """When it is tried again."""


@dataclass(slots=True)
class _Span:
    start: int = 0
    end: int = 0
    outcome: str = "running"


@dataclass(slots=True)
class _Stretch:
    """What waits for the same thing, perhaps more than once: ends belong to the start before."""

    kind: str = ""
    said: str = ""
    attempt: int = 0
    starts: list[int] = field(default_factory=list[int])
    ends: list[int] = field(default_factory=list[int])


@dataclass(slots=True)
class Spans:
    """The attempts at the steps of one run, and the stretches in which they waited.

    Of each step the newest 500 stretches. Items of mapped steps are not told apart.
    """

    _spans: dict[Key, _Span] = field(default_factory=dict[Key, _Span])
    _stretches: dict[str, dict[str, _Stretch]] = field(
        default_factory=dict[str, dict[str, _Stretch]]
    )
    _changed: dict[Key, None] = field(default_factory=dict[Key, None])
    _waited: dict[Call, None] = field(default_factory=dict[Call, None])
    # When anything is known to have gone on: what was cut off did so until then at least.
    _moments: list[int] = field(default_factory=list[int])

    def note(self, record: SpanRecord) -> None:
        """This was written; records of other kinds say nothing."""
        kind, step, at = record.kind, record.step, record.at
        if kind == "attempt_started" or kind in _ENDS:
            self._note_attempt(record)
        if kind in _OPENS:
            self._begin(record, record.call, _OPENS[kind])
        elif kind in _CLOSES:
            _insert(self._stretch(step, record.call).ends, at)
        elif kind in _RESTORED:
            self._restored(step, at)
        elif record.until and kind in ("attempt_failed", "call_tried"):
            call = f"{record.call} {record.attempt} {at}"
            self._begin(record, call, "backoff")
            _insert(self._stretch(step, call).ends, record.until)

    def _note_attempt(self, record: SpanRecord) -> None:
        kind, key = record.kind, (record.step, record.attempt)
        span = self._spans.setdefault(key, _Span())
        if kind == "attempt_started":
            span.start = record.at
        else:
            span.end = record.at
            span.outcome = "cancelled" if record.said in _STOPPED else _ENDS[kind]
        if kind != "attempt_interrupted":
            _insert(self._moments, record.at)
        self._changed[key] = None

    def _stretch(self, step: str, call: str) -> _Stretch:
        calls = self._stretches.setdefault(step, {})
        if call not in calls and len(calls) >= _MOST:
            del calls[next(iter(calls))]
        self._waited[step, call] = None
        return calls.setdefault(call, _Stretch())

    def _begin(self, record: SpanRecord, call: str, kind: str) -> None:
        stretch = self._stretch(record.step, call)
        stretch.kind, stretch.said, stretch.attempt = kind, record.said[:200], record.attempt
        _insert(stretch.starts, record.at)

    def _restored(self, step: str, at: int) -> None:
        stretch = self._stretch(step, "restored")
        stretch.kind = "restored"
        stretch.starts = stretch.ends = [max([at, *stretch.starts])]

    def take_changed(self) -> "tuple[list[list[object]], list[list[object]]]":
        """What is new since the last time: attempts, each as step, attempt, start, end,
        outcome; stretches, each as step, attempt, key, kind, start, end, and what is said.
        """
        changed, self._changed = self._changed, {}
        waited, self._waited = self._waited, {}
        return [self._said(key) for key in changed], [
            said for step, call in waited for said in self._told(step, call)
        ]

    def everything(self) -> "tuple[list[list[object]], list[list[object]]]":
        """All of them, as above, which then count as told."""
        self._changed, self._waited = {}, {}
        return [self._said(key) for key in self._spans], [
            said
            for step, calls in self._stretches.items()
            for call in calls
            for said in self._told(step, call)
        ]

    def _said(self, key: Key) -> list[object]:
        span = self._spans[key]
        start, end = span.start or span.end, span.end
        if span.outcome == "interrupted":
            seen = bisect_left(self._moments, end)
            end = max(start, self._moments[seen - 1] if seen else start)
        return [*key, start, end, span.outcome]

    def _told(self, step: str, call: str) -> list[list[object]]:
        stretch = self._stretches[step].get(call)
        if stretch is None:
            return []
        found: list[list[object]] = []
        for number, start in enumerate(stretch.starts):
            at = bisect_left(stretch.ends, start)
            end = stretch.ends[at] if at < len(stretch.ends) else 0
            following = stretch.starts[number + 1 : number + 2]
            end = min(end or following[0], following[0]) if following else end
            key = f"{call} {number}"
            found.append([step, stretch.attempt, key, stretch.kind, start, end, stretch.said])
        return found


def _insert(moments: list[int], at: int) -> None:
    """In order, once."""
    if not moments or moments[-1] < at:
        moments.append(at)
    elif moments[bisect_left(moments, at)] != at:
        insort(moments, at)
