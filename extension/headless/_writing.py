"""Reading a notebook file, and writing one so that a half-written one is never seen."""

import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.validator import NotebookValidationError, validate

from stepwell.errors import InvalidUsage, StepwellError

__all__ = ["NotebookFile", "read_notebook"]

# Between cells the file is written when it has changed, but never so often that
# writing takes more than about a twentieth of the time.
_PAUSE_SECONDS = 1.0
_PAUSE_PER_WRITE = 20

# nbformat's functions carry no types.
_format: Any = nbformat


def read_notebook(path: Path) -> NotebookNode:
    """The notebook in the file, in the current major format.

    Raises InvalidUsage when there is none or the file is something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidUsage(f"there is no notebook {path}") from None
    except IsADirectoryError:
        raise InvalidUsage(f"{path} is a folder, not a notebook") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidUsage(f"{path} cannot be read: {error}") from error
    try:
        said: Any = json.loads(text)
    except ValueError as error:
        raise InvalidUsage(f"{path} is not a notebook: it is not JSON ({error})") from error
    try:
        version = int(said["nbformat"])
    except (KeyError, TypeError, ValueError):
        raise InvalidUsage(
            f"{path} is not a notebook: it is JSON, but does not say its format"
        ) from None
    return _valid(path, text, said, version)


def _valid(path: Path, text: str, said: Any, version: int) -> NotebookNode:
    if version > _format.current_nbformat:
        raise InvalidUsage(
            f"{path} is a notebook of format {version}, which this nbformat cannot read; upgrade it"
        )
    try:
        if version < _format.current_nbformat:
            return _node(_format.reads(text, as_version=4))
        notebook = _node(_format.v4.to_notebook(said))
        _give_ids(notebook)
        validate(notebook, relax_add_props=True)
    except (NotebookValidationError, ValueError, AttributeError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise InvalidUsage(f"{path} is not a valid notebook: {reason}") from error
    return notebook


def _give_ids(notebook: NotebookNode) -> None:
    """Mend ids that are missing or occur twice; nbformat would do it with a warning.

    The same cell of the same file gets the same id each time, since an id is what tells
    the kernel that it is the same cell.
    """
    if notebook.nbformat_minor < 5:
        return
    known: set[str] = set()
    for index, cell in enumerate(notebook.cells):
        if cell.get("id") in known or "id" not in cell:
            cell["id"] = next(
                name
                for name in (f"cell-{index}{'-' * more}" for more in range(len(notebook.cells) + 1))
                if name not in known
            )
        known.add(cell["id"])


def _node(said: Any) -> NotebookNode:
    notebook = _format.from_dict(said)
    assert isinstance(notebook, NotebookNode)
    return notebook


class NotebookFile:
    """The file an executed notebook is written to: as a whole, or not at all."""

    def __init__(self, path: Path, notebook: NotebookNode) -> None:
        self.path = path
        self._notebook = notebook
        # The text of each cell, until it changes: most of a long notebook has not
        # changed since it was written last.
        self._texts: dict[int, str] = {}
        self._is_changed = True
        self._next_write = 0.0

    def changed(self, cell_index: int) -> None:
        """The cell is no longer what the file says."""
        self._texts.pop(cell_index, None)
        self._is_changed = True

    def write(self) -> None:
        """Write the notebook as it is now. Raises StepwellError when that is not possible."""
        begun = time.monotonic()
        self._is_changed = False
        try:
            _replace(self.path, self._text())
        except OSError as error:
            raise StepwellError(
                f"the executed notebook cannot be written to {self.path}: "
                f"{error.strerror or error}. Make room there, or name another file with --output"
            ) from error
        ended = time.monotonic()
        self._next_write = ended + max(_PAUSE_SECONDS, _PAUSE_PER_WRITE * (ended - begun))

    def write_if_due(self) -> None:
        """Write if there is something new, and writing has not been done a moment ago."""
        if self._is_changed and time.monotonic() >= self._next_write:
            self.write()

    def write_anew(self) -> None:
        """Write the notebook without relying on what was said to have changed."""
        self._texts.clear()
        self.write()

    def _text(self) -> str:
        cells = self._notebook.cells
        for index, cell in enumerate(cells):
            if index not in self._texts:
                self._texts[index] = _in_pieces(
                    {"cells": [cell], "metadata": _format.NotebookNode()}
                )[1]
        before, _, after = _in_pieces({**self._notebook, "cells": []})
        if not cells:
            return f"{before}[]{after}\n"
        joined = ",".join(self._texts[index] for index in range(len(cells)))
        return f"{before}[{joined}\n ]{after}\n"


def _in_pieces(said: dict[str, Any]) -> tuple[str, str, str]:
    """The text of a notebook with at most one cell: before its cells, the cell, and after."""
    text: str = _format.v4.writes(_format.NotebookNode(said))
    # A line that begins so is the notebook's own key: strings have no line breaks in
    # JSON, and what is inside is indented deeper.
    before, key, rest = text.partition('\n "cells": [')
    cell, _, after = rest.partition("\n ]" if said["cells"] else "]")
    return before + key.removesuffix("["), cell, after


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder: a rename does not cross file systems.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(path.stat().st_mode & 0o777 if path.exists() else _new_file_mode())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def _new_file_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
