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
from nbformat.validator import NotebookValidationError, normalize, validate

from stepwell.errors import InvalidUsage

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
    try:
        if version < 4:
            return _node(_format.reads(text, as_version=4))
        # Normalising first: nbformat would otherwise warn about ids that are missing
        # or occur twice while it validates, and mend them all the same.
        _, mended = normalize(_format.v4.to_notebook(said))
        validate(mended, relax_add_props=True)
    except (NotebookValidationError, ValueError, AttributeError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise InvalidUsage(f"{path} is not a valid notebook: {reason}") from error
    return _node(mended)


def _node(said: Any) -> NotebookNode:
    notebook = _format.from_dict(said)
    assert isinstance(notebook, NotebookNode)
    return notebook


class NotebookFile:
    """The file an executed notebook is written to: as a whole, or not at all."""

    def __init__(self, path: Path, notebook: NotebookNode) -> None:
        self.path = path
        self._notebook = notebook
        self._next_write = 0.0
        self._changed = False

    def changed(self) -> None:
        """The notebook is no longer what the file says."""
        self._changed = True

    def write(self) -> None:
        """Write the notebook as it is now. Raises InvalidUsage when the place is no good."""
        begun = time.monotonic()
        text: str = _format.v4.writes(self._notebook)
        try:
            _replace(self.path, text if text.endswith("\n") else text + "\n")
        except OSError as error:
            reason = error.strerror or str(error)
            raise InvalidUsage(
                f"the executed notebook cannot be written to {self.path}: {reason}"
            ) from error
        self._changed = False
        ended = time.monotonic()
        self._next_write = ended + max(_PAUSE_SECONDS, _PAUSE_PER_WRITE * (ended - begun))

    def write_if_due(self) -> None:
        """Write if there is something new, and writing has not been done a moment ago."""
        if self._changed and time.monotonic() >= self._next_write:
            self.write()


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
