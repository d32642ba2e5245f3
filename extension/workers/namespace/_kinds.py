"""What sort of thing an object is, asked without running any code of its own."""

import functools
import re
import types
from itertools import islice
from typing import Any

__all__ = [
    "ATOMS",
    "CACHED",
    "CONTAINERS",
    "MOST_LOOKED_AT",
    "attribute",
    "is_code_inside",
    "is_dunder",
    "is_history",
    "kind_of",
    "module_of",
    "parts_of",
    "wrapped_by",
]

ATOMS: frozenset[type] = frozenset({type(None), bool, int, float, complex, str, bytes})
CONTAINERS: frozenset[type] = frozenset({list, tuple, dict, set, frozenset})

MOST_LOOKED_AT = 1_000
"""Of a container's parts; a large table of numbers is not searched for functions."""

CACHED: type = type(functools.lru_cache(lambda: None))
"""What `functools.lru_cache` makes of a function."""

_HISTORY = re.compile(r"_{1,3}|_(i{1,3}|ih|oh|dh|exit_code|i?\d+)")

_CODE = (
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.ModuleType,
    functools.partial,
    staticmethod,
    classmethod,
    type,
)


def kind_of(value: object) -> type:
    """`type(value)`, for checkers that would rather know of what."""
    return type(value)


def attribute(value: object, name: str) -> Any:
    """An attribute, past any `__getattr__`: a proxy may ask a server. None if there is none."""
    try:
        return object.__getattribute__(value, name)
    except Exception:
        return None


def is_dunder(name: str) -> bool:
    """Whether Python itself provides it, such as `__name__`."""
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def is_history(name: str) -> bool:
    """Whether IPython keeps what was typed and shown under the name, such as `_` and `_i3`."""
    return name.startswith("_") and _HISTORY.fullmatch(name) is not None


def module_of(value: object) -> str | None:
    """The module whose code a function, class or any other object runs."""
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, types.FunctionType):
        # Not `__module__`: functools.wraps copies that from the wrapped function.
        found = value.__globals__.get("__name__")
    elif isinstance(value, type | types.BuiltinFunctionType):
        found = value.__module__ or "builtins"
    else:
        found = type(value).__module__
    return found if isinstance(found, str) else None


def wrapped_by(value: object) -> Any:
    """What a decorated function wraps; None for everything else."""
    if isinstance(value, type) or not callable(value):
        return None
    found = attribute(value, "__wrapped__")
    return found if callable(found) else None


def parts_of(value: object) -> tuple[list[str], list[str], list[object]] | None:
    """What one of our own objects says that it is made of: marks, names it uses, objects."""
    said = getattr(type(value), "__stepwell_parts__", None)
    if isinstance(value, type) or said is None:
        return None
    found: tuple[list[str], list[str], list[object]] = said(value)
    return found


def is_code_inside(value: Any) -> bool:
    """Whether a container holds functions, classes or modules, as far as it is looked into."""
    pending: list[Any] = [value]
    seen = 0
    while pending and seen < MOST_LOOKED_AT:
        one = pending.pop()
        seen += 1
        kind = kind_of(one)
        if kind in ATOMS:
            continue
        if kind in CONTAINERS:
            pending += islice(one.values() if kind is dict else one, MOST_LOOKED_AT)
        elif isinstance(one, _CODE) or wrapped_by(one) is not None or parts_of(one) is not None:
            return True
    return False
