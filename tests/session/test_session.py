"""A notebook's steps from the cell to the store and back, without a kernel."""

import gc
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from controlled import ControlledStore, wait_for
from sessions import Notebook

from stepwell.defining import step_from_cell
from stepwell.errors import (
    StepCancelled,
    StepFailed,
    StepNotRun,
    StoreError,
    StoreFull,
    TwoWriters,
    UnknownName,
    ValueUnreadable,
    WaitTimedOut,
)
from stepwell.orchestrator import Output, Phase
from stepwell.orchestrator import _shell as shell
from stepwell.session import _reports as reports
from stepwell.store import MemoryStore, Record
from stepwell.store._port import Then


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook with a store in memory."""
    made = Notebook(tmp_path, MemoryStore())
    yield made
    made.session.close()


@pytest.fixture
def gate(notebook: Notebook) -> Iterator[threading.Event]:
    """Steps may wait for it: `gate.wait(60)`."""
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
    wait_for(lambda: gc.collect() >= 0 and found() is None)


def break_reading(notebook: Notebook, error: BaseException) -> None:
    """From now on no value can be read."""

    def load(digest: str) -> object:
        raise error

    notebook.session.engine.values.load = load  # type: ignore[method-assign]


@pytest.mark.parametrize("error", [RecursionError("too deep"), ValueUnreadable("too deep")])
def test_a_value_that_cannot_be_read_back_is_told_to_everybody(
    notebook: Notebook, error: BaseException
) -> None:
    """Whatever goes wrong: waiting ends for each who waits; card, status and steps say it."""
    notebook.done("x", "x = [1]")
    notebook.done("y", "y = 2")
    del notebook.names["x"]
    mended = notebook.session.engine.values.load
    break_reading(notebook, error)
    notebook.step("x", "x = [1]")
    for _ in range(2):
        with pytest.raises(ValueUnreadable, match=r"'x' of step 'x' .*rerun x.*too deep"):
            notebook.session.wait(["x"], timeout=60)
        with pytest.raises(ValueUnreadable, match="too deep"):
            notebook.session.wait_for_names(["y", "x"], 60)
    wait_for(lambda: notebook.pane.says("x:", "too deep"))
    assert "too deep" in str(reports.status(notebook.session))
    notebook.step("z", "z = x")
    with pytest.raises(StepFailed, match="too deep"):
        notebook.session.wait(["z"], timeout=60)
    notebook.session.engine.values.load = mended  # type: ignore[method-assign]
    notebook.session.rerun(["x"])
    notebook.session.wait(["x"], timeout=60)
    wait_for(lambda: not notebook.pane.says("x:", "too deep"))
    assert notebook.done("z", "z = x") == [1]


def test_waiting_does_not_end_before_a_value_is_read_back(notebook: Notebook) -> None:
    """Also in the moment in which the answer is on disk, and nobody has begun to read."""
    notebook.done("x", "x = [1]")
    notebook.names["x"].append(5)
    outputs, hearing, going_on = (
        notebook.session.engine.outputs,
        threading.Event(),
        threading.Event(),
    )
    restore = outputs.restore

    def slowly(step: str, made: Mapping[str, Output]) -> None:
        hearing.set()
        going_on.wait(60)
        restore(step, made)

    outputs.restore = slowly  # type: ignore[method-assign]
    notebook.session.ask(["x"], by="run")
    assert hearing.wait(60)
    with pytest.raises(WaitTimedOut):
        notebook.session.wait(["x"], timeout=0.05)
    going_on.set()
    notebook.session.wait(["x"], timeout=60)
    assert notebook.names["x"] == [1]


def test_an_old_value_that_cannot_be_read_does_not_stand_for_a_new_one(
    notebook: Notebook, gate: threading.Event
) -> None:
    """It was still being read when its step had made another."""
    notebook.done("x", "x = [1]")
    mended = notebook.session.engine.values.load
    reading = threading.Event()

    def load(digest: str) -> object:
        reading.set()
        gate.wait(60)
        raise RecursionError("too deep")

    notebook.session.engine.values.load = load  # type: ignore[method-assign]
    del notebook.names["x"]
    notebook.step("x", "x = [1]")
    assert reading.wait(60)
    notebook.session.engine.values.load = mended  # type: ignore[method-assign]
    notebook.step("x", "x = [2]")
    wait_for(lambda: notebook.names.get("x") == [2])
    gate.set()
    notebook.session.wait(["x"], timeout=60)
    assert notebook.done("z", "z = x[0]") == 2
    assert "too deep" not in str(reports.status(notebook.session))


# -- waiting ----------------------------------------------------------------------------------


def test_waiting_for_a_step_nobody_asked_for_says_so_at_once(
    notebook: Notebook, gate: threading.Event
) -> None:
    """Also while other steps run for long."""
    notebook.step("slow", "gate.wait(60)\nslow = 1")
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
    notebook.done("a", "gate.wait(60)\na = 1")
    gate.clear()
    notebook.session.rerun(["a"])
    notebook.step("b", "b = a + 1")
    notebook.session.cancel(["a"])
    with pytest.raises(StepCancelled, match="'a' was cancelled"):
        notebook.session.wait(["b"], timeout=60)


def test_a_broken_orchestrator_ends_the_waiting(
    notebook: Notebook, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours is shown in the cell that waits."""
    notebook.step("a", "gate.wait(60)\na = 1")
    orchestrator = notebook.session.engine.orchestrator
    monkeypatch.setattr(threading, "excepthook", print)

    def broken(run: str) -> None:
        raise ZeroDivisionError("ours")

    orchestrator._advance = broken  # type: ignore[method-assign]
    gate.set()
    with pytest.raises(ZeroDivisionError):
        notebook.session.wait(["a"], timeout=60)


# -- what is asked for --------------------------------------------------------------------------


def test_a_reader_does_not_rerun_a_step_whose_constant_is_gone(tmp_path: Path) -> None:
    """After a restart, with one cell run: the step that lacks a name is named and not run."""
    store = MemoryStore()
    first = Notebook(tmp_path, store)
    first.names["topic"] = "pumps"
    first.done("a", "a = topic * 2")
    first.done("b", "b = a + '!'")
    store.close = lambda: None  # type: ignore[method-assign]
    first.session.close()
    second = Notebook(tmp_path, store)
    with pytest.raises(UnknownName, match=r"step 'a' reads 'topic'"):
        second.step("b", "b = a + '!'")
    assert second.view("a").attempt == 1
    second.names["topic"] = "pumps"
    second.done("b", "b = a + '!'")
    assert second.names["b"] == "pumpspumps!"
    assert (second.view("a").attempt, second.view("b").attempt) == (1, 1)
    second.session.close()


def test_a_refused_renaming_changes_nothing(notebook: Notebook) -> None:
    """A cell with a new name and another step's output is refused as a whole."""
    notebook.done("other", "other = 1")
    notebook.pane.cell = "c1"
    notebook.done("a", "a = 1")
    with pytest.raises(TwoWriters):
        notebook.step("b", "other = 2")
    assert notebook.session.names() == ["other", "a"]


def test_a_fresh_run_keeps_the_agents(notebook: Notebook) -> None:
    """Steps that were declared for an agent are its steps in the new run, too."""
    notebook.step("think", "thought = 1", flow="researcher")
    notebook.done("a", "a = 1")
    notebook.session.begin_fresh()
    assert list(notebook.session.state.agents["researcher"])
    assert notebook.session.names() == ["a"]


def test_going_back_to_a_run_that_goes_on_starts_nothing_twice(
    notebook: Notebook, gate: threading.Event
) -> None:
    """A run that is left goes on; whoever comes back finds it as it is."""
    notebook.names["began"] = began = threading.Semaphore(0)
    notebook.step("a", "began.release()\ngate.wait(60)\na = 1")
    engine = notebook.session.engine
    first = engine.run
    assert began.acquire(timeout=60)
    engine.begin()
    engine.switch(first)
    gate.set()
    notebook.session.wait(["a"], timeout=60)
    assert (notebook.names["a"], notebook.view("a").attempt) == (1, 1)
    assert not began.acquire(blocking=False)


def test_a_setup_cell_of_another_session_is_not_replaced(tmp_path: Path) -> None:
    """Front ends that send no cell ids: a new cell is a further one, after those there were."""
    store = MemoryStore()
    store.close = lambda: None  # type: ignore[method-assign]
    first = Notebook(tmp_path, store)
    first.session.remember_setup("import a")
    first.session.remember_setup("import b")
    first.session.close()
    second = Notebook(tmp_path, store)
    second.session.remember_setup("import c")
    second.session.remember_setup("import a")
    setups = sorted(second.session.state.setups.values(), key=lambda it: it.order)
    assert [setup.source for setup in setups] == ["import a", "import b", "import c"]
    second.session.close()


def test_an_edited_setup_cell_keeps_its_place(notebook: Notebook) -> None:
    """With its id known, it replaces what it was, in the order of the notebook."""
    for cell, source in (("1", "x = 1"), ("2", "y = x"), ("1", "x = 2")):
        notebook.pane.cell = cell
        notebook.session.remember_setup(source)
    setups = sorted(notebook.session.state.setups.values(), key=lambda it: it.order)
    assert [setup.source for setup in setups] == ["x = 2", "y = x"]


# -- what cards say -----------------------------------------------------------------------------


def test_a_card_says_that_what_it_read_has_changed(notebook: Notebook) -> None:
    """A change above is not passed over in silence, however far above it is."""
    notebook.done("a", "a = 1")
    notebook.done("b", "b = a + 1")
    notebook.done("c", "c = b + 1")
    notebook.done("a", "a = 2")
    wait_for(lambda: notebook.view("b").stale == ("input 'a' (from step 'a') changed",))
    wait_for(lambda: notebook.view("c").stale == ("step 'b', which it reads from, is stale",))
    wait_for(lambda: notebook.pane.says("b:", "stale") and notebook.pane.says("c:", "stale"))
    notebook.done("c", "c = b + 1")
    wait_for(lambda: notebook.view("b").stale == notebook.view("c").stale == ())
    wait_for(lambda: not notebook.pane.says("stale"))


class SlowStore(ControlledStore):
    """A disk that takes its time, once told to, for a step that is done."""

    is_slow = False

    def append(self, records: Sequence[Record], then: Then | None = None) -> None:
        """Hold that a step has completed."""
        if self.is_slow and any(record.kind == "attempt_completed" for record in records):
            self.hold()
        super().append(records, then)


def test_cards_below_hear_of_a_change_that_is_found_while_a_card_is_opened(tmp_path: Path) -> None:
    """The step may be through, and not yet on disk, when its cell shows the card."""
    store = SlowStore()
    notebook = Notebook(tmp_path, store)
    notebook.done("a", "a = 1")
    notebook.done("b", "b = a + 1")
    notebook.done("c", "c = b + 1")
    store.is_slow = True
    notebook.session.define([step_from_cell("a", "a = 2", "a = 2")])
    notebook.session.ask(["a"], by="cell")
    wait_for(lambda: store.is_holding)
    notebook.session.open_card("a", notebook.pane.where())
    store.let_go()
    wait_for(lambda: notebook.pane.says("b:", "stale") and notebook.pane.says("c:", "stale"))
    notebook.session.close()


def test_a_card_says_that_its_code_has_changed(notebook: Notebook) -> None:
    """A deferred edit leaves a result of other code."""
    notebook.done("a", "a = 1")
    notebook.step("a", "a = 2", defer=True)
    wait_for(lambda: notebook.view("a").stale == ("code of the step changed",))


def test_an_equal_result_leaves_readers_cards_alone(notebook: Notebook) -> None:
    """Nothing is stale when nothing differs."""
    notebook.done("a", "a = 1")
    notebook.done("b", "b = a + 1")
    notebook.done("a", "a = 2 - 1")
    notebook.session.engine.orchestrator.call(lambda: None)
    assert notebook.view("b").stale == ()


def test_a_waiting_card_says_who_keeps_it_waiting(
    notebook: Notebook, gate: threading.Event
) -> None:
    """When a step above fails, every step that waits for it says so."""
    notebook.step("a", "gate.wait(60)\na = 1 / 0")
    notebook.step("b", "b = a")
    notebook.step("c", "c = b")
    wait_for(lambda: notebook.pane.says("c", "waiting"))
    gate.set()
    wait_for(lambda: notebook.view("c").blocked_by == ("b",))
    wait_for(lambda: notebook.pane.says("b", "blocked") and notebook.pane.says("c", "blocked"))


def test_a_cancelled_run_is_shown_on_every_card(notebook: Notebook, gate: threading.Event) -> None:
    """Also on those of steps that had not begun."""
    notebook.step("a", "gate.wait(60)\na = 1")
    notebook.step("b", "b = a")
    notebook.session.cancel()
    wait_for(lambda: sum("cancelled" in card for card in notebook.pane.cards.values()) == 2)


# -- memory -------------------------------------------------------------------------------------


def test_environments_that_nobody_runs_in_are_let_go_of(notebook: Notebook) -> None:
    """A constant that changes with each run does not pile up."""
    for number in range(40):
        notebook.names["k"] = [number] * 1000
        notebook.session.capture("a") if number else None
        notebook.done("a", "a = len(k)")
    assert len(notebook.session.surroundings.captured) <= 16


# -- trouble ------------------------------------------------------------------------------------


def test_a_store_that_cannot_be_opened_leaves_the_one_there_is(tmp_path: Path) -> None:
    """`%stepwell store` with a path that will not do changes nothing."""
    notebook = Notebook(tmp_path, None)
    notebook.done("a", "a = 1")
    bad = tmp_path / "bad.duckdb"
    bad.write_text("this is no database")
    with pytest.raises(StoreError):
        notebook.session.use_store(bad)
    assert notebook.session.names() == ["a"]
    notebook.session.close()


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


def test_a_result_waits_for_space_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full disk: it is said on the card and in the status, and it goes on by itself."""
    monkeypatch.setattr(shell, "RETRY_SECONDS", 0.02)
    store = ControlledStore()
    notebook = Notebook(tmp_path, store)
    notebook.names["gate"] = gate = threading.Event()
    notebook.step("a", "gate.wait(60)\na = 1")
    store.trouble = StoreFull("no space left for stepwell's store")
    gate.set()
    wait_for(lambda: notebook.pane.says("no space left"))
    assert notebook.view("a").phase is Phase.RUNNING
    with pytest.raises(StoreFull):
        notebook.session.wait(["a"], timeout=60)
    assert "no space left" in str(reports.status(notebook.session))
    store.trouble = None
    wait_for(lambda: notebook.names.get("a") == 1)
    wait_for(lambda: not notebook.pane.says("no space left"))
    notebook.session.close()


class FillingStore(ControlledStore):
    """A disk on which a request has room, and what comes of it has none."""

    def append(self, records: Sequence[Record], then: Then | None = None) -> None:
        """Full from the first completed attempt on."""
        if any(record.kind == "attempt_completed" for record in records):
            self.trouble = StoreFull("no space left for stepwell's store")
        super().append(records, then)


def test_a_disk_that_fills_up_behind_a_request_is_told_by_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell has done what it was to do: it does not fail for what came after."""
    monkeypatch.setattr(shell, "RETRY_SECONDS", 0.02)
    store = FillingStore()
    notebook = Notebook(tmp_path, store)
    session, where = notebook.session, notebook.pane.where()
    session.define([step_from_cell("a", "a = 1", "a = 1")])
    session.expect_card("a", where)
    session.ask(["a"], by="cell")
    wait_for(lambda: session.engine.orchestrator.trouble)
    session.open_card("a", where)
    wait_for(lambda: notebook.pane.says("no space left"))
    assert notebook.view("a").phase is Phase.RUNNING
    with pytest.raises(StoreFull):
        notebook.step("b", "b = 2")
    session.close()
