"""What a type is called by people."""

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["class_of", "full_name", "type_name"]

class_of: Callable[[object], type[Any]] = type
"""`type`, and no more than that: what a value of any type is an instance of."""


def full_name(kind: type) -> str:
    """Module and qualified name, as the interpreter has them."""
    return f"{kind.__module__}.{kind.__qualname__}"


def type_name(value: object) -> str:
    """The value's type as a person would write it: `dict`, `pandas.DataFrame`, `Plan`."""
    kind = class_of(value)
    module = kind.__module__
    if module in ("builtins", "__main__"):
        return kind.__qualname__
    # Libraries offer their classes at the front door: not pandas.core.frame.DataFrame.
    root = str(module).partition(".")[0]
    for door in (root.lstrip("_"), root):
        front: dict[str, Any] = getattr(sys.modules.get(door), "__dict__", {})
        if front.get(kind.__name__) is kind:
            return f"{door}.{kind.__name__}"
    return full_name(kind)
