"""Times, durations and sizes, as people read them."""

from datetime import datetime

__all__ = ["clock_time", "duration", "elapsed", "plural", "size"]


def duration(seconds: float) -> str:
    """How long something took."""
    if seconds < 0.0005:
        return "0 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    return _long(round(seconds))


def elapsed(seconds: float) -> str:
    """How long something has been going on: whole seconds, and tens after a minute."""
    whole = max(0, int(seconds))
    return f"{whole} s" if whole < 60 else _long(whole - whole % 10 if whole < 3600 else whole)


def _long(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s"


def clock_time(moment: int, now: int) -> str:
    """A moment (microseconds since 1970) in local time, with the date unless it is today's."""
    if moment <= 0:
        return ""
    local = datetime.fromtimestamp(moment / 1e6).astimezone()
    today = datetime.fromtimestamp(now / 1e6).astimezone()
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    return f"{local:%Y-%m-%d %H:%M:%S}"


def size(count: int) -> str:
    """A number of bytes."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def plural(count: int, noun: str) -> str:
    """`1 step`, `2 steps`, `1,000 steps`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
