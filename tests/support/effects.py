"""What happened outside the store, as far as a test looks; and cells that make it happen."""

import json
import threading
from typing import Any

import pytest
from sessions import Notebook

from stepwell.errors import StepFailed
from stepwell.orchestrator import Clock
from stepwell.store import MemoryStore


class Effects:
    """A list that steps add to and nobody copies: a connection to the world outside."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._lock = threading.Lock()
        self.gate = threading.Event()

    def add(self, what: Any) -> None:
        """It has happened, and cannot be taken back."""
        with self._lock:
            self.all.append(what)

    def take(self) -> list[Any]:
        """What has happened since the last look."""
        with self._lock:
            found, self.all = self.all, []
        return found


def durable_cells(notebook: Notebook, effects: Effects, source: str) -> None:
    """Have an ordinary cell define what the steps use."""
    notebook.names.setdefault("__name__", "__main__")
    notebook.names["effects"] = effects
    exec("import asyncio, stepwell\n" + source, notebook.names)


def fails(notebook: Notebook, name: str, source: str) -> str:
    """Run a step that fails; its error."""
    with pytest.raises(StepFailed) as caught:
        notebook.done(name, source)
    return str(caught.value)


def written(notebook: Notebook, *kinds: str) -> list[dict[str, Any]]:
    """Events of the current run, of these kinds, as they are kept."""
    engine = notebook.session.engine
    rows = engine.store.rows(engine.run, kinds=kinds)
    return [json.loads(row.body) for row in rows]


def as_if_killed(
    notebook: Notebook, effects: Effects, source: str, *, clock: Clock | None = None
) -> Notebook:
    """The notebook in a new process, had this one been killed now. This one hangs in a step."""
    store = notebook.session.engine.store
    assert isinstance(store, MemoryStore)
    kept = MemoryStore()
    for name in ("_rows", "_packed", "_blobs", "_meta"):
        setattr(kept, name, getattr(store, name).copy())
    again = Notebook(notebook.place.store.parent, kept, clock=clock)
    durable_cells(again, effects, source)
    return again
