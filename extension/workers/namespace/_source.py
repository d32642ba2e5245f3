"""The source of functions and classes, found the way tracebacks find it.

`inspect.getsource` refuses classes of `__main__` and cells that begin with a magic, and
reads block by block; here a file is parsed once and every definition in it is known by its
first line and name.
"""

import ast
import inspect
import linecache
import textwrap
import threading
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from types import CodeType, FunctionType
from typing import Any

__all__ = ["Source", "class_source", "code_source", "lambda_source", "register"]

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Source:
    """The text that defines one function or class."""

    text: str
    """Whole lines, as they stand in the file; indented where the definition is."""
    name: str
    is_top_level: bool
    """Whether the text can be executed by itself."""
    filename: str

    @property
    def shown(self) -> str:
        """For people."""
        return textwrap.dedent(self.text).rstrip()


@dataclass(slots=True)
class _File:
    """A parsed file. `lines` is the very list that was parsed: a new one is a new version."""

    lines: list[str]
    definitions: dict[tuple[int, str], tuple[Definition, bool]]
    lambdas: dict[int, list[ast.Lambda]]
    codes: dict[tuple[int, str], CodeType] | None = None


_files: dict[str, _File] = {}
_lock = threading.Lock()


def code_source(code: CodeType) -> Source | None:
    """The definition a function's code was compiled from; None if it is not to be found.

    A module's file may have been edited since it was imported: its text is believed only
    if it still compiles to this very code.
    """
    file = _file_of(code)
    found = file.definitions.get((code.co_firstlineno, code.co_name)) if file else None
    if file is None or found is None or isinstance(found[0], ast.ClassDef):
        return None
    return _cut(file, *found, code.co_filename)


def lambda_source(code: CodeType) -> str:
    """A lambda's text for people, or "" when there are several on its line."""
    file = _file(code.co_filename)
    found = file.lambdas.get(code.co_firstlineno, []) if file else []
    if file is None or len(found) != 1:
        return ""
    return ast.get_source_segment("".join(file.lines), found[0]) or ""


def class_source(kind: type) -> Source | None:
    """The definition of a class; None if it is not to be found, or if several could be it."""
    by_method = _by_method(kind)
    if by_method is not None:
        return by_method
    found = list(_candidates(kind))
    texts = {source.text for _, source in found}
    if len(texts) > 1 or kind.__module__ != "__main__":
        found = [(node, source) for node, source in found if _could_be(node, kind)]
    return found[-1][1] if found else None


def register(name: str, text: str) -> str:
    """Let tracebacks and `inspect` find a text; the file name to compile it under.

    The name depends on the text alone, so it is the same in every process.
    """
    mark = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    filename = f"<restored {name} {mark}>"
    lines = [line + "\n" for line in text.split("\n")]
    # Without a time of change the entry stays when linecache checks for edited files.
    linecache.cache[filename] = (len(text), None, lines, filename)
    return filename


def _file(filename: str) -> _File | None:
    lines = linecache.getlines(filename)
    if not lines:
        return None
    known = _files.get(filename)
    if known is not None and known.lines is lines:
        return known
    with _lock:
        tree = _parsed(lines)
        file = _File(lines, {}, {}) if tree is None else _indexed(lines, tree)
        if tree is None:
            _index_blocks(file)
        _files[filename] = file
    return file


def _file_of(code: CodeType) -> _File | None:
    """The file that code was compiled from, as it was then."""
    file = _file(code.co_filename)
    if file is None or not _is_on_disk(code.co_filename) or _compiles_to(file, code):
        return file
    # What was read of the file may be older than the import, or the file newer.
    linecache.checkcache(code.co_filename)
    file = _file(code.co_filename)
    return file if file is not None and _compiles_to(file, code) else None


def _parsed(lines: list[str]) -> ast.Module | None:
    for text in (
        "".join(lines),
        # A cell as typed: what is IPython's own becomes empty lines, so that the rest
        # keeps its line numbers.
        "".join("\n" if line.lstrip()[:1] in ("%", "!") else line for line in lines),
    ):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _indexed(lines: list[str], tree: ast.Module) -> _File:
    file = _File(lines, {}, {})
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, Definition):
            file.definitions[_first_line(node), node.name] = (node, id(node) in top)
        elif isinstance(node, ast.Lambda):
            file.lambdas.setdefault(node.lineno, []).append(node)
    return file


def _index_blocks(file: _File) -> None:
    # The file as a whole is no Python; the definitions in it may be.
    for number, line in enumerate(file.lines, 1):
        if not line.startswith(("def ", "async def ", "class ", "@")):
            continue
        try:
            block = inspect.getblock(file.lines[number - 1 :])
            tree = ast.parse("".join(block))
        except (SyntaxError, ValueError, IndexError, EOFError):
            continue
        ast.increment_lineno(tree, number - 1)
        for node in tree.body:
            if isinstance(node, Definition):
                file.definitions.setdefault((_first_line(node), node.name), (node, True))


def _first_line(node: Definition) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _cut(file: _File, node: Definition, is_top_level: bool, filename: str) -> Source:
    text = "".join(file.lines[_first_line(node) - 1 : node.end_lineno])
    return Source(text.rstrip("\n"), node.name, is_top_level, filename)


def _is_on_disk(filename: str) -> bool:
    entry = linecache.cache.get(filename)
    return entry is not None and len(entry) == 4 and entry[1] is not None


def _compiles_to(file: _File, code: CodeType) -> bool:
    if file.codes is None:
        file.codes = {}
        try:
            whole = compile("".join(file.lines), code.co_filename, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        file.codes = {(c.co_firstlineno, c.co_name): c for c in _nested(whole)}
    return file.codes.get((code.co_firstlineno, code.co_name)) == code


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _by_method(kind: type) -> Source | None:
    for member in list(kind.__dict__.values()):
        function = getattr(member, "__func__", getattr(member, "fget", member))
        if not isinstance(function, FunctionType) or function.__qualname__.rpartition(".")[0] != (
            kind.__qualname__
        ):
            continue
        code = function.__code__
        file = _file_of(code)
        for node, is_top_level in file.definitions.values() if file else ():
            if (
                isinstance(node, ast.ClassDef)
                and node.name == kind.__name__
                and node.lineno <= code.co_firstlineno <= (node.end_lineno or 0)
            ):
                assert file is not None
                return _cut(file, node, is_top_level, code.co_filename)
    return None


def _candidates(kind: type) -> Iterator[tuple[ast.ClassDef, Source]]:
    module_file = getattr(_module_of(kind), "__file__", None)
    if module_file is not None and kind.__module__ != "__main__":
        filenames = [module_file]
        linecache.checkcache(module_file)
    else:
        # A cell has no file; a cell's text has no time of change.
        filenames = [name for name in list(linecache.cache) if not _is_on_disk(name)]
        filenames += [module_file] if module_file else []
    for filename in filenames:
        if filename not in _files and not any(
            f"class {kind.__name__}" in line for line in linecache.getlines(filename)
        ):
            continue
        file = _file(filename)
        for (_, name), (node, is_top_level) in file.definitions.items() if file else ():
            if name == kind.__name__ and isinstance(node, ast.ClassDef):
                assert file is not None
                yield node, _cut(file, node, is_top_level, filename)


def _module_of(kind: type) -> object:
    import sys

    return sys.modules.get(kind.__module__)


def _could_be(node: ast.ClassDef, kind: type) -> bool:
    """Whether the class, as far as it shows, was made by this definition."""
    annotations = inspect.get_annotations(kind)
    bases = {ast.unparse(base).rpartition(".")[2].partition("[")[0] for base in node.bases}
    # NamedTuple, TypedDict and Generic are written as bases and are none.
    if not {base.__name__ for base in kind.__mro__}.union(typing.__all__).issuperset(bases):
        return False
    annotated: list[str] = []
    for statement in node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                annotated.append(name)
                if not _has(kind, name, value):
                    return False
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if not _has(kind, name, value):
                    return False
            case _:
                pass
    return not annotations or annotated == list(annotations)


def _has(kind: type, name: str, value: ast.expr | None) -> bool:
    if not isinstance(value, ast.Constant):
        return True
    found = _default(kind, name)
    return found == value.value and type(found) is type(value.value)


def _default(kind: type, name: str) -> object:
    fields: dict[str, Any] = kind.__dict__.get("__pydantic_fields__") or {}
    if name in fields:
        return fields[name].default
    if name in (defaults := kind.__dict__.get("_field_defaults", {})):
        return defaults[name]
    found = kind.__dict__.get(name)
    return getattr(found, "_value_", found)
