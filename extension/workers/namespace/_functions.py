"""Functions, and objects that only call one: what they are made of."""

import functools
import types
from collections.abc import Mapping
from typing import Any

from stepwell.flow import BindingKind
from stepwell.store.values import type_name
from stepwell.workers.namespace._code import code_facts
from stepwell.workers.namespace._description import Describing, Description, Parts
from stepwell.workers.namespace._kinds import (
    CONTAINERS,
    attribute,
    is_code_inside,
    kind_of,
    module_of,
    parts_of,
    wrapped_by,
)
from stepwell.workers.namespace._modules import Origin, module_version, origin_of

__all__ = ["callable_parts", "describe_function", "is_foreign", "made_with", "shown"]


def is_foreign(function: types.FunctionType, namespace: Mapping[str, object]) -> bool:
    """Whether the code is not the user's: installed, or our own."""
    if function.__globals__ is namespace:
        return False
    origin = origin_of(module_of(function), function.__code__.co_filename)
    return origin in (Origin.INSTALLED, Origin.STEPWELL)


def describe_function(describing: Describing, function: types.FunctionType) -> Description:
    """A function by its source, or by version where the code is not the user's."""
    parts = Parts()
    module = module_of(function)
    wrapped = wrapped_by(function)
    foreign = is_foreign(function, describing.namespace)
    if foreign:
        is_ours = origin_of(module) is Origin.STEPWELL
        version = "" if is_ours or module is None else module_version(module)
        parts.add("foreign", module or "", function.__code__.co_qualname, version)
    else:
        describing.code(parts, code_facts(function.__code__), module, function.__globals__)
    made_with(describing, parts, function, tell=not foreign)
    if wrapped is not None:
        describing.part(parts, "wrapped", wrapped)
    return parts.described(BindingKind.FUNCTION, shown(function))


def made_with(
    describing: Describing, parts: Parts, function: types.FunctionType, *, tell: bool
) -> None:
    """Make parts of the values a function was made with: defaults and closure."""
    for at, default in enumerate(function.__defaults__ or ()):
        describing.part(parts, f"default {at}", default, tell=tell)
    for name, default in sorted((function.__kwdefaults__ or {}).items()):
        describing.part(parts, f"default {name}", default, tell=tell)
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        # `super()` makes every method hold its class.
        if name != "__class__":
            describing.part(parts, f"closure {name}", _content(cell), tell=tell)


def callable_parts(describing: Describing, value: Any) -> Parts | None:
    """Parts of what calls something else; None for what is not of that sort."""
    parts = Parts()
    parts.add(type(value).__qualname__)
    match value:
        case functools.partial():
            describing.part(parts, "function", value.func)
            describing.each(parts, "argument", value.args)
            describing.entries(parts, "argument", value.keywords)
        case types.MethodType():
            describing.part(parts, "function", value.__func__)
            describing.part(parts, "self", value.__self__)
        case types.BuiltinFunctionType() | types.MethodWrapperType():
            parts.add(value.__name__)
            describing.part(parts, "self", value.__self__)
        case _ if kind_of(value) in (staticmethod, classmethod):
            describing.part(parts, "function", value.__func__)
        case property():
            describing.each(parts, "function", (value.fget, value.fset, value.fdel))
        case _ if type(value) in CONTAINERS and is_code_inside(value):
            _add_container(describing, parts, value)
        case _ if (said := parts_of(value)) is not None:
            marks, uses, made_of = said
            parts.add(*marks)
            parts.uses |= dict.fromkeys(uses)
            describing.each(parts, "function", made_of)
        case _ if (wrapped := wrapped_by(value)) is not None:
            _add_wrapper(describing, parts, value, wrapped)
        case _:
            return None
    return parts


def _add_container(describing: Describing, parts: Parts, value: Any) -> None:
    kind = kind_of(value)
    if kind is dict:
        describing.entries(parts, "item", value)
    elif kind is list or kind is tuple:
        describing.each(parts, "item", value)
    else:
        parts.add(*sorted(describing.token(parts, item) for item in value))


def _add_wrapper(describing: Describing, parts: Parts, value: Any, wrapped: object) -> None:
    kind = kind_of(value)
    if origin_of(kind.__module__) is not Origin.STEPWELL:
        describing.part(parts, "type", kind)
    cache = attribute(value, "cache_parameters")
    if cache is not None and kind.__module__ == "functools":
        describing.entries(parts, "cache", cache())
    describing.part(parts, "wrapped", wrapped)


def shown(value: object) -> str:
    """A callable for people: the source of the function at its core."""
    core: Any = value
    for _ in range(20):
        inner = wrapped_by(core) or attribute(core, "__func__") or attribute(core, "func")
        if not callable(inner):
            break
        core = inner
    if isinstance(core, types.FunctionType):
        return code_facts(core.__code__).detail or f"function {core.__qualname__}"
    return type_name(value)


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # not filled yet
