"""Lengths of time and moments as code gives them."""

from datetime import datetime, timedelta

from stepwell.errors import InvalidUsage
from stepwell.flow import seconds

__all__ = ["Span", "moment_of", "span_of"]

Span = float | str | timedelta
"""Seconds, `"90s"`, `"1.5h"`, `"3d"`, or a `timedelta`."""


def span_of(span: Span | None, *, what: str) -> float:
    """So many seconds; 0 for None. Raises `InvalidUsage`."""
    match span:
        case None:
            return 0.0
        case timedelta():
            length = span.total_seconds()
        case str():
            return seconds(span, what=what)
        case _:
            length = float(span)
    if not 0 <= length < 1e11:
        raise InvalidUsage(f"{what}: {span!r} is not a length of time")
    return length


def moment_of(until: datetime) -> int:
    """Microseconds UTC; without a time zone it is local time."""
    return round(until.astimezone().timestamp() * 1_000_000)
