"""Which values need no copy when several read them."""

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from stepwell.store.values._names import class_of

__all__ = ["is_immutable"]

_ATOMS: frozenset[type] = frozenset(
    {type(None), bool, int, float, complex, str, bytes, range, type(...), type(NotImplemented)}
    | {date, timedelta, timezone, ZoneInfo, Decimal, Fraction, UUID}
    | {PosixPath, WindowsPath, PurePosixPath, PureWindowsPath}
)
_ZONES = (type(None), timezone, ZoneInfo)


def is_immutable(value: object) -> bool:
    """Whether nothing in the value can ever change: no reader needs a copy of its own.

    Exact built-in and standard types only; everything else is taken to be mutable.
    """
    if class_of(value) in _ATOMS:
        return True
    waiting: list[Any] = [value]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        kind = class_of(one)
        if kind in _ATOMS or issubclass(kind, Enum):
            continue
        if kind is tuple or kind is frozenset:
            if id(one) not in seen:
                seen.add(id(one))
                waiting.extend(one)
        elif not (kind in (datetime, time) and type(one.tzinfo) in _ZONES):
            return False
    return True
