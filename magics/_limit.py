"""`%stepwell limit`: what it takes."""

import re

from stepwell.errors import InvalidUsage
from stepwell.magics._duration import seconds
from stepwell.magics._options import Option, Parsed, Takes
from stepwell.magics._port import Notebook

__all__ = ["LIMIT_OPTIONS", "limit"]

LIMIT_OPTIONS: tuple[Option, ...] = (
    Option("--concurrent", Takes.ONE, "N", "at most so many at once"),
    Option("--rate", Takes.ONE, "N/TIME", "at most so many begun in that time: 60/min, 5/s, 100/h"),
    Option("--off", help="any number"),
)

_RATE = re.compile(r"(\d+)\s*/\s*(\d*)\s*(ms|s|sec|m|min|h|hour|d|day)")
_UNITS = {"sec": "s", "min": "m", "hour": "h", "day": "d"}


def limit(notebook: Notebook, parsed: Parsed) -> object:
    """Do what was typed. Raises `InvalidUsage`."""
    name = "".join(parsed.words[:1])
    given = [option.name for option in LIMIT_OPTIONS if parsed.has(option.name)]
    if not name:
        if given:
            raise InvalidUsage(f"which limit? %stepwell limit NAME {given[0]} …")
        return notebook.limit()
    if not given:
        raise InvalidUsage(f"say how many: %stepwell limit {name} --concurrent 5 --rate 60/min")
    rate, per = _rate(parsed.one("--rate")) if parsed.has("--rate") else (0, 0.0)
    concurrent = _number(parsed.one("--concurrent")) if parsed.has("--concurrent") else 0
    if parsed.has("--off") and given != ["--off"]:
        raise InvalidUsage("--off takes the limit away; leave the numbers out")
    return notebook.limit(name, concurrent=concurrent, rate=rate, per=per)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise InvalidUsage(f"--concurrent {text!r} is not a number of 1 or more")
    return int(text)


def _rate(text: str) -> tuple[int, float]:
    match = _RATE.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise InvalidUsage(f"--rate {text!r} is not a rate. Write 60/min, 5/s or 100/10m")
    unit = _UNITS.get(match[3], match[3])
    return int(match[1]), seconds(f"{match[2] or 1}{unit}", what="--rate")
