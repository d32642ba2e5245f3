"""Looking after the store from the notebook that has it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sessions import Notebook

from stepwell.errors import StoreError
from stepwell.orchestrator import ApprovalRequested, State, fold, make_shortcut
from stepwell.orchestrator._shortcut import form as shortcut_form
from stepwell.orchestrator._shortcut import parts_of
from stepwell.session import _upkeep as upkeep
from stepwell.store import Record, open_store


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook with a store in a file."""
    made = Notebook(tmp_path, None)
    yield made
    made.session.close()


def runs(notebook: Notebook, count: int) -> list[str]:
    """So many runs, each with a step that has run; the last one is the current one."""
    made: list[str] = []
    for number in range(count):
        if number:
            notebook.session.begin_fresh()
        notebook.done("a", f"a = {number}")
        made.append(notebook.session.engine.run)
    return made


def test_pruning_keeps_the_latest_runs_and_the_current_one(notebook: Notebook) -> None:
    """Old runs go, with what only they had; what stays can be read, and the run goes on."""
    known = runs(notebook, 4)
    engine = notebook.session.engine
    engine.switch(known[0])
    said = repr(upkeep.prune(engine, runs_kept=2))
    assert known[1] in said
    assert known[2] in said
    there = [run for (run,) in engine.store.sql("select run from runs").fetchall()]
    assert there == [known[0], known[3]]
    assert "as they were written" in repr(upkeep.check(engine))
    assert list(upkeep.flaws(engine.store)) == []
    assert notebook.done("b", "b = a + 10") == 10


def test_pruning_by_age_keeps_what_was_used_lately(notebook: Notebook) -> None:
    """Nothing is older than an hour; everything but the current run is older than nothing."""
    known = runs(notebook, 3)
    engine = notebook.session.engine
    assert "nothing" in repr(upkeep.prune(engine, seconds=3600))
    upkeep.prune(engine, seconds=0)
    assert [run for (run,) in engine.store.sql("select run from runs").fetchall()] == known[-1:]


def test_pruning_leaves_runs_that_wait_for_a_person(notebook: Notebook) -> None:
    """A question that nobody has answered is not dropped with its run."""
    first, *_ = runs(notebook, 3)
    engine = notebook.session.engine
    asked = ApprovalRequested("q1", "publish?")
    body = msgspec.json.encode(asked)
    engine.store.commit([Record("approval_requested", first, "a", body=body)])
    upkeep.prune(engine, runs_kept=1)
    there = [run for (run,) in engine.store.sql("select run from runs").fetchall()]
    assert there == [first, engine.run]


def test_values_that_two_runs_share_outlive_the_one_that_wrote_them(notebook: Notebook) -> None:
    """The current run is restored from a store without the run that made its values."""
    notebook.done("a", "a = list(range(100_000))")
    notebook.session.begin_fresh()
    notebook.done("a", "a = list(range(100_000))")
    upkeep.prune(notebook.session.engine, runs_kept=1)
    notebook.session.close()
    again = Notebook(notebook.place.store.parent, None)
    again.done("a", "a = list(range(100_000))")
    assert (again.view("a").attempt, len(again.names["a"])) == (1, 100_000)
    again.session.close()


def test_a_store_is_rewritten_while_a_step_runs(notebook: Notebook) -> None:
    """What the step reads stays, and what it has made so far is kept with its result.

    Also a large value that only a run that goes had stored.
    """
    large = "_x = ''.join(chr(40 + n % 50) + str(n) for n in range(100_000))"
    notebook.done("old", f"{large}\nold = _x")
    notebook.session.begin_fresh()
    notebook.done("a", "a = 'read'")
    notebook.names["began"] = began = threading.Event()
    notebook.names["gate"] = gate = threading.Event()
    notebook.step("slow", f"{large}\nbegan.set()\ngate.wait(60)\nslow = a, _x")
    assert began.wait(60)
    engine = notebook.session.engine
    assert "1 runs" in repr(upkeep.prune(engine, runs_kept=1))
    upkeep.vacuum(engine)
    gate.set()
    notebook.session.wait(["slow"], timeout=60)
    assert notebook.done("next", "next = slow[0], len(slow[1])")[0] == "read"
    assert list(upkeep.flaws(engine.store)) == []


def test_a_store_is_rewritten_again_and_again_while_steps_come_and_go(notebook: Notebook) -> None:
    """Values that old runs had, too, are made again all the while; none is ever missing."""
    body = "{name} = [str(n) * 40_000 for n in range({number} % 3 + 1)]"
    for number in range(3):
        notebook.done("a", body.format(name="a", number=number))
        notebook.session.begin_fresh()
    engine = notebook.session.engine
    for number in range(12):
        name = f"s{number}"
        notebook.step(name, body.format(name=name, number=number))
        upkeep.prune(engine, runs_kept=1) if number == 4 else upkeep.vacuum(engine)
    notebook.session.wait(timeout=60)
    upkeep.vacuum(engine)
    assert list(upkeep.flaws(engine.store)) == []
    assert [len(notebook.names[f"s{number}"]) for number in range(3)] == [1, 2, 3]


def test_a_store_is_not_rewritten_under_an_open_transaction(notebook: Notebook) -> None:
    """What a running step has written to tables of its own would be lost; afterwards it can be."""
    notebook.names["began"] = began = threading.Event()
    notebook.names["gate"] = gate = threading.Event()
    source = (
        "import stepwell\n_db = stepwell.current().db\n"
        "_db.execute('create table t as select 1 as n')\nbegan.set()\ngate.wait(60)\nslow = 1"
    )
    notebook.step("slow", source)
    assert began.wait(60)
    with pytest.raises(StoreError, match="a transaction on its tables is open"):
        upkeep.vacuum(notebook.session.engine)
    gate.set()
    notebook.session.wait(["slow"], timeout=60)
    upkeep.vacuum(notebook.session.engine)
    assert notebook.session.engine.store.sql("select n from data.t").fetchall() == [(1,)]


def test_the_report_says_what_takes_the_space(notebook: Notebook) -> None:
    """Each step with its values and records, and how the store grows."""
    notebook.done("large", "import os\nlarge = os.urandom(300_000)")
    notebook.done("small", "small = 1")
    said = repr(upkeep.report(notebook.session.engine))
    rows = {row.split()[0]: row for row in said.splitlines() if row}
    assert "300 kB" in rows["large"]
    assert "in the last 24 hours" in rows["growth"]
    assert rows["small"].split()[1] == "1"


def test_a_snapshot_is_taken_while_a_step_runs(notebook: Notebook, tmp_path: Path) -> None:
    """It is a store of its own, whole, that others may open."""
    notebook.names["gate"] = gate = threading.Event()
    notebook.done("a", "a = 1")
    notebook.step("slow", "gate.wait(60)\nslow = a")
    upkeep.snapshot(notebook.session.engine, str(tmp_path / "copy.duckdb"))
    gate.set()
    copy = open_store(tmp_path / "copy.duckdb")
    assert list(upkeep.flaws(copy)) == []
    assert copy.sql("select step from steps where status = 'completed'").fetchall() == [("a",)]
    copy.close()


def test_a_damaged_value_is_found_and_the_way_out_told(notebook: Notebook) -> None:
    """A file that was changed, one that is gone, one too many: each is named."""
    notebook.done("a", "import os\na = os.urandom(200_000)")
    notebook.done("b", "import os\nb = os.urandom(200_000)")
    engine = notebook.session.engine
    first, second = (engine.state.steps[name].checkpoint for name in "ab")
    assert first is not None
    assert second is not None
    blobs = notebook.place.store.with_name("n.duckdb.blobs")
    damaged = next(blobs.rglob(first.outputs["a"].digest))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    next(blobs.rglob(second.outputs["b"].digest)).unlink()
    (blobs / "ab").mkdir(exist_ok=True)
    (blobs / "ab" / ("ab" * 16)).write_bytes(b"stray")
    said = repr(upkeep.check(engine))
    assert "3 flaws" in said
    told = " ".join(flaw.what for flaw in upkeep.flaws(engine.store))
    for words in ("are damaged", "cannot be read", "1 files (5 bytes)"):
        assert words in told
    for words in ("%stepwell rerun a", "%stepwell rerun b", "%stepwell store vacuum"):
        assert words in said
    notebook.session.rerun(["a", "b"])
    notebook.session.wait(["a", "b"], timeout=60)
    upkeep.vacuum(engine)
    mended = [flaw.digest for flaw in upkeep.flaws(engine.store)]
    assert set(mended) == {first.outputs["a"].digest, second.outputs["b"].digest}


def test_shortcuts_are_counted_checked_and_removed(notebook: Notebook) -> None:
    """They are no more than a convenience, and are looked after like everything else."""
    notebook.done("a", "a = 1")
    engine = notebook.session.engine
    assert "shortcuts for" not in repr(upkeep.report(engine))
    make_shortcut(engine.store, engine.run)
    assert "shortcuts for resume" in repr(upkeep.report(engine))
    assert list(upkeep.flaws(engine.store)) == []
    notebook.done("b", "b = a")
    folded = fold(engine.store, engine.run)
    assert folded.last is not None
    engine.store.keep_shortcut(folded.last, shortcut_form(), parts_of(State(engine.run)))
    said = repr(upkeep.check(engine))
    assert "did not match its records" in said
    assert "it was removed" in said
    assert list(upkeep.flaws(engine.store)) == []
    make_shortcut(engine.store, engine.run)
    upkeep.vacuum(engine)
    assert "shortcuts for" not in repr(upkeep.report(engine))
    again = notebook.restarted()
    assert (again.done("b", "b = a"), again.view("b").attempt) == (1, 1)
    again.session.close()
