"""How a name of an environment is made again in another process, written as plain data.

A value is kept as a value. Modules, and what is in them, are imported again. Functions and
classes of the notebook are defined again from their source; what has no source of its own
(a lambda, a closure, a partial) is pickled, and signed, piece by piece.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any, Protocol

import msgspec

from stepwell.errors import ValueNotStorable
from stepwell.flow import BindingKind, syntax_tree
from stepwell.store import Blob
from stepwell.store.values import Signer, decode, encode
from stepwell.workers.namespace._code import CodeFacts, class_facts, code_facts
from stepwell.workers.namespace._description import Description
from stepwell.workers.namespace._kinds import attribute, wrapped_by
from stepwell.workers.namespace._modules import Origin, origin_of
from stepwell.workers.namespace._pickle import Pickled, pickled

__all__ = [
    "Alias",
    "Define",
    "Import",
    "Recipe",
    "Unpickle",
    "alias_recipe",
    "import_recipe",
    "read_recipe",
    "recipe_for",
    "source_of",
]


class Import(msgspec.Struct, frozen=True, tag="import"):
    """A module, or something in one."""

    module: str
    qualname: str = ""


class Alias(msgspec.Struct, frozen=True, tag="alias"):
    """The same function or class under another name."""

    of: str


class Define(msgspec.Struct, frozen=True, omit_defaults=True, tag="define"):
    """A function or class, by executing its definition."""

    name: str
    """As the definition calls it; the notebook may use another name."""
    text: str
    flags: int = 0
    otherwise: Pickled | None = None
    """For a definition that may come out differently, as when a default has changed since."""


class Unpickle(msgspec.Struct, frozen=True, tag="pickle"):
    """Something that has no definition of its own."""

    content: Pickled


Recipe = Import | Alias | Define | Unpickle


class Around(Protocol):
    """What a recipe has to know of the place it is written in."""

    @property
    def namespace(self) -> Mapping[str, object]:
        """The notebook's names."""
        ...

    def key(self, value: object) -> str | None:
        """The name a function or class has in the notebook."""
        ...

    @property
    def signer(self) -> Signer | None:
        """Signs pickles."""
        ...


def read_recipe(data: object) -> Recipe:
    """A recipe from the plain data that was kept. Raises `msgspec.ValidationError`."""
    recipe: Recipe = msgspec.convert(data, Recipe)
    return recipe


def recipe_for(
    name: str, value: Any, found: Description, around: Around
) -> tuple[Blob | None, str]:
    """What brings the value back under this name, or None and the reason."""
    if found.kind in (BindingKind.VALUE, BindingKind.OPAQUE):
        return found.blob, found.reason
    imported = import_recipe(value)
    if imported is not None or found.kind is BindingKind.MODULE:
        return imported, "" if imported else "nothing imports it under its own name"
    facts = _definition(name, value)
    if facts is not None and facts.source is not None and _is_complete(value, facts):
        return _defined(facts.source.name, facts.source.text, facts.flags), ""
    try:
        kept = pickled(value, around.namespace, around.key, around.signer)
    except ValueNotStorable as error:
        kept, reason = None, str(error.facts["reason"])
    else:
        reason = ""
    if facts is not None and facts.source is not None:
        return _blob(Define(facts.source.name, facts.source.text, facts.flags, kept)), ""
    return (_blob(Unpickle(kept)), "") if kept is not None else (None, reason)


def source_of(name: str, blob: Blob) -> str | None:
    """What a script has to say to have this under `name`; None if nothing makes it again."""
    match read_recipe(decode(blob)):
        case Import(module, ""):
            same = module == name
            return f"import {module}" if same else f"import {module} as {name}"
        case Import(module, qualname):
            first, _, rest = qualname.partition(".")
            if rest:
                return f"from {module} import {first}\n{name} = {qualname}"
            return f"from {module} import {first}" + (f" as {name}" if first != name else "")
        case Alias(of):
            return f"{name} = {of}"
        case Define(defined, text):
            again = f"\n\n\n{name} = {defined}" if defined != name else ""
            return text.rstrip() + again
        case Unpickle():
            return None


@lru_cache(2048)
def alias_recipe(of: str) -> Blob:
    """The recipe of a second name for what `of` is the first."""
    return _blob(Alias(of))


def import_recipe(value: object) -> Blob | None:
    """The recipe of what can be imported under its own name; None if it cannot."""
    if isinstance(value, ModuleType):
        return _imported(value.__name__, "") if value.__name__ in sys.modules else None
    module = attribute(value, "__module__") or "builtins"
    qualname = attribute(value, "__qualname__") or attribute(value, "__name__")
    if isinstance(value, type):
        module, qualname = value.__module__, value.__qualname__
    if not isinstance(module, str) or not isinstance(qualname, str):
        return None
    if origin_of(module) is Origin.NOTEBOOK:
        return None
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = attribute(found, part) if not isinstance(found, type) else found.__dict__.get(part)
    return _imported(module, qualname) if found is value else None


@lru_cache(2048)
def _imported(module: str, qualname: str) -> Blob:
    return _blob(Import(module, qualname))


@lru_cache(2048)
def _defined(name: str, text: str, flags: int) -> Blob:
    return _blob(Define(name, text, flags))


def _blob(recipe: Recipe) -> Blob:
    return encode(msgspec.to_builtins(recipe))


def _definition(name: str, value: Any) -> CodeFacts | None:
    """The definition in a cell that makes this object, decorators and all."""
    if isinstance(value, type):
        facts = class_facts(value)
        return facts if facts.source is not None and facts.source.is_top_level else None
    for function in _functions_within(value):
        facts = code_facts(function.__code__)
        if function is not value and function.__globals__.get("__name__") != "__main__":
            continue
        if facts.source is None or not facts.source.is_top_level:
            continue
        if function is value or facts.source.name == name:
            return facts
    return None


def _functions_within(value: Any) -> Iterator[FunctionType]:
    """The function, what it wraps and what its closure holds; twenty at most."""
    pending = [value]
    for _ in range(20):
        if not pending:
            return
        one = pending.pop(0)
        if isinstance(one, FunctionType):
            yield one
            pending += [cell.cell_contents for cell in one.__closure__ or () if _is_full(cell)]
        inner = wrapped_by(one)
        pending += [inner] if inner is not None else []


def _is_full(cell: Any) -> bool:
    try:
        return isinstance(cell.cell_contents, FunctionType)
    except ValueError:
        return False


def _is_complete(value: Any, facts: CodeFacts) -> bool:
    """Whether the definition alone surely makes this very object."""
    if isinstance(value, type):
        return True
    if type(value) is not FunctionType or value.__closure__ or wrapped_by(value) is not None:
        return False
    return facts.source is not None and _has_plain_defaults(facts.source.text)


@lru_cache(2048)
def _has_plain_defaults(text: str) -> bool:
    """Whether a definition has no decorators and its defaults are written out."""
    try:
        node = syntax_tree(text).body[0]
    except (SyntaxError, ValueError, IndexError):
        return False
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.decorator_list:
        return False
    return all(
        isinstance(default, ast.Constant)
        for default in [*node.args.defaults, *node.args.kw_defaults]
        if default is not None
    )
