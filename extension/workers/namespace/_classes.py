"""Classes and type annotations: what they are made of."""

import inspect
import sys
import types
from dataclasses import replace
from typing import Any

from stepwell.flow import BindingKind
from stepwell.workers.namespace._code import class_facts, code_facts
from stepwell.workers.namespace._description import Describing, Description, Parts
from stepwell.workers.namespace._digest import code_object_digest
from stepwell.workers.namespace._functions import is_foreign, made_with
from stepwell.workers.namespace._kinds import ATOMS, attribute, is_dunder, module_of
from stepwell.workers.namespace._modules import Origin, origin_of
from stepwell.workers.namespace._source import Source

__all__ = ["class_origin", "describe_annotation", "describe_class"]

_TYPING = ("typing", "typing_extensions")

_MADE_BY_PYTHON = 1 << 9
"""The flag of a class that is not built into the interpreter or a library of C."""

# Methods that a library made by executing text have no source anyone could have edited.
_GENERATED = ("<string>", "<attrs generated", "<frozen")


def class_origin(describing: Describing, kind: type) -> Origin:
    """Whose class it is."""
    if kind.__module__ == describing.namespace.get("__name__"):
        return Origin.NOTEBOOK
    origin = origin_of(kind.__module__)
    if origin is Origin.INSTALLED and kind.__flags__ & _MADE_BY_PYTHON:
        # One that is not where it says was made by a call, perhaps of the user's.
        return origin if _is_where_it_says(kind) else Origin.DETACHED
    return origin


def _is_where_it_says(kind: type) -> bool:
    found: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = attribute(found, "__dict__").get(name) if found is not None else None
    return found is kind


def describe_class(describing: Describing, kind: type) -> Description:
    """A class of the user's: by its source, its bases and what its methods read."""
    facts = class_facts(kind)
    parts = Parts()
    loaded = getattr(sys.modules.get(kind.__module__), "__dict__", {})
    is_notebook = class_origin(describing, kind) is Origin.NOTEBOOK
    names = describing.namespace if is_notebook else loaded
    describing.code(parts, facts, kind.__module__, names)
    describing.each(parts, "base", [base for base in kind.__bases__ if base is not object])
    if type(kind) is not type:
        describing.part(parts, "metaclass", type(kind))
    for name, member in sorted(kind.__dict__.items()):
        if facts.source is not None:
            _add_member(describing, parts, name, member, facts.source)
        else:
            _add_whole_member(describing, parts, name, member)
    if facts.source is None:
        describing.entries(parts, "annotation", inspect.get_annotations(kind))
    return parts.described(BindingKind.CLASS, facts.detail or f"class {kind.__qualname__}")


def _add_member(
    describing: Describing, parts: Parts, name: str, member: object, source: Source
) -> None:
    """What the source does not say of a member."""
    # Plain attributes may be assigned later than the class was defined.
    if type(member) in ATOMS and not is_dunder(name):
        describing.part(parts, f"member {name}", member)
    function = attribute(member, "__func__") or attribute(member, "fget") or member
    if not isinstance(function, types.FunctionType):
        return
    filename = function.__code__.co_filename
    if filename == source.filename:
        made_with(describing, parts, function, tell=True)
    elif not filename.startswith(_GENERATED):
        describing.part(parts, f"member {name}", function)


def _add_whole_member(describing: Describing, parts: Parts, name: str, member: Any) -> None:
    """All there is to a member, of a class without source."""
    inner = [attribute(member, part) for part in ("__func__", "fget", "fset", "fdel")]
    functions = [one for one in (member, *inner) if isinstance(one, types.FunctionType)]
    for function in functions:
        if is_foreign(function, describing.namespace):
            describing.part(parts, f"member {name}", function, tell=False)
            continue
        # By its code: the class comes back from a pickle, without the text of its cell.
        digest = code_object_digest(function.__code__)
        facts = replace(code_facts(function.__code__), digest=digest)
        parts.add(f"member {name}")
        describing.code(parts, facts, module_of(function), function.__globals__)
        made_with(describing, parts, function, tell=False)
    if not functions and not is_dunder(name):
        describing.part(parts, f"member {name}", member, tell=False)


def describe_annotation(describing: Describing, value: Any) -> Description | None:
    """`list[int]`, `int | None`, `Literal["a"]`, a NewType, a TypeVar; None for others."""
    is_builtin = isinstance(value, types.GenericAlias | types.UnionType)
    if not is_builtin and type(value).__module__ not in _TYPING:
        return None
    name = attribute(value, "__name__") or attribute(value, "_name")
    arguments: tuple[object, ...] = attribute(value, "__args__") or ()
    inside = [attribute(value, part) for part in ("__origin__", "__supertype__", "__bound__")]
    if not (isinstance(name, str) or arguments or any(part is not None for part in inside)):
        return None
    parts = Parts()
    parts.add(type(value).__qualname__, str(name))
    describing.each(parts, "argument", (*inside, *arguments))
    return parts.described(BindingKind.CLASS, repr(value))
