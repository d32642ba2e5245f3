"""Objects as digests: which kind each is, and what it is made of.

A notebook's function is described by its own source and by the *names* of what it uses;
what those names stand for is described apart, under their names. Objects without a name
of their own (defaults, closure values, wrapped functions) are part of their owner.
"""

import builtins
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stepwell.flow import BindingKind
from stepwell.store.values import Signer
from stepwell.workers.namespace._classes import class_origin, describe_annotation, describe_class
from stepwell.workers.namespace._code import CodeFacts
from stepwell.workers.namespace._description import Description, Parts
from stepwell.workers.namespace._digest import combined
from stepwell.workers.namespace._functions import (
    callable_parts,
    describe_function,
    is_foreign,
    shown,
)
from stepwell.workers.namespace._kinds import (
    ATOMS,
    attribute,
    is_dunder,
    is_history,
    module_of,
    wrapped_by,
)
from stepwell.workers.namespace._modules import Origin, module_digest, module_version, origin_of
from stepwell.workers.namespace._values import describe_value, instances_in

__all__ = ["Describer", "names_of", "told"]

_USERS = (Origin.NOTEBOOK, Origin.OWN, Origin.DETACHED)


class Describer:
    """Describes objects as they are now. One for each capture: it remembers what it has seen."""

    def __init__(self, namespace: Mapping[str, object], signer: Signer | None = None) -> None:
        self.namespace = namespace
        self.signer = signer
        # The object is kept beside its description, so that its id stays its own.
        self._known: dict[int, tuple[object, Description]] = {}
        self._inside: dict[int, int] = {}
        self._reach = 0
        """The outermost object that what is being described leads back to, by its depth."""

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
            found = self._described(value)
        finally:
            del self._inside[id(value)]
        if self._reach >= depth:
            # Otherwise it leads back to what it is part of, and reads differently elsewhere.
            self._known[id(value)] = (value, found)
        self._reach = min(outer, self._reach)
        return found

    def key(self, value: object) -> str | None:
        """The key a function or class of the user's is described under; None for others."""
        if not isinstance(value, types.FunctionType | type):
            return None
        name = value.__name__
        if self.namespace.get(name) is value and not is_history(name):
            return name if origin_of(module_of(value)) in _USERS else None
        module = value.__module__
        if origin_of(module) is not Origin.OWN:
            return None
        return f"{module}.{name}" if names_of(module).get(name) is value else None

    def _described(self, value: Any) -> Description:
        match value:
            case types.ModuleType():
                return _module(value)
            case types.FunctionType() if not self._is_plainly_installed(value):
                return describe_function(self, value)
            case type() if class_origin(self, value) in _USERS:
                return describe_class(self, value)
            case type() | types.FunctionType():
                return _installed(value)
            case types.BuiltinFunctionType() if not _is_bound(value):
                return _installed(value)
            case _:
                return self._other(value)

    def _is_plainly_installed(self, function: types.FunctionType) -> bool:
        if function.__closure__ or wrapped_by(function) is not None:
            return False
        return is_foreign(function, self.namespace)

    def _other(self, value: object) -> Description:
        parts = callable_parts(self, value)
        if parts is not None:
            return parts.described(BindingKind.FUNCTION, shown(value))
        if _is_importable(value):
            return _installed(value)
        return describe_annotation(self, value) or describe_value(
            value, self.namespace, self.signer, self._classes_of(value)
        )

    def _classes_of(self, value: object) -> Parts:
        """The user's classes whose instances a value consists of: their methods are its code."""
        parts = Parts()
        for kind in instances_in(value):
            if class_origin(self, kind) in (Origin.NOTEBOOK, Origin.OWN):
                self.part(parts, "class", kind, tell=False)
        return parts

    # -- parts, see `Describing` ----------------------------------------------------------

    def part(self, parts: Parts, what: str, value: object, *, tell: bool = True) -> None:
        """Make `value` a part. `tell`: if it is opaque, so is the owner to that extent."""
        parts.add(what)
        inner = Parts()
        parts.add(self.token(inner, value))
        parts.uses |= inner.uses
        parts.needs |= inner.needs
        if inner.opaque and tell and not parts.opaque:
            parts.opaque = f"{inner.opaque} ({what})"

    def each(self, parts: Parts, what: str, values: Iterable[object]) -> None:
        """Make every one of them a part, in order."""
        for at, value in enumerate(values):
            self.part(parts, f"{what} {at}", value)

    def entries(self, parts: Parts, what: str, values: Mapping[Any, object]) -> None:
        """Make keys and values parts, in order."""
        for key, value in values.items():
            self.part(parts, f"{what} key", key)
            self.part(parts, what, value)

    def token(self, parts: Parts, value: object) -> str:
        """What stands for `value` among the tokens: its name, or else its digest."""
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
        if type(value) is not object:  # a mark: nothing of it could change
            parts.opaque = parts.opaque or found.opaque
        return f"{found.kind}:{found.digest}"

    def code(
        self, parts: Parts, facts: CodeFacts, module: str | None, names: Mapping[str, object]
    ) -> None:
        """Make a definition a part, and what it reads from these globals."""
        parts.add("code", facts.digest)
        prefix = self._prefix(module, names)
        if prefix is not None:
            parts.uses |= dict.fromkeys(prefix + name for name in told(facts.uses, names))
            parts.needs |= dict.fromkeys(prefix + name for name in told(facts.needs, names))

    def _prefix(self, module: str | None, names: Mapping[str, object]) -> str | None:
        """What precedes a global name in its key: "" in the notebook; None for nowhere."""
        if names is self.namespace or origin_of(module) is Origin.NOTEBOOK:
            return ""
        return f"{module}." if module and names_of(module) is names else None


def told(found: Iterable[str], names: Mapping[str, object]) -> Iterator[str]:
    """Without Python's own names, unless somebody has given them another meaning."""
    for name in found:
        if (name in names or not hasattr(builtins, name)) and not is_dunder(name):
            yield name


def names_of(module: str) -> Mapping[str, object]:
    """What is in a module; nothing if it is not loaded."""
    return getattr(sys.modules.get(module), "__dict__", {})


def _is_bound(value: types.BuiltinFunctionType) -> bool:
    return value.__self__ is not None and not isinstance(value.__self__, types.ModuleType)


def _is_importable(value: object) -> bool:
    """Whether importing gives this very object, as with numpy's functions."""
    module = attribute(value, "__module__")
    name = attribute(value, "__qualname__") or attribute(value, "__name__")
    if not callable(value) or not isinstance(module, str) or not isinstance(name, str):
        return False
    return origin_of(module) is Origin.INSTALLED and names_of(module).get(name) is value


def _module(module: types.ModuleType) -> Description:
    name = module.__name__
    if origin_of(name, getattr(module, "__file__", None)) is Origin.OWN:
        return Description(BindingKind.MODULE, module_digest(module), name)
    return _versioned(name, name)


def _installed(value: object) -> Description:
    if isinstance(value, type):
        return _versioned(value.__module__, f"{value.__module__}.{value.__qualname__}")
    module = attribute(value, "__module__") or "builtins"
    name = attribute(value, "__qualname__") or attribute(value, "__name__") or ""
    return _versioned(module, f"{module}.{name}")


def _versioned(module: str, name: str) -> Description:
    version = "" if module == "builtins" else module_version(module)
    detail = f"{name} {version}".rstrip()
    return Description(BindingKind.MODULE, combined("installed", name, version), detail)
