"""Python source as a tree, and what the tree means as a digest."""

import ast
import inspect
import threading
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

from stepwell.errors import InvalidStep

__all__ = ["code_digest", "digest_of", "is_coroutine", "parse", "syntax_tree", "tree_digest"]

# Raised whenever the same code would get another digest, so that an upgrade shows as
# "made by another version" and never as a silent match.
_SCHEME = "code-1"

# `ctx` follows from the place in the tree, `kind` is the u of u"", the other two are comments.
_SILENT_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})

_BLOCKS = frozenset({"body", "orelse", "finalbody"})

_filters = threading.Lock()
_turns = threading.Lock()

_TRIES = 8


def code_digest(code: str, *, name: str = "") -> str:
    """What `code` means: 32 hexadecimal characters, equal for two layouts of the same code.

    Comments, blank lines, quotes, redundant parentheses and strings that stand alone do
    not count. Docstrings do (their indentation does not): agents hand them to models as
    descriptions of tools. A string on the last line of a cell counts, as the cell shows it.
    The digest is the same in every process and on every supported Python version.

    Raises `InvalidStep` for code that is not Python; `name` is the step it speaks of.
    """
    return tree_digest(parse(code, name=name))


def tree_digest(tree: ast.Module) -> str:
    """`code_digest` of code that has been parsed already."""
    return digest_of(_SCHEME, *_tokens(tree))


def digest_of(*parts: str) -> str:
    """BLAKE2b, 128 bits, over parts whose borders count."""
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


def parse(code: str, *, name: str = "") -> ast.Module:
    """The syntax tree of code that may await at top level; `InvalidStep` if it is not Python."""
    with _as_invalid_step(name), _without_warnings():
        return syntax_tree(code)


def syntax_tree(code: str) -> ast.Module:
    """As `ast.parse`, on any thread. Raises what that raises.

    Before Python 3.11.9 and 3.12.3 two threads that parse at once, one of them interrupted by
    the garbage collector, can make it raise `SystemError` for nothing (gh-106905).
    """
    # We take turns; the shell, which parses cells, does not know of that.
    with _turns:
        for _ in range(_TRIES):
            try:
                return ast.parse(code)
            except SystemError:
                continue
        return ast.parse(code)


def is_coroutine(tree: ast.Module, *, name: str = "") -> bool:
    """Whether running this code needs an event loop.

    Asks the compiler, and so finds what only the compiler refuses, such as a `return`
    outside a function: `InvalidStep` then.
    """
    with _as_invalid_step(name), _without_warnings():
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compiled = compile(tree, "<step>", "exec", flags=flags, dont_inherit=True)
    return bool(compiled.co_flags & inspect.CO_COROUTINE)


@contextmanager
def _as_invalid_step(name: str) -> Generator[None]:
    try:
        yield
    except SyntaxError as error:
        raise InvalidStep(name, _where(error)) from error
    except (RecursionError, MemoryError) as error:
        raise InvalidStep(name, "its code is nested too deeply to be read") from error
    except ValueError as error:  # a null byte, before Python 3.12
        raise InvalidStep(name, str(error)) from error


def _where(error: SyntaxError) -> str:
    line = f"line {error.lineno}: " if error.lineno else ""
    text = f": {error.text.strip()}" if error.text and error.text.strip() else ""
    return f"{line}{error.msg}{text}"


@contextmanager
def _without_warnings() -> Generator[None]:
    # The code is compiled again when it runs; its warnings belong there, once, with the
    # cell's name on them. The filters are global to the process, hence the lock.
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _tokens(tree: ast.Module) -> Iterator[str]:
    # A stack of our own: a long sum is a deep tree, and Python's stack is short.
    pending: list[Any] = [tree]
    while pending:
        item = pending.pop()
        match item:
            case str():
                yield item
            case ast.Constant(value=value):
                yield _literal(value)
            case ast.AST():
                pending.append(")")
                for field, value in reversed(list(_fields(item))):
                    pending += [value if isinstance(value, ast.AST | list) else _literal(value)]
                    pending.append(f"{field}=")
                pending.append(f"{type(item).__name__}(")
            case _:  # a list of nodes, identifiers and gaps
                pending.append("]")
                pending += [_item(value) for value in reversed(item)]
                pending.append("[")


def _fields(node: ast.AST) -> Iterator[tuple[str, Any]]:
    # What is absent is left out, so a field that a later Python adds changes no digest.
    for field in node._fields:
        value: Any = getattr(node, field, None)
        if isinstance(node, ast.JoinedStr):
            value = _joined(value)
        elif field == "format_spec" and value is not None and not _joined(value.values):
            value = None
        elif field in _BLOCKS and isinstance(value, list):
            value = _statements(node, value)  # pyright: ignore[reportUnknownArgumentType]
        if field not in _SILENT_FIELDS and value is not None and value != []:
            yield field, value


def _statements(owner: ast.AST, block: list[ast.stmt]) -> list[ast.stmt]:
    documented = isinstance(owner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    kept: list[ast.stmt] = []
    for index, statement in enumerate(block):
        match statement:
            case ast.Expr(value=ast.Constant(value=str(text))):
                if documented and index == 0:
                    kept.append(ast.Expr(ast.Constant(inspect.cleandoc(text))))
                elif isinstance(owner, ast.Module) and index == len(block) - 1:
                    kept.append(statement)
            case _:
                kept.append(statement)
    return kept


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    # Python versions cut the constant parts of an f-string at different places.
    merged: list[ast.expr] = []
    for value in values:
        match value, merged:
            case ast.Constant(value=""), _:
                continue
            case ast.Constant(value=str(new)), [*_, ast.Constant(value=str(old))]:
                merged[-1] = ast.Constant(old + new)
            case _:
                merged.append(value)
    return merged


def _item(value: object) -> ast.AST | str:
    # A gap, such as the key of `**rest` in a dict, is not the literal None.
    return value if isinstance(value, ast.AST) else "-" if value is None else _literal(value)


def _literal(value: object) -> str:
    # hex(): decimal digits of a very long int are refused by Python itself.
    text = hex(value) if type(value) is int else ascii(value)
    return f"{type(value).__name__}:{text}"
