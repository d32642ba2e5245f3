"""A step's code as something that can be executed, and its errors as something that can be read."""

import ast
import inspect
import linecache
import traceback
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

from stepwell.errors import StepwellError
from stepwell.flow import Step, syntax_tree
from stepwell.orchestrator import ErrorInfo

__all__ = [
    "SHOW",
    "Compiled",
    "compile_cell",
    "compile_code",
    "describe_error",
    "evaluate_condition",
    "register_source",
]

SHOW = "__stepwell_show__"
"""The name under which a cell's last expression is displayed."""

_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass(frozen=True, slots=True)
class Compiled:
    """A cell, ready to be executed in a namespace."""

    code: CodeType
    filename: str

    @property
    def is_async(self) -> bool:
        """Whether evaluating `code` gives a coroutine."""
        return bool(self.code.co_flags & inspect.CO_COROUTINE)


# The items of a mapped step, and all its attempts, share one piece of code.
@lru_cache(maxsize=256)
def compile_cell(definition: Step, *, first_line: int = 2) -> Compiled:
    """Compile a cell so that its tracebacks count lines as the cell does.

    The magic is the cell's first line, so the code begins at `first_line`. The value of a
    last expression is displayed, as in any cell.
    """
    filename = register_source(definition.name, definition.source, first_line=first_line)
    tree = syntax_tree(definition.code)
    ast.increment_lineno(tree, first_line - 1)
    _show_last(tree, definition.source)
    return Compiled(compile(tree, filename, "exec", flags=_FLAGS, dont_inherit=True), filename)


def evaluate_condition(definition: Step, namespace: dict[str, object]) -> object:
    """What a step's `when` comes to; in tracebacks it is found as the option that it is."""
    filename = register_source(f"{definition.name} --when", definition.when)
    return eval(compile(definition.when, filename, "eval", dont_inherit=True), namespace)


def compile_code(name: str, code: str) -> Compiled:
    """Compile code that is no step, found again in tracebacks under `name`."""
    filename = register_source(name, code)
    return Compiled(compile(code, filename, "exec", flags=_FLAGS, dont_inherit=True), filename)


def register_source(name: str, source: str, *, first_line: int = 1) -> str:
    """Let tracebacks find the source; the file name to compile it under."""
    magic = [f"%%step {name}\n"] * (first_line - 1)
    lines = [*magic, *(line + "\n" for line in source.splitlines())]
    number = 1
    while True:
        filename = f"<step {name}>" if number == 1 else f"<step {name} #{number}>"
        known = linecache.cache.get(filename)
        if known is None or (len(known) == 4 and known[2] == lines):
            break
        number += 1  # an earlier version of the cell may still be running under that name
    linecache.cache[filename] = (sum(map(len, lines)), None, lines, filename)
    return filename


def _show_last(tree: ast.Module, source: str) -> None:
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr) or source.rstrip().endswith(";"):
        return
    call = ast.Call(func=ast.Name(id=SHOW, ctx=ast.Load()), args=[last.value], keywords=[])
    last.value = ast.copy_location(call, last.value)
    ast.fix_missing_locations(tree)


def describe_error(error: BaseException, *, is_user_code: bool = True) -> ErrorInfo:
    """The error with the cell's own frames: ours, above them, help nobody."""
    summary = traceback.TracebackException.from_exception(error, max_group_width=5)
    _drop_our_frames(summary, set())
    message = str(error) if isinstance(error, StepwellError) else _message(error)
    return ErrorInfo(
        type=type(error).__name__,
        message=message,
        traceback="".join(summary.format()),
        line=_line(error),
        is_user_code=is_user_code,
    )


def _message(error: BaseException) -> str:
    try:
        said = str(error)
    except Exception:
        return "(its message cannot be shown: __str__ failed)"
    # "unhandled errors in a TaskGroup" tells nobody what has happened.
    inner = _first_of(error)
    return said if inner is error else f"{said}: {type(inner).__name__}: {_message(inner)}"


def _first_of(error: BaseException) -> BaseException:
    return _first_of(_parts(error)[0]) if isinstance(error, BaseExceptionGroup) else error


def _parts(group: Any) -> tuple[BaseException, ...]:
    parts: tuple[BaseException, ...] = group.exceptions
    return parts


def _drop_our_frames(summary: traceback.TracebackException, seen: set[int]) -> None:
    if id(summary) in seen:
        return
    seen.add(id(summary))
    for index, frame in enumerate(summary.stack):
        if _is_step_file(frame.filename):
            del summary.stack[:index]
            break
    related = [summary.__cause__, summary.__context__, *(summary.exceptions or [])]
    for other in related:
        if other is not None:
            _drop_our_frames(other, seen)


def _is_step_file(filename: str) -> bool:
    return filename.startswith("<step ")


def _line(error: BaseException) -> int:
    if isinstance(error, SyntaxError) and error.lineno and _is_step_file(error.filename or ""):
        return error.lineno
    lines = [
        number
        for frame, number in traceback.walk_tb(error.__traceback__)
        if _is_step_file(frame.f_code.co_filename)
    ]
    return lines[0] if lines else 0
