"""A notebook's cells in a script: the same source, the same digest, so the same results.

A cell is written as a function, for people, editors and linters. It is not called: its body
is executed as the cell is, in a namespace of its own, and its `return` only says what for.

@stepwell.cell("search --retries 3")
def search(queries):
    hits = [web.search(query) for query in queries]
    return hits
"""

import ast
import inspect
import io
import textwrap
import tokenize
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stepwell.defining import plain_code, step_from_cell
from stepwell.errors import InvalidStep, InvalidUsage
from stepwell.flow import Step, syntax_tree
from stepwell.magics import StepOptions, parse_step

__all__ = ["CellStep", "body_of", "cell", "cell_step", "indented"]


class CellStep:
    """A cell of a notebook, in a script. Not to be called: `stepwell.run` runs it."""

    def __init__(self, definition: Step, names: Mapping[str, Any]) -> None:
        self.definition = definition
        self.names = names
        self.function = None

    def __repr__(self) -> str:
        return f"<step {self.definition.name}, a cell>"


def cell(line: str, source: str | None = None, /) -> Any:
    """A `%%step` cell in a script: `line` is what stands after `%%step`.

    A decorator for a function whose body is the cell's code; or, with `source`, a call. The
    function's parameters and its `return` are for whoever reads it: what the step reads and
    writes is read from its code, as in the notebook. Raises `InvalidUsage`, `InvalidStep`.
    """
    from stepwell.api import register

    options = parse_step(line)
    if options is None:
        raise InvalidUsage(f"stepwell.cell takes a step's name and options; {line!r} has no name")

    def decorate(function: Callable[..., Any]) -> CellStep:
        text = body_of(inspect.getsource(function), options.name)
        return register(CellStep(cell_step(options, text), function.__globals__))

    if source is None:
        return decorate
    frame = inspect.currentframe()
    caller = frame.f_back if frame is not None else None
    return register(CellStep(cell_step(options, source), caller.f_globals if caller else {}))


def cell_step(options: StepOptions, source: str, code: str = "", *, cell: str = "") -> Step:
    """The step of a cell with these options; `code` is `source` in plain Python."""
    return step_from_cell(
        options.name,
        source,
        code or _plain(source),
        inputs=options.inputs,
        outputs=options.outputs,
        after=options.after,
        transient=options.transient,
        always=options.always,
        defer=options.defer,
        cell=cell,
        flow=options.agent,
        policies=options.policies,
        line=options.line,
    )


def _plain(source: str) -> str:
    try:
        syntax_tree(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        # Top-level await and IPython's own syntax; what is neither is refused by name.
        transform: Callable[[str], str] = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
        return plain_code(source, transform)
    return source


# -- between a function's body and a cell ---------------------------------------------------


def body_of(text: str, name: str = "") -> str:
    """The code of a cell from the source of the function that carries it."""
    lines = textwrap.dedent(text).splitlines()
    tree = syntax_tree("\n".join(lines)).body[0]
    if not isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
        raise InvalidStep(name, "stepwell.cell goes above a function whose body is the cell")
    first, last = tree.body[0], tree.body[-1]
    start = min([first.lineno, *(it.lineno for it in getattr(first, "decorator_list", ()))]) - 1
    end = last.lineno - 1 if isinstance(last, ast.Return) else len(lines)
    if start < tree.lineno:
        raise InvalidStep(name, "its code begins on the line of `def`; give it lines of its own")
    while start > tree.lineno and _is_quiet(lines[start - 1]):
        start -= 1
    inside = _inside_strings("\n".join(lines))
    body = [
        line if number in inside else line[min(first.col_offset, _indentation(line)) :]
        for number, line in enumerate(lines[start:end], start + 1)
    ]
    return "\n".join(body).strip("\n")


def indented(text: str, by: str = "    ") -> str:
    """The code as a function's body; lines inside strings stay as they are."""
    inside = _inside_strings(text)
    return "\n".join(
        by + line if line.strip() and number not in inside else line
        for number, line in enumerate(text.splitlines(), 1)
    )


def _is_quiet(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _inside_strings(text: str) -> set[int]:
    """Numbers of the lines that begin inside a string."""
    found: set[int] = set()
    for first, last in _strings(text):
        found.update(range(first + 1, last + 1))
    return found


def _strings(text: str) -> Iterator[tuple[int, int]]:
    opened: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        # From Python 3.12 on an f-string is several tokens.
        match tokenize.tok_name[token.type]:
            case "STRING":
                yield token.start[0], token.end[0]
            case "FSTRING_START" | "TSTRING_START":
                opened.append(token.start[0])
            case "FSTRING_END" | "TSTRING_END":
                yield opened.pop(), token.end[0]
            case _:
                pass
