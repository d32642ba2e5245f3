"""Names inside the text that IPython hands to a shell or to a magic.

After IPython's input transformer `!ls {folder}` is `get_ipython().system('ls {folder}')`:
the name is in a string, and IPython looks it up when the line runs.
"""

import ast
import re
from collections.abc import Iterator
from string import Formatter

from stepwell.errors import InvalidStep
from stepwell.flow._code import parse

__all__ = ["IpythonCall", "code_of", "expressions_in", "ipython_call"]

_CODE_MAGICS = frozenset({"capture", "lprun", "memit", "mprun", "prun", "time", "timeit"})
"""Magics whose text is Python."""

_TEXT_METHODS = frozenset({"system", "getoutput", "run_line_magic", "run_cell_magic"})

# `$$name` is IPython's way to leave `$name` to the shell.
_DOLLAR = re.compile(r"(?<!\$)\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")

IpythonCall = tuple[str, tuple[str, ...]]
"""Method of the shell object and its constant arguments."""


def ipython_call(node: ast.Call) -> IpythonCall | None:
    """What `get_ipython().METHOD('…', …)` asks for; None for any other call."""
    match node:
        case ast.Call(
            func=ast.Attribute(
                value=ast.Call(func=ast.Name(id="get_ipython"), args=[]), attr=method
            ),
            args=arguments,
        ) if method in _TEXT_METHODS:
            texts = [a.value for a in arguments if isinstance(a, ast.Constant)]
            return method, tuple(text for text in texts if isinstance(text, str))
        case _:
            return None


def expressions_in(text: str) -> Iterator[ast.expr]:
    """The expressions IPython would put values for: `{expression}`, `$name`, `${name}`.

    Whether a name is meant is known only when the line runs: braces and dollars are the
    shell's syntax as well.
    """
    try:
        fields = [field for _, field, _, _ in Formatter().parse(text) if field]
    except ValueError:
        fields = []
    fields += [braced or bare for braced, bare in _DOLLAR.findall(text)]
    for field in fields:
        try:
            body = parse(f"({field.strip()})").body
        except InvalidStep:
            continue
        if len(body) == 1 and isinstance(body[0], ast.Expr):
            yield body[0].value


def code_of(magic: str, text: str, *, is_line: bool) -> list[ast.stmt]:
    """What the text of a magic does, as statements, its options left out; [] if it is no Python.

    `is_line` for the text that stands beside the magic's name.
    """
    if magic == "capture" and is_line:
        # `%%capture --no-stderr seen`: a name for what the cell says.
        name = text.split()[-1:]
        return parse(f"{name[0]} = ...").body if name and name[0].isidentifier() else []
    return _code_in(text) if magic in _CODE_MAGICS else []


def _code_in(text: str) -> list[ast.stmt]:
    rest = text.strip()
    has_options = rest.startswith("-")
    while rest:
        if not rest.startswith("-"):
            try:
                return parse(rest).body
            except InvalidStep:
                if not has_options:
                    return []
        # `-n 10 f(x)`: an option, perhaps its value, then the code.
        rest = rest.partition(" ")[2].strip()
    return []
