"""Classes and type annotations: what they are made of."""

import sys
import types
from typing import Any

from stepwell.flow import BindingKind
from stepwell.workers.namespace._code import CodeFacts, class_facts
from stepwell.workers.namespace._description import Describing, Description, Parts
from stepwell.workers.namespace._functions import made_with
from stepwell.workers.namespace._kinds import ATOMS, attribute, is_dunder
from stepwell.workers.namespace._modules import Origin, origin_of

__all__ = ["class_origin", "describe_annotation", "describe_class"]

_TYPING = ("typing", "typing_extensions")

# Methods that a library made by executing text have no source anyone could have edited.
_GENERATED = ("<string>", "<attrs generated", "<frozen")


def class_origin(describing: Describing, kind: type) -> Origin:
    """Whose class it is."""
    if kind.__module__ == describing.namespace.get("__name__"):
        return Origin.NOTEBOOK
    return origin_of(kind.__module__)


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
        _add_member(describing, parts, name, member, facts)
    if facts.source is None:
        annotations: dict[str, object] = attribute(kind, "__annotations__") or {}
        describing.entries(parts, "annotation", annotations)
    return parts.described(BindingKind.CLASS, facts.detail or f"class {kind.__qualname__}")


def _add_member(
    describing: Describing, parts: Parts, name: str, member: object, facts: CodeFacts
) -> None:
    # Plain attributes may be assigned later than the class was defined.
    if type(member) in ATOMS and not is_dunder(name):
        describing.part(parts, f"member {name}", member)
    function = attribute(member, "__func__") or attribute(member, "fget") or member
    if not isinstance(function, types.FunctionType):
        return
    filename = function.__code__.co_filename
    if facts.source is not None and filename == facts.source.filename:
        made_with(describing, parts, function, tell=True)
    elif not filename.startswith(_GENERATED):
        describing.part(parts, f"member {name}", function)


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
