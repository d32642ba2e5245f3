"""Notebooks for tests: made in a line or two, and read back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

# nbformat's functions carry no types.
_format: Any = nbformat

Write = Callable[..., Path]
"""Writes a notebook of code cells, each a source or a whole cell; answers where it is."""


def write_notebook(folder: Path, *cells: str | NotebookNode, name: str = "note.ipynb") -> Path:
    """Write a notebook of these cells into the folder."""
    made = [cell(one) if isinstance(one, str) else one for one in cells]
    _format.write(_format.v4.new_notebook(cells=made), folder / name)
    return folder / name


def read_notebook(path: Path) -> NotebookNode:
    """The notebook in a file."""
    notebook: NotebookNode = _format.read(path, as_version=4)
    return notebook


def cell(source: str, *tags: str) -> NotebookNode:
    """A code cell with tags."""
    metadata = {"tags": list(tags)} if tags else {}
    made: NotebookNode = _format.v4.new_code_cell(source, metadata=metadata)
    return made


def markdown(source: str) -> NotebookNode:
    """A cell of prose."""
    made: NotebookNode = _format.v4.new_markdown_cell(source)
    return made


def texts(one: NotebookNode) -> list[str]:
    """What a cell's outputs say, as text; of an error, its name and message."""
    return [_text(out) for out in one.outputs]


def statuses(notebook: NotebookNode) -> list[str]:
    """What the code cells of an executed notebook say of themselves."""
    return [c.metadata["stepwell"]["status"] for c in notebook.cells if c.cell_type == "code"]


def _text(out: NotebookNode) -> str:
    match out.output_type:
        case "stream":
            return str(out.text)
        case "error":
            return f"{out.ename}: {out.evalue}"
        case _:
            return str(out.data["text/plain"])
