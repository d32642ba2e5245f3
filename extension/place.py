"""Where this notebook is, and where its store belongs."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepwell.errors import InvalidUsage, StoreError

__all__ = ["Place", "find_place", "locate"]

FOLDER = ".stepwell"
# The kernel of a command that was killed looks once a second whether its parent is there.
_ORPHAN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """A notebook and its store. Environment variables are read here and nowhere else."""

    notebook: Path | None
    store: Path
    mode: str = ""
    """What the command line asked for: `fresh`, `resume` or nothing."""
    patience: float = 0.0
    """How many seconds to wait for a store that another process has."""
    record: Path | None = None
    """The file in which calls are to be recorded."""
    replay: Path | None = None
    """The file from which calls are to be answered."""

    def orphans(self) -> list[tuple[Path, Path]]:
        """Stores in the same folder whose notebook is gone, with the path it had.

        Only looked for when this notebook has no store: it may have been moved or renamed.
        """
        if self.notebook is None or self.store.exists():
            return []
        found: list[tuple[Path, Path]] = []
        for store in sorted(self.store.parent.glob("*.duckdb")):
            notebook = self.notebook.parent / f"{store.stem}.ipynb"
            if not notebook.exists():
                found.append((store, notebook))
        return found


def find_place(namespace: dict[str, Any] | None = None) -> Place:
    """From the environment, the front end's hints, or the working directory, in that order."""
    notebook = _notebook(namespace or {})
    if named := os.environ.get("STEPWELL_STORE"):
        store = Path(named)
    elif notebook is not None:
        store = notebook.parent / FOLDER / f"{notebook.stem}.duckdb"
    else:
        store = Path.cwd() / FOLDER / "notebook.duckdb"
    patience = _ORPHAN_SECONDS if "STEPWELL_RUN" in os.environ else 0.0
    return Place(
        notebook,
        store.absolute(),
        os.environ.get("STEPWELL_RUN", ""),
        patience,
        _file("STEPWELL_RECORD"),
        _file("STEPWELL_REPLAY"),
    )


def _file(variable: str) -> Path | None:
    named = os.environ.get(variable)
    return Path(named).absolute() if named else None


def locate(at: Path | None, *, must_exist: bool = True) -> tuple[Path | None, Path]:
    """The notebook, if one is named, and the store that a word on the command line means.

    Nothing named means the only store in `.stepwell`. Raises `InvalidUsage`, and `StoreError`
    where there is no store, unless it need not exist.
    """
    if at is None:
        found = sorted((Path.cwd() / FOLDER).glob("*.duckdb"))
        if len(found) != 1:
            listed = ", ".join(path.stem for path in found[:8]) or "no store"
            raise InvalidUsage(
                f"name a notebook or a store: there is {listed} in {FOLDER} of this folder"
            )
        at = found[0]
    notebook = at.absolute() if at.suffix == ".ipynb" else None
    store = at if notebook is None else notebook.parent / FOLDER / f"{notebook.stem}.duckdb"
    if must_exist and not store.exists():
        raise StoreError(f"there is no store at {store}. Running the notebook makes one")
    return notebook, store.absolute()


def _notebook(namespace: dict[str, Any]) -> Path | None:
    candidates = (
        os.environ.get("STEPWELL_NOTEBOOK"),
        namespace.get("__vsc_ipynb_file__"),
        namespace.get("__session__"),
        os.environ.get("JPY_SESSION_NAME"),
    )
    for candidate in candidates:
        if isinstance(candidate, str) and candidate.endswith(".ipynb"):
            return Path(candidate).absolute()
    return None
