"""A part of an environment that was captured for more: what some names need, and no more."""

import builtins
import types
from collections.abc import Collection, Iterable

from stepwell.workers.namespace._capture import Captured

__all__ = ["has_names", "narrowed"]


def has_names(captured: Captured, names: Iterable[str]) -> bool:
    """Whether all of them were captured, so far as there is anything to capture."""
    return all(name in captured.objects or hasattr(builtins, name) for name in names)


def narrowed(
    captured: Captured, names: Iterable[str], *, without: Collection[str] = ()
) -> Captured:
    """As if only these names had been captured then. `without` are inputs: not followed.

    Depends on nothing else in `captured`, so that its digest is the same whatever else was
    captured along with it.
    """
    part = Captured()
    pending = list(names)[::-1]
    seen = set(without)
    while pending:
        key = pending.pop()
        if key in seen:
            continue
        seen.add(key)
        if (binding := captured.bindings.get(key)) is not None:
            part.bindings[key] = binding
            pending += reversed(binding.uses)
        if "." in key:
            continue
        if key not in captured.objects:
            if not hasattr(builtins, key):
                part.missing.append(key)
            continue
        value = part.objects[key] = captured.objects[key]
        if key in captured.blobs:
            part.blobs[key] = captured.blobs[key]
        if key in captured.opaque:
            part.opaque[key] = captured.opaque[key]
        # A second name for a function or class comes back by way of the first.
        first = value.__name__ if isinstance(value, types.FunctionType | type) else key
        if first != key and captured.objects.get(first) is value:
            pending.append(first)
    return part
