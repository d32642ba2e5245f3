"""`%%setup`: run as an ordinary cell, and remembered.

A cell magic would have to run the body itself and lose what IPython does for a cell:
top-level await, the display of the last expression, tracebacks with the cell's lines.
So the cell is rewritten before IPython looks at it: the line `%%setup` becomes a call that
registers the source, and everything else stays where it is.
"""

import linecache
import re
from inspect import currentframe
from types import FrameType

from stepwell.errors import InvalidUsage
from stepwell.magics._port import Notebook

__all__ = ["SETUP_HELP", "give_empty_body", "remember_setup", "rewrite_setup", "use_notebook"]

SETUP_HELP = """Run this cell now, and again wherever the flow is rebuilt.

    %%setup
    code

For what cannot be stored and every step may use: imports, connections, settings. The cell
runs as an ordinary cell does; after a restart `%stepwell resume` runs it again before any
step goes on. It takes no options.
"""

_CALL = "__import__('stepwell.magics', fromlist=['_']).remember_setup"
_SHOWN = "# %%setup"
_FIRST_LINE = re.compile(r"%%setup[ \t]*(#.*)?\s*")
_ONE_LINE = re.compile(r"%%(step|stepwell|setup)(\s.*)?")
_PREFACE = re.compile(r"\s*(#.*)?\s*")
_FUTURE = re.compile(r"(from[ \t]+__future__[ \t]+import[ \t]+[\w, \t]*\w)[ \t]*(#.*)?\s*")

_notebook: Notebook | None = None


def use_notebook(notebook: Notebook | None) -> None:
    """Say whose setup cells are executed from now on."""
    global _notebook  # noqa: PLW0603 - the rewritten cell can only reach a module
    _notebook = notebook


def remember_setup(source: str) -> None:
    """Called by a rewritten `%%setup` cell. Raises `InvalidUsage` without the extension."""
    frame = currentframe()
    _hide_call(frame.f_back if frame else None)
    if _notebook is None:
        raise InvalidUsage("%%setup needs the extension: %load_ext stepwell, then run this cell")
    _notebook.setup(source)


def rewrite_setup(lines: list[str]) -> list[str]:
    """An input transformer: a setup cell in plain Python, line for line; others untouched.

    Pure and idempotent: IPython transforms a cell more than once.
    """
    at = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    body = lines[at + 1 :]
    if not any(line.strip() for line in body) or not _FIRST_LINE.fullmatch(lines[at]):
        return lines
    call = f"{_CALL}({''.join(body)!r})\n"
    # Nothing but comments may stand before an import from __future__: call behind the last.
    index, statement = _last_future_import(body)
    if not statement:
        return [*lines[:at], call, *body]
    body[index] = f"{statement}; {call}"
    return [*lines[:at], f"{_SHOWN}\n", *body]


def give_empty_body(lines: list[str]) -> list[str]:
    """An input transformer: a `%%step` line alone gets an empty line below it.

    IPython refuses a cell magic without a body in its own words; with one, `--help` works
    and our message can say what is missing.
    """
    if len(lines) == 1 and _ONE_LINE.fullmatch(lines[0].rstrip()):
        return [lines[0].rstrip() + "\n", "\n"]
    return lines


def _last_future_import(body: list[str]) -> tuple[int, str]:
    last = (0, "")
    for index, line in enumerate(body):
        if statement := _FUTURE.fullmatch(line):
            last = (index, statement[1])
        elif not _PREFACE.fullmatch(line):
            break
    return last


def _hide_call(frame: FrameType | None) -> None:
    # A traceback shows lines around the one that failed. Ours holds the whole source
    # once more, so show what was typed instead. A comment, so that the text still parses.
    if frame is None:
        return
    entry = linecache.cache.get(frame.f_code.co_filename, ())
    lines = entry[2] if len(entry) == 4 else []
    at = frame.f_lineno - 1
    if 0 <= at < len(lines) and _CALL in lines[at]:
        before = lines[at].partition(_CALL)[0].rstrip("; ")
        lines[at] = f"{before or _SHOWN}\n"
