"""A notebook's steps from the cell to the store and back, without a kernel."""

import gc
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from controlled import wait_for

from stepwell.defining import step_from_cell
from stepwell.errors import (
    StepCancelled,
    StepNotRun,
)
from stepwell.frontend import NoFrontend
from stepwell.orchestrator import StepView
from stepwell.place import Place
from stepwell.session import Session
from stepwell.store import MemoryStore


class Pane(NoFrontend):
    """A front end that remembers what each card says last."""

    def __init__(self) -> None:
        self.cards: dict[str, str] = {}
        self.cell = ""

    def where(self) -> object:
        """Always some cell."""
        return {"cell": "here"}

    def cell_id(self) -> str:
        """As the test says."""
        return self.cell

    def show(self, bundle: Mapping[str, object], display_id: str, where: object) -> None:
        """A card."""
        self.cards[display_id] = str(bundle["text/plain"])

    def update(self, bundle: Mapping[str, object], display_id: str, where: object) -> None:
        """The same card."""
        self.cards[display_id] = str(bundle["text/plain"])

    def relay(self, where: object, entries: list[dict[str, Any]]) -> None:
        """Nobody listens."""

    def says(self, *words: str) -> bool:
        """Whether one card says all this."""
        return any(all(word in card for word in words) for card in list(self.cards.values()))


class Notebook:
    """Cells, executed."""

    def __init__(self, folder: Path, store: MemoryStore | None, *, mode: str = "") -> None:
        self.pane = Pane()
        self.names: dict[str, Any] = {}
        self.place = Place(None, folder / "n.duckdb", mode)
        self.session = Session(self.names, self.pane, place=self.place, store=store)

    def step(self, name: str, source: str, **options: Any) -> None:
        """A `%%step` cell."""
        session, where = self.session, self.pane.where()
        step = step_from_cell(name, source, source, cell=self.pane.cell, **options)
        session.define([step])
        if not step.flow:
            session.expect_card(name, where)
            try:
                if not step.defer:
                    session.ask([name], by="cell", force=[name] if step.always else [])
            finally:
                session.open_card(name, where)

    def done(self, name: str, source: str, **options: Any) -> Any:
        """A `%%step` cell, waited for; the output of the step's name if there is one."""
        self.step(name, source, **options)
        self.session.wait([name], timeout=20)
        return self.names.get(name)

    def view(self, name: str) -> StepView:
        """The step as shown."""
        return self.session.view(name)


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook with a store in memory."""
    made = Notebook(tmp_path, MemoryStore())
    yield made
    made.session.close()


@pytest.fixture
def gate(notebook: Notebook) -> Iterator[threading.Event]:
    """Steps may wait for it: `gate.wait(20)`."""
    notebook.names["gate"] = made = threading.Event()
    yield made
    made.set()


# -- outputs in the namespace ---------------------------------------------------------------


@pytest.mark.parametrize("spoil", ["names['x'] = 5", "del names['x']", "names['x'].append(5)"])
def test_running_a_steps_cell_brings_its_result_back(notebook: Notebook, spoil: str) -> None:
    """Whatever the notebook did to the name: the cell was run, so the name is what it makes."""
    notebook.done("x", "x = [1]")
    exec(spoil, {"names": notebook.names})
    notebook.done("x", "x = [1]")
    assert notebook.names["x"] == [1]
    assert notebook.view("x").attempt == 1


def test_a_deleted_output_does_not_stay_in_memory(notebook: Notebook) -> None:
    """What the user lets go of is let go of."""
    notebook.names["Big"] = type("Big", (), {"__module__": "__main__"})
    notebook.done("x", "x = Big()", transient=["x"])
    notebook.done("y", "y = {1, 2}")
    found = weakref.ref(notebook.names.pop("y"))
    gc.collect()
    assert found() is None


# -- waiting ----------------------------------------------------------------------------------


def test_waiting_for_a_step_nobody_asked_for_says_so_at_once(
    notebook: Notebook, gate: threading.Event
) -> None:
    """Also while other steps run for long."""
    notebook.step("slow", "gate.wait(20)\nslow = 1")
    notebook.step("later", "later = 1", defer=True)
    with pytest.raises(StepNotRun):
        notebook.session.wait(["later"], timeout=2)
    with pytest.raises(StepNotRun):
        notebook.session.wait_for_names(["later"], 2)
    assert not gate.is_set()


def test_waiting_for_a_reader_of_a_cancelled_step_ends(
    notebook: Notebook, gate: threading.Event
) -> None:
    """It is told who was cancelled, also where there is an older result."""
    gate.set()
    notebook.done("a", "gate.wait(20)\na = 1")
    gate.clear()
    notebook.session.rerun(["a"])
    notebook.step("b", "b = a + 1")
    notebook.session.cancel(["a"])
    with pytest.raises(StepCancelled, match="'a' was cancelled"):
        notebook.session.wait(["b"], timeout=5)


def test_a_broken_orchestrator_ends_the_waiting(
    notebook: Notebook, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours is shown in the cell that waits."""
    notebook.step("a", "gate.wait(20)\na = 1")
    orchestrator = notebook.session.engine.orchestrator
    monkeypatch.setattr(threading, "excepthook", print)

    def broken(run: str) -> None:
        raise ZeroDivisionError("ours")

    orchestrator._advance = broken  # type: ignore[method-assign]
    gate.set()
    with pytest.raises(ZeroDivisionError):
        notebook.session.wait(["a"], timeout=10)


# -- what is asked for --------------------------------------------------------------------------


# -- what cards say -----------------------------------------------------------------------------


def test_an_equal_result_leaves_readers_cards_alone(notebook: Notebook) -> None:
    """Nothing is stale when nothing differs."""
    notebook.done("a", "a = 1")
    notebook.done("b", "b = a + 1")
    notebook.done("a", "a = 2 - 1")
    assert notebook.view("b").stale == ()


# -- memory -------------------------------------------------------------------------------------


# -- trouble ------------------------------------------------------------------------------------


def test_an_engine_that_does_not_open_leaves_no_thread(tmp_path: Path) -> None:
    """A refused resume has not started anything."""
    before = set(threading.enumerate())
    notebook = Notebook(tmp_path, MemoryStore(), mode="resume")
    with pytest.raises(Exception, match="there is no run"):
        _ = notebook.session.engine
    wait_for(lambda: set(threading.enumerate()) <= before)


def test_closing_twice_and_without_having_opened_is_harmless(tmp_path: Path) -> None:
    """Unloading may come at any time."""
    notebook = Notebook(tmp_path, MemoryStore())
    notebook.session.close()
    notebook.done("a", "a = 1")
    notebook.session.close()
    notebook.session.close()
