"""The source of a class: `inspect` refuses classes of `__main__`, and does not doubt others.

A class does not say where it was defined before Python 3.13, unless it has methods. So a
definition of its name is believed only if, as far as shows, it made the class, and nobody
has changed the class since.
"""

import ast
import inspect
import linecache
import sys
import types
from collections.abc import Iterator
from typing import Any

from stepwell.flow import syntax_tree
from stepwell.workers.namespace._files import Place, SourceFile, file_at, file_of, is_on_disk
from stepwell.workers.namespace._kinds import attribute
from stepwell.workers.namespace._source import Source, cut

__all__ = ["class_source"]

_Bound = dict[str, ast.expr | None]


def class_source(kind: type) -> Source | None:
    """The definition that alone makes this class; None if it is not to be found.

    Of several that could be it, the last.
    """
    by_method = _by_method(kind)
    found = [by_method] if by_method is not None else list(_candidates(kind))
    found = [source for source in found if source.is_top_level and _could_be(source, kind)]
    return found[-1] if found else None


def _by_method(kind: type) -> Source | None:
    for member in list(kind.__dict__.values()):
        function = attribute(member, "__func__") or attribute(member, "fget") or member
        if not isinstance(function, types.FunctionType):
            continue
        if function.__qualname__.rpartition(".")[0] != kind.__qualname__:
            continue
        line = function.__code__.co_firstlineno
        file = file_of(function.__code__)
        for source, place in _classes(file, kind.__name__):
            if place.first <= line <= place.last:
                return source
    return None


def _classes(file: SourceFile | None, name: str) -> Iterator[tuple[Source, Place]]:
    for place in file.places.values() if file else ():
        if file is not None and place.is_class and place.name == name:
            yield cut(file, place), place


def _candidates(kind: type) -> Iterator[Source]:
    start = f"class {kind.__name__}"
    for filename in _files_for(kind):
        if any(start in line for line in linecache.getlines(filename)):
            yield from (source for source, _ in _classes(file_at(filename), kind.__name__))


def _files_for(kind: type) -> list[str]:
    file: str | None = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is not None:
        linecache.checkcache(file)
    if file is not None and kind.__module__ != "__main__":
        return [file]
    cells = [filename for filename in list(linecache.cache) if not is_on_disk(filename)]
    return [file, *cells] if file is not None else cells


def _could_be(source: Source, kind: type) -> bool:
    try:
        node = syntax_tree(source.text).body[0]
    except (SyntaxError, ValueError):
        return False
    if not isinstance(node, ast.ClassDef):
        return False
    if not _bases_of(kind).issuperset(map(_last_name, node.bases)):
        return False
    bound, annotated = _names_in(node)
    annotations = inspect.get_annotations(kind)
    if list(annotations) != list(annotated) or not all(
        _means(annotated[name], meant) for name, meant in annotations.items()
    ):
        return False
    public = {name for name in kind.__dict__ if not name.startswith(("_", "model_"))}
    return public.issubset(bound) and all(
        _agrees(kind, name, value, is_annotated=name in annotated) for name, value in bound.items()
    )


def _bases_of(kind: type) -> set[str]:
    """What may be written as a base of the class. NamedTuple and TypedDict are no classes."""
    names = {base.__name__ for base in kind.__mro__}
    names |= {"TypedDict"} if hasattr(kind, "__total__") else set()
    return names | ({"NamedTuple"} if hasattr(kind, "_fields") else set())


def _last_name(written: ast.expr) -> str:
    return ast.unparse(written).partition("[")[0].rpartition(".")[2]


def _means(written: ast.expr, meant: object) -> bool:
    if isinstance(meant, str):
        return ast.unparse(written) == meant or isinstance(written, ast.Constant)
    if isinstance(meant, type) and not isinstance(written, ast.Constant):
        return _last_name(written) == meant.__name__
    return True


def _names_in(node: ast.ClassDef) -> tuple[_Bound, dict[str, ast.expr]]:
    """Names a class body binds, with their values where they stand there; annotations."""
    bound: _Bound = {}
    annotated: dict[str, ast.expr] = {}
    pending: list[ast.AST] = list(node.body)
    while pending:
        item = pending.pop(0)
        match item:
            case ast.AnnAssign(target=ast.Name(id=name), value=value, annotation=annotation):
                annotated[name] = annotation
                bound[name] = value
                continue
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                bound[name] = value if item in node.body else None
                continue
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                bound[name] = None
                continue
            case ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                bound[name] = None
                continue
            case ast.alias(name=name, asname=asname):
                bound[asname or name.partition(".")[0]] = None
            case _:
                pass
        pending += ast.iter_child_nodes(item)
    return bound, annotated


def _agrees(kind: type, name: str, value: ast.expr | None, *, is_annotated: bool) -> bool:
    found = _value_of(kind, name)
    if isinstance(found, types.FunctionType):
        return found.__qualname__.startswith(f"{kind.__qualname__}.")
    if value is None or isinstance(found, types.MemberDescriptorType):
        return True
    if found is None and is_annotated:
        return True  # where a framework keeps its fields is its own affair
    try:
        written = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return True
    return type(found) is type(written) and repr(found) == repr(written)


def _value_of(kind: type, name: str) -> object:
    fields: dict[str, Any] = kind.__dict__.get("__pydantic_fields__") or {}
    if name in fields:
        return fields[name].default
    fields = kind.__dict__.get("__dataclass_fields__") or {}
    if name in fields:
        return fields[name].default
    if name in (defaults := kind.__dict__.get("_field_defaults", {})):
        return defaults[name]
    found = kind.__dict__.get(name)
    return getattr(found, "_value_", found)
