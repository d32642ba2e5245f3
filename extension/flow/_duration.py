"""Durations as people type them."""

import math
import re

from stepwell.errors import InvalidUsage

__all__ = ["seconds"]

_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|h|d|)")


def seconds(text: str, *, what: str) -> float:
    """`250ms`, `60s`, `1.5m`, `2h`, `1d` or plain seconds, in seconds.

    `what` is what the error message calls it. Raises `InvalidUsage`.
    """
    match = _DURATION.fullmatch(text.strip())
    length = float(match[1]) * _SECONDS[match[2]] if match else math.inf
    if not math.isfinite(length):
        raise InvalidUsage(
            f"{what}: {text!r} is not a duration. Write 250ms, 60s, 1.5m, 2h, or plain seconds."
        )
    return length
