"""Files and cells, parsed once each: where in them every definition stands."""

import ast
import inspect
import linecache
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType

from stepwell.flow import syntax_tree

__all__ = ["Place", "SourceFile", "file_at", "file_of", "is_on_disk"]

MOST_FILES = 1_000

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Place:
    """The lines of one definition, decorators included; both counted from 1, both included."""

    name: str
    first: int
    last: int
    is_class: bool
    is_top_level: bool


@dataclass(slots=True)
class SourceFile:
    """One file or cell. `lines` is the very list that was parsed: a new one is a new version."""

    filename: str
    lines: list[str]
    places: dict[tuple[int, str], Place] = field(default_factory=dict[tuple[int, str], Place])
    """By first line and name, as code objects have them."""
    lambdas: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    codes: dict[tuple[int, str], CodeType] | None = None

    def text(self, place: Place) -> str:
        """The lines of a definition."""
        return "".join(self.lines[place.first - 1 : place.last]).rstrip("\n")

    def compiles_to(self, code: CodeType) -> bool:
        """Whether this text still is what the code was compiled from."""
        if self.codes is None:
            self.codes = {}
            try:
                whole = compile("".join(self.lines), self.filename, "exec", dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return False
            self.codes = {(one.co_firstlineno, one.co_name): one for one in _nested(whole)}
        return self.codes.get((code.co_firstlineno, code.co_name)) == code


# Parsing is what costs; the least recently parsed are forgotten first.
_files: dict[str, SourceFile] = {}
_lock = threading.Lock()


def file_at(filename: str) -> SourceFile | None:
    """The file or cell of that name, as tracebacks would show it; None if there is none."""
    lines = linecache.getlines(filename)
    if not lines:
        return None
    known = _files.get(filename)
    if known is not None and known.lines is lines:
        return known
    file = _read(filename, lines)
    with _lock:
        _files.pop(filename, None)
        _files[filename] = file
        if len(_files) > MOST_FILES:
            del _files[next(iter(_files))]
    return file


def file_of(code: CodeType) -> SourceFile | None:
    """The file that code was compiled from, as it was then.

    A module's file may have been edited since it was imported: it is believed only if it
    still compiles to this very code.
    """
    file = file_at(code.co_filename)
    if file is None or not is_on_disk(code.co_filename) or file.compiles_to(code):
        return file
    # What was read of the file may be older than the import, or the file newer.
    linecache.checkcache(code.co_filename)
    file = file_at(code.co_filename)
    return file if file is not None and file.compiles_to(code) else None


def is_on_disk(filename: str) -> bool:
    """Whether the text was read from a file; that of a cell has no time of change."""
    entry = linecache.cache.get(filename)
    return entry is not None and len(entry) == 4 and entry[1] is not None


def _read(filename: str, lines: list[str]) -> SourceFile:
    file = SourceFile(filename, lines)
    tree = _parsed(lines)
    if tree is None:
        _add_blocks(file)
        return file
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, _Definition):
            _add(file, node, is_top_level=id(node) in top)
        elif isinstance(node, ast.Lambda):
            file.lambdas.setdefault(node.lineno, []).append(ast.unparse(node))
    return file


def _parsed(lines: list[str]) -> ast.Module | None:
    # Of a cell as typed, what is IPython's own becomes empty lines: the rest keeps its
    # line numbers.
    python = ("\n" if line.lstrip()[:1] in ("%", "!") else line for line in lines)
    for text in ("".join(lines), "".join(python)):
        try:
            return syntax_tree(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _add_blocks(file: SourceFile) -> None:
    # The file as a whole is no Python; the definitions in it may be.
    for number, line in enumerate(file.lines, 1):
        if not line.startswith(("def ", "async def ", "class ", "@")):
            continue
        try:
            block = inspect.getblock(file.lines[number - 1 :])
            tree = syntax_tree("".join(block))
        except (SyntaxError, ValueError, IndexError, EOFError):
            continue
        ast.increment_lineno(tree, number - 1)
        for node in tree.body:
            if isinstance(node, _Definition):
                _add(file, node, is_top_level=True)


def _add(file: SourceFile, node: _Definition, *, is_top_level: bool) -> None:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    is_class = isinstance(node, ast.ClassDef)
    place = Place(node.name, first, node.end_lineno or first, is_class, is_top_level)
    file.places.setdefault((first, node.name), place)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
