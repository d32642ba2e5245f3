"""Objects as digests: which kind each is, and what it is made of.

A notebook's function is described by its own source and by the *names* of what it uses;
what those names stand for is described apart, under their names. Objects without a name
of their own (defaults, closure values, wrapped functions) are part of their owner.
"""

import builtins
import functools
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stepwell.flow import BindingKind
from stepwell.store.values import Signer, type_name
from stepwell.workers.namespace._code import CodeFacts, class_facts, code_facts
from stepwell.workers.namespace._description import Description, Parts
from stepwell.workers.namespace._digest import combined
from stepwell.workers.namespace._kinds import (
    ATOMS,
    CONTAINERS,
    attribute,
    is_code_inside,
    is_dunder,
    module_of,
    wrapped_by,
)
from stepwell.workers.namespace._modules import Origin, module_digest, module_version, origin_of
from stepwell.workers.namespace._values import describe_value, instances_in

__all__ = ["Describer"]

_TYPING = ("typing", "types", "typing_extensions")
_GENERATED = ("<string>", "<attrs generated", "<frozen")


class Describer:
    """Describes objects as they are now. One for each capture: it remembers what it has seen."""

    def __init__(self, namespace: Mapping[str, object], signer: Signer | None = None) -> None:
        self.namespace = namespace
        self.signer = signer
        self._known: dict[int, tuple[object, Description]] = {}
        self._inside: dict[int, int] = {}
        self._reach = 0

    def describe(self, value: object) -> Description:
        """The object, told apart from an earlier version of itself."""
        if type(value) in ATOMS:
            return describe_value(value, self.namespace, self.signer, Parts())
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        depth = len(self._inside)
        self._inside[id(value)] = depth
        outer, self._reach = self._reach, depth
        try:
            found = self._describe(value)
        finally:
            del self._inside[id(value)]
        if self._reach >= depth:
            # Otherwise it leads back to what it is part of, and reads differently elsewhere.
            self._known[id(value)] = (value, found)
        self._reach = min(outer, self._reach)
        return found

    def scope(self, module: str | None, names: Mapping[str, object]) -> str | None:
        """What precedes a global name in its key: "" in the notebook; None for nowhere."""
        if names is self.namespace or origin_of(module) is Origin.NOTEBOOK:
            return ""
        loaded = sys.modules.get(module or "")
        return f"{module}." if getattr(loaded, "__dict__", None) is names else None

    def _describe(self, value: Any) -> Description:
        match value:
            case types.ModuleType():
                return self._module(value)
            case types.FunctionType():
                return self._function(value)
            case type():
                return self._class(value)
            case types.BuiltinFunctionType() if not _is_bound(value):
                return self._installed(value)
            case _:
                parts = self._callable(value)
        if parts is not None:
            return parts.described(BindingKind.FUNCTION, self._shown(value))
        parts = self._annotation(value) if type(value).__module__ in _TYPING else None
        if parts is not None:
            return parts.described(BindingKind.CLASS, repr(value))
        if _is_importable(value):
            return self._installed(value)
        return describe_value(value, self.namespace, self.signer, self._classes_of(value))

    # -- modules and what is installed ----------------------------------------------------

    def _module(self, module: types.ModuleType) -> Description:
        name = module.__name__
        if origin_of(name, getattr(module, "__file__", None)) is Origin.OWN:
            return Description(BindingKind.MODULE, module_digest(module), name)
        return _versioned(name, name)

    def _installed(self, value: Any) -> Description:
        module = attribute(value, "__module__") or "builtins"
        name = attribute(value, "__qualname__") or attribute(value, "__name__") or ""
        return _versioned(module, f"{module}.{name}")

    # -- functions ------------------------------------------------------------------------

    def _function(self, function: types.FunctionType) -> Description:
        module = module_of(function)
        origin = self._origin(function.__globals__, module, function.__code__.co_filename)
        wrapped = wrapped_by(function)
        if origin is Origin.INSTALLED and wrapped is None and not function.__closure__:
            return self._installed(function)
        parts = Parts()
        if origin in (Origin.INSTALLED, Origin.STEPWELL):
            self._foreign(parts, function, module, origin)
            shown = self._shown(function)
        else:
            facts = code_facts(function.__code__)
            self._own(parts, facts, module, function.__globals__)
            shown = facts.detail if wrapped is None else self._shown(function)
        self._made_with(parts, function, is_own=origin not in (Origin.INSTALLED, Origin.STEPWELL))
        if wrapped is not None:
            self._part(parts, "wrapped", wrapped)
        return parts.described(BindingKind.FUNCTION, shown)

    def _origin(self, names: Mapping[str, object], module: str | None, filename: str) -> Origin:
        return Origin.NOTEBOOK if names is self.namespace else origin_of(module, filename)

    def _foreign(
        self, parts: Parts, function: types.FunctionType, module: str | None, origin: Origin
    ) -> None:
        version = module_version(module) if module and origin is Origin.INSTALLED else ""
        parts.add("foreign", module or "", function.__code__.co_qualname, version)

    def _own(
        self, parts: Parts, facts: CodeFacts, module: str | None, names: Mapping[str, object]
    ) -> None:
        parts.add("code", facts.digest)
        prefix = self.scope(module, names)
        if prefix is not None:
            parts.uses |= dict.fromkeys(prefix + name for name in _told(facts.uses, names))
            parts.needs |= dict.fromkeys(prefix + name for name in _told(facts.needs, names))

    def _made_with(self, parts: Parts, function: types.FunctionType, *, is_own: bool) -> None:
        for at, default in enumerate(function.__defaults__ or ()):
            self._part(parts, f"default {at}", default, tell=is_own)
        for name, default in sorted((function.__kwdefaults__ or {}).items()):
            self._part(parts, f"default {name}", default, tell=is_own)
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            # `super()` makes every method hold its class.
            if name != "__class__":
                self._part(parts, f"closure {name}", _content(cell), tell=is_own)

    def _callable(self, value: Any) -> Parts | None:
        """Parts of what calls something else; None for what is not of that sort."""
        parts = Parts()
        parts.add(type(value).__qualname__)
        match value:
            case functools.partial():
                self._part(parts, "function", value.func)
                self._each(parts, "argument", value.args)
                self._entries(parts, "argument", value.keywords)
            case types.MethodType():
                self._part(parts, "function", value.__func__)
                self._part(parts, "self", value.__self__)
            case types.BuiltinFunctionType() | types.MethodWrapperType():
                parts.add(value.__name__)
                self._part(parts, "self", value.__self__)
            case staticmethod() | classmethod():
                self._part(parts, "function", value.__func__)
            case property():
                self._each(parts, "function", (value.fget, value.fset, value.fdel))
            case _ if type(value) in CONTAINERS and is_code_inside(value):
                self._container(parts, value)
            case _ if (wrapped := wrapped_by(value)) is not None:
                self._wrapper(parts, value, wrapped)
            case _:
                return None
        return parts

    def _container(self, parts: Parts, value: Any) -> None:
        if isinstance(value, dict):
            self._entries(parts, "item", value)
        elif isinstance(value, list | tuple):
            self._each(parts, "item", value)
        else:
            inner = [self._alone(parts, item) for item in value]
            parts.add(*sorted(inner))

    def _wrapper(self, parts: Parts, value: Any, wrapped: object) -> None:
        if origin_of(type(value).__module__) is not Origin.STEPWELL:
            self._part(parts, "type", type(value))
        if isinstance(value, functools._lru_cache_wrapper):
            self._entries(parts, "cache", value.cache_parameters())
        self._part(parts, "wrapped", wrapped)

    def _annotation(self, value: Any) -> Parts | None:
        """`list[int]`, `int | None`, `Literal["a"]`, a NewType, a TypeVar."""
        inside = [getattr(value, name, None) for name in ("__origin__", "__supertype__")]
        arguments: tuple[object, ...] = getattr(value, "__args__", ())
        bound = getattr(value, "__bound__", None)
        name = getattr(value, "__name__", "")
        if not (any(inside) or arguments or (isinstance(name, str) and name)):
            return None
        parts = Parts()
        parts.add(type(value).__qualname__)
        parts.add(name if isinstance(name, str) else "")
        self._each(parts, "argument", (*inside, bound, *arguments))
        return parts

    # -- classes --------------------------------------------------------------------------

    def _class(self, kind: type) -> Description:
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        origin = origin_of(kind.__module__, file)
        if kind.__module__ == self.namespace.get("__name__"):
            origin = Origin.NOTEBOOK
        if origin in (Origin.INSTALLED, Origin.STEPWELL):
            return self._installed(kind)
        facts = class_facts(kind)
        parts = Parts()
        names: Mapping[str, object] = (
            self.namespace
            if origin is Origin.NOTEBOOK
            else getattr(sys.modules.get(kind.__module__), "__dict__", {})
        )
        self._own(parts, facts, kind.__module__, names)
        self._each(parts, "base", [base for base in kind.__bases__ if base is not object])
        if type(kind) is not type:
            self._part(parts, "metaclass", type(kind))
        self._members(parts, kind, facts)
        return parts.described(BindingKind.CLASS, facts.detail or f"class {kind.__qualname__}")

    def _members(self, parts: Parts, kind: type, facts: CodeFacts) -> None:
        for name, member in sorted(kind.__dict__.items()):
            if type(member) in ATOMS and not (name.startswith("__") and name.endswith("__")):
                self._part(parts, f"member {name}", member)
            function = getattr(member, "__func__", getattr(member, "fget", member))
            if not isinstance(function, types.FunctionType):
                continue
            source = facts.source
            filename = function.__code__.co_filename
            if source is not None and filename == source.filename:
                self._made_with(parts, function, is_own=True)
            elif not filename.startswith(_GENERATED):
                self._part(parts, f"member {name}", function)
        if facts.source is None:
            for name, annotation in kind.__dict__.get("__annotations__", {}).items():
                self._part(parts, f"annotation {name}", annotation)

    def _classes_of(self, value: object) -> Parts:
        """The user's classes whose instances a value consists of: their methods are its code."""
        parts = Parts()
        for kind in instances_in(value):
            if origin_of(kind.__module__) in (Origin.NOTEBOOK, Origin.OWN):
                self._part(parts, "class", kind, tell=False)
        return parts

    # -- parts ----------------------------------------------------------------------------

    def _each(self, parts: Parts, what: str, values: Iterable[object]) -> None:
        for at, value in enumerate(values):
            self._part(parts, f"{what} {at}", value)

    def _entries(self, parts: Parts, what: str, values: Mapping[Any, object]) -> None:
        for key, value in values.items():
            self._part(parts, f"{what} key", key)
            self._part(parts, what, value)

    def _part(self, parts: Parts, what: str, value: object, *, tell: bool = True) -> None:
        """Make `value` a part. `tell`: if it is opaque, so is the owner to that extent."""
        parts.add(what)
        inner = Parts()
        parts.add(self._alone(inner, value))
        parts.uses |= inner.uses
        parts.needs |= inner.needs
        if inner.opaque and tell and not parts.opaque:
            parts.opaque = f"{inner.opaque} ({what})"

    def _alone(self, parts: Parts, value: object) -> str:
        key = self.key(value)
        if key is not None:
            parts.uses[key] = None
            return f"name {key}"
        if id(value) in self._inside:
            self._reach = min(self._reach, self._inside[id(value)])
            return f"around {len(self._inside) - self._inside[id(value)]}"
        found = self.describe(value)
        parts.uses |= dict.fromkeys(found.uses)
        parts.needs |= dict.fromkeys(found.needs)
        if type(value) is not object:  # a mark of its own kind, told apart by place
            parts.opaque = parts.opaque or found.opaque
        return f"{found.kind}:{found.digest}"

    def key(self, value: object) -> str | None:
        """The key a function or class of the user's is described under; None for others."""
        if not isinstance(value, types.FunctionType | type):
            return None
        name = value.__name__
        if self.namespace.get(name) is value:
            origin = origin_of(module_of(value))
            return name if origin in (Origin.NOTEBOOK, Origin.OWN, Origin.DETACHED) else None
        module = value.__module__
        if origin_of(module) is not Origin.OWN:
            return None
        found = getattr(sys.modules.get(module), "__dict__", {}).get(name)
        return f"{module}.{name}" if found is value else None

    def _shown(self, value: object) -> str:
        """A callable for people: the source of the function at its core."""
        core: Any = value
        for _ in range(20):
            inner = (
                wrapped_by(core) or getattr(core, "__func__", None) or getattr(core, "func", None)
            )
            if not callable(inner):
                break
            core = inner
        if isinstance(core, types.FunctionType):
            return code_facts(core.__code__).detail or f"function {core.__qualname__}"
        return type_name(value)


def _told(found: Iterable[str], names: Mapping[str, object]) -> Iterator[str]:
    """Without Python's own names, unless somebody has given them another meaning."""
    for name in found:
        if (name in names or not hasattr(builtins, name)) and not is_dunder(name):
            yield name


def _is_bound(value: Any) -> bool:
    owner = value.__self__
    return owner is not None and not isinstance(owner, types.ModuleType)


def _is_importable(value: Any) -> bool:
    """Whether importing gives this very object: numpy's functions, a library's constants."""
    if not callable(value):
        return False
    module = attribute(value, "__module__")
    name = attribute(value, "__qualname__") or attribute(value, "__name__")
    if not isinstance(module, str) or not isinstance(name, str):
        return False
    if origin_of(module) is not Origin.INSTALLED:
        return False
    return getattr(sys.modules.get(module), name, None) is value


def _versioned(module: str, name: str) -> Description:
    version = "" if module == "builtins" else module_version(module)
    detail = f"{name} {version}".rstrip()
    return Description(BindingKind.MODULE, combined("installed", name, version), detail)


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # not filled yet
