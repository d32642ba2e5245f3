"""The namespace a step's code runs in: its own, filled with its inputs and its environment.

Limits. Plain functions of the notebook are bound anew, so that they see the step's names;
so are those in plain lists, tuples, dicts and partials, and those a decorator wrapped with
a closure. Classes are shared, and their methods see the notebook's names as they are when
they run. So do functions inside objects, `functools.lru_cache` among them.
"""

import builtins
import functools
import types
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from stepwell.errors import ValueProblem
from stepwell.flow import BindingKind
from stepwell.store import Blob
from stepwell.store.values import decode, is_immutable
from stepwell.workers.namespace._capture import Captured
from stepwell.workers.namespace._kinds import kind_of
from stepwell.workers.namespace._rebind import copied

__all__ = ["build"]

_SHARED = (BindingKind.MODULE, BindingKind.SECRET, BindingKind.OPAQUE)


@dataclass(slots=True)
class _Plan:
    """How each name is given to a step; the same for every attempt."""

    shared: dict[str, object] = field(default_factory=dict[str, object])
    copied: dict[str, Blob] = field(default_factory=dict[str, Blob])
    bound: dict[str, object] = field(default_factory=dict[str, object])


def build(
    captured: Captured, inputs: Mapping[str, object], without: Collection[str] = ()
) -> dict[str, Any]:
    """The names one attempt starts with; nothing it does to them shows in the notebook.

    Those in `without` are left out.

    Constants are as they were when captured: shared if nothing in them can change, copies
    otherwise. Objects that cannot be written down are shared.
    """
    plan = captured.plan
    if not isinstance(plan, _Plan):
        plan = captured.plan = _planned(captured)
    namespace: dict[str, Any] = {
        "__name__": "__main__",
        "__doc__": None,
        "__builtins__": builtins,
        **plan.shared,
    }
    for name in without:
        namespace.pop(name, None)
    for name, blob in plan.copied.items():
        if name not in without:
            namespace[name] = _copy(blob, captured, name)
    rebound: dict[int, Any] = {}
    for name, value in plan.bound.items():
        if name not in without:
            namespace[name] = _bound(value, namespace, rebound)
    namespace.update(inputs)
    return namespace


def _planned(captured: Captured) -> _Plan:
    plan = _Plan()
    for name, value in captured.objects.items():
        binding = captured.bindings.get(name)
        if binding is None or binding.kind in _SHARED:
            plan.shared[name] = value
        elif binding.kind is BindingKind.VALUE:
            blob = captured.blobs.get(name)
            if blob is None or is_immutable(value):
                plan.shared[name] = value
            else:
                plan.copied[name] = blob
        else:
            plan.bound[name] = value
    return plan


def _copy(blob: Blob, captured: Captured, name: str) -> object:
    try:
        return decode(blob, resolve=captured.objects.get)
    except ValueProblem:
        return captured.objects[name]


def _bound(value: Any, namespace: dict[str, Any], done: dict[int, Any]) -> Any:
    """The value with the notebook's functions in it bound to this namespace."""
    if id(value) in done:
        return done[id(value)]
    kind = kind_of(value)
    if kind is types.FunctionType and value.__globals__.get("__name__") == "__main__":
        return _function(value, namespace, done)
    if kind is functools.partial:
        arguments = [_bound(item, namespace, done) for item in value.args]
        named = {key: _bound(item, namespace, done) for key, item in value.keywords.items()}
        return functools.partial(_bound(value.func, namespace, done), *arguments, **named)
    if kind is list or kind is tuple:
        items = [_bound(item, namespace, done) for item in value]
        return items if kind is list else tuple(items)
    if kind is dict:
        return {key: _bound(item, namespace, done) for key, item in value.items()}
    return value


def _function(
    function: types.FunctionType, namespace: dict[str, Any], done: dict[int, Any]
) -> types.FunctionType:
    cells = tuple(
        types.CellType() if _holds_function(cell) else cell for cell in function.__closure__ or ()
    )
    made = copied(function, namespace, cells)
    # Known before its cells are filled: a function may be held by its own closure.
    done[id(function)] = made
    for cell, original in zip(cells, function.__closure__ or (), strict=True):
        if cell is not original:
            cell.cell_contents = _bound(original.cell_contents, namespace, done)
    wrapped = function.__dict__.get("__wrapped__")
    if isinstance(wrapped, types.FunctionType):
        made.__dict__["__wrapped__"] = _bound(wrapped, namespace, done)
    return made


def _holds_function(cell: types.CellType) -> bool:
    try:
        return isinstance(cell.cell_contents, types.FunctionType)
    except ValueError:
        return False
