"""Sleeping in a step, over restarts."""

from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from stepwell.errors import InvalidUsage
from stepwell.inside._current import Inside, awaiting
from stepwell.inside._spans import Span, moment_of, span_of
from stepwell.orchestrator import TimerSet, WaitResumed

__all__ = ["sleep"]


def sleep(
    duration: Span | None = None, *, until: datetime | None = None
) -> Coroutine[Any, Any, None]:
    """Go on after so long, or at that time; restarts in between change nothing about when.

    `duration` is in seconds, or a text like `"3d"`, or a `timedelta`, counted from when the
    code first came here. Nothing is held meanwhile but the step's own names. When the step
    runs again, a sleep that is over is not slept again. Raises `InvalidUsage`. In code that
    does not await it is `stepwell.blocking.sleep`.
    """
    inside = awaiting("sleep")
    if (duration is None) is (until is None):
        raise InvalidUsage("stepwell.sleep() takes a duration, or until=…")
    if until is not None:
        due = moment_of(until)
        return _slept(inside, f"sleep:until {due}", due)
    length = span_of(duration, what="stepwell.sleep()")
    due = inside.link.now() + round(length * 1_000_000)
    return _slept(inside, f"sleep:{length:g}", due)


async def _slept(inside: Inside, what: str, due: int) -> None:
    key = inside.call_key(what)
    known = inside.remembered(key)
    if known is not None and known.is_closed:
        return
    event = TimerSet(key, due) if known is None else WaitResumed(key)
    await inside.awaited(inside.note(event))
    with inside.at_rest():
        call = await inside.awaited(inside.closed(key))
    inside.keep(call)
