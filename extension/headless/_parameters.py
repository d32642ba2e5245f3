"""Values from outside the notebook: one cell, put after the one tagged `parameters`.

The same convention as papermill's, so that a notebook can be run by either.
"""

import ast
import json
import keyword
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import nbformat
from nbformat import NotebookNode

from stepwell.errors import InvalidUsage, near_misses

__all__ = ["inject", "parse"]

_DECLARED, _INJECTED = "parameters", "injected-parameters"
_LITERAL_TROUBLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)

# nbformat's functions carry no types.
_format: Any = nbformat


def parse(settings: Iterable[str]) -> dict[str, Any]:
    """Turn NAME=VALUE words into values: JSON, or a Python literal, or else the text itself.

    A name given twice has the last value. Raises InvalidUsage for a word of another form.
    """
    parameters: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals:
            raise InvalidUsage(f"-p {setting!r} has no value; write it as NAME=VALUE")
        _check_name(name)
        parameters[name] = _value(text)
    return parameters


def inject(notebook: NotebookNode, parameters: Mapping[str, Any]) -> str:
    """Put the values into the notebook; answers a warning, or "" when all is as it should be.

    Raises InvalidUsage when the notebook declares its parameters and one of these is not
    among them, when a value has no Python spelling, and for a notebook in another language.
    """
    _check_language(notebook)
    for name in parameters:
        _check_name(name)
    source = "\n".join(
        ["# Parameters", *(f"{name} = {_spelling(name, it)}" for name, it in parameters.items())]
    )
    notebook.cells = [cell for cell in notebook.cells if not _has_tag(cell, _INJECTED)]
    declared = next((i for i, cell in enumerate(notebook.cells) if _has_tag(cell, _DECLARED)), None)
    if declared is None:
        notebook.cells.insert(0, _new_cell(notebook, source))
        return (
            "no cell is tagged `parameters`; the values were put at the top, "
            "where a cell that assigns the same names overrides them"
        )
    _check_declared(parameters, _assigned(notebook.cells[declared].source))
    notebook.cells.insert(declared + 1, _new_cell(notebook, source))
    return ""


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except _LITERAL_TROUBLE:
        return text


def _refuse(constant: str) -> None:
    # JSON's reader knows NaN and Infinity, which JSON does not.
    raise ValueError(constant)


def _spelling(name: str, value: Any) -> str:
    spelling = repr(value)
    try:
        ast.literal_eval(spelling)
    except _LITERAL_TROUBLE:
        raise InvalidUsage(
            f"parameter {name!r}: {spelling:.60} cannot be written into a notebook. "
            "Use numbers, text, lists, dictionaries, True, False or None"
        ) from None
    return spelling


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise InvalidUsage(f"{name!r} cannot be the name of a parameter; use a Python name")


def _check_language(notebook: NotebookNode) -> None:
    metadata = notebook.metadata
    language = metadata.get("kernelspec", {}).get("language") or metadata.get(
        "language_info", {}
    ).get("name")
    if language and str(language).lower() not in {"python", "ipython"}:
        raise InvalidUsage(
            f"parameters can be set in Python notebooks only; this one is {language}"
        )


def _check_declared(parameters: Mapping[str, Any], declared: Sequence[str]) -> None:
    for name in parameters:
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise InvalidUsage(
                f"the notebook has no parameter {name!r}."
                f"{near_misses(name, declared) if declared else ''} "
                f"Its cell tagged `parameters` assigns: {known}"
            )


def _assigned(source: str) -> list[str]:
    lines = ("" if line.lstrip()[:1] in {"%", "!"} else line for line in source.splitlines())
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError as error:
        raise InvalidUsage(
            f"the cell tagged `parameters` is not valid Python (line {error.lineno}: {error.msg})"
        ) from error
    targets: list[ast.expr] = []
    for statement in tree.body:
        match statement:
            case ast.Assign():
                targets.extend(statement.targets)
            case ast.AnnAssign():
                targets.append(statement.target)
            case _:
                pass
    parts = (part for target in targets for part in ast.walk(target))
    written = (p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store))
    return list(dict.fromkeys(written))


def _has_tag(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def _new_cell(notebook: NotebookNode, source: str) -> NotebookNode:
    cell: NotebookNode = _format.v4.new_code_cell(source, metadata={"tags": [_INJECTED]})
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        cell.pop("id", None)
    return cell
