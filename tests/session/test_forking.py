"""Forks: a run that begins with another one's results, with something changed."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sessions import Notebook

from stepwell.errors import InvalidUsage, StepwellError, UnknownRun
from stepwell.flow import MapOver, Policies
from stepwell.orchestrator import load
from stepwell.session import SessionNotebook
from stepwell.store import MemoryStore
from stepwell.store.values import SECRETS


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A chain of three and one beside it, all done; `k` is a constant of the first."""
    made = Notebook(tmp_path, MemoryStore())
    made.names["k"] = 1
    made.done("a", "a = k")
    made.done("b", "b = a * 10")
    made.done("c", "c = b + 1")
    made.done("side", "side = 'still'")
    yield made
    made.session.close()


@pytest.fixture
def verbs(notebook: Notebook) -> SessionNotebook:
    """What the magics call."""
    return SessionNotebook(notebook.session, None)


def attempts(notebook: Notebook) -> dict[str, int]:
    """How often each step has been tried in the current run."""
    return {name: notebook.view(name).attempt for name in notebook.session.names()}


def fork(verbs: SessionNotebook, notebook: Notebook, run: str, **options: object) -> str:
    """Fork and wait; the new run."""
    verbs.fork(run, **options)  # type: ignore[arg-type]
    notebook.session.wait(timeout=10)
    return notebook.session.engine.run


def test_a_fork_shares_everything_and_runs_nothing(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """The new run has the results, says where they are from, and copies no value."""
    store, first = notebook.session.engine.store, notebook.session.engine.run
    values = store.sql('select count(*) from "values"').fetchall()
    second = fork(verbs, notebook, first[:4])
    assert second != first
    assert attempts(notebook) == {"a": 0, "b": 0, "c": 0, "side": 0}
    assert notebook.names["c"] == 11
    assert store.sql('select count(*) from "values"').fetchall() == values
    assert store.sql("select forked_from from runs where run = ?", [second]).fetchall() == [
        (first,)
    ]
    for name in notebook.session.names():
        source = {"a": "a = k", "b": "b = a * 10", "c": "c = b + 1", "side": "side = 'still'"}[name]
        notebook.done(name, source)
    assert attempts(notebook) == {"a": 0, "b": 0, "c": 0, "side": 0}


def test_from_a_step_on_everything_runs_again(notebook: Notebook, verbs: SessionNotebook) -> None:
    """The step and all that reads from it, though the values come out equal; nothing else."""
    first = notebook.session.engine.run
    fork(verbs, notebook, first, start="b")
    assert attempts(notebook) == {"a": 0, "b": 1, "c": 1, "side": 0}
    assert load(notebook.session.engine.store, first).steps["b"].attempts == 1


def test_another_constant_runs_what_depends_on_it(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """The notebook has the new value, the old run its old results."""
    first = notebook.session.engine.run
    fork(verbs, notebook, first, given=["k=5"])
    assert (notebook.names["k"], notebook.names["c"]) == (5, 51)
    assert attempts(notebook) == {"a": 1, "b": 1, "c": 1, "side": 0}
    old = load(notebook.session.engine.store, first).steps["c"].checkpoint
    assert old is not None
    assert old.outputs["c"].preview == "11"


def test_another_constant_that_makes_no_difference_stops_there(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """A reader whose inputs come out equal keeps the shared result."""
    notebook.done("a", "a = min(k, 1)")
    fork(verbs, notebook, notebook.session.engine.run, given=["k=7"])
    assert attempts(notebook) == {"a": 1, "b": 0, "c": 0, "side": 0}


def test_another_output_takes_the_place_of_what_was_made(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """Its step does not run, its readers do; the history says that it was given."""
    first = notebook.session.engine.run
    verbs.fork(first, given=["b=[1, 2]"])
    with pytest.raises(Exception, match="can only concatenate"):
        notebook.session.wait(["c"], timeout=60)
    assert notebook.names["b"] == [1, 2]
    assert notebook.done("c", "c = len(b)") == 2
    assert attempts(notebook) == {"a": 0, "b": 0, "c": 2, "side": 0}
    said = repr(verbs.history("b"))
    assert "given" in said
    assert "b=[1,2]" in said.replace(" ", "")


def test_a_forked_run_goes_on_after_a_restart(notebook: Notebook, verbs: SessionNotebook) -> None:
    """It is the notebook's latest run, with the results it shares and those it made."""
    second = fork(verbs, notebook, notebook.session.engine.run, start="c")
    again = notebook.restarted()
    assert again.session.engine.run == second
    again.names["k"] = 1
    assert again.done("c", "c = b + 1") == 11
    assert attempts(again) == {"a": 0, "b": 0, "c": 1, "side": 0}
    again.session.close()


def test_a_fork_of_a_fork_and_of_a_past_run(notebook: Notebook, verbs: SessionNotebook) -> None:
    """A past run is gone on from with the constants it had."""
    first = notebook.session.engine.run
    fork(verbs, notebook, first, given=["k=5"])
    third = fork(verbs, notebook, notebook.session.engine.run, start="c")
    assert (third != first, notebook.names["c"]) == (True, 51)
    fork(verbs, notebook, first, start="c")
    assert (notebook.names["k"], notebook.names["c"]) == (1, 11)
    assert attempts(notebook) == {"a": 0, "b": 0, "c": 1, "side": 0}


def test_a_fork_can_be_made_while_the_run_goes_on(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """What has not been made there is not shared; the first run comes to its end by itself."""
    notebook.names["gate"] = gate = threading.Event()
    notebook.step("slow", "gate.wait(60)\nslow = a")
    first = notebook.session.engine.run
    verbs.fork(first)
    assert notebook.session.state.steps["slow"].checkpoint is None
    gate.set()
    notebook.session.engine.switch(first)
    notebook.session.wait(["slow"], timeout=60)
    assert notebook.view("slow").attempt == 1


def test_the_results_of_a_fork_outlive_the_run_they_are_from(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """Dropping the old run leaves the values that the new one shares."""
    notebook.done("large", "large = list(range(50_000))")
    first = notebook.session.engine.run
    fork(verbs, notebook, first)
    verbs.prune(runs=1)
    assert first not in repr(verbs.runs())
    verbs.restore("large", into="then")
    assert len(notebook.names["then"].large) == 50_000


def test_restoring_in_a_fork_gives_what_was_there(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """The shared results, the given ones, and the constants they were made with."""
    fork(verbs, notebook, notebook.session.engine.run, given=["b=7"])
    verbs.restore("b", into="then")
    then = notebook.names["then"]
    assert (then.a, then.b, then.k) == (1, 7, 1)
    verbs.restore("a", into="then")
    assert (notebook.names["then"].a, notebook.names["then"].k) == (1, 1)


def test_a_mapped_step_shares_the_items_it_has(notebook: Notebook, verbs: SessionNotebook) -> None:
    """A list that is given one more element pays for that one."""
    over = Policies(map=MapOver(item="n", source="numbers"))
    notebook.done("numbers", "numbers = [1, 2, 3]")
    notebook.done("squares", "squares = n * n", policies=over)
    second = fork(verbs, notebook, "current", given=["numbers=[3, 1, 4]"])
    assert notebook.names["squares"] == [9, 1, 16]
    query = "select count(*) from attempts where run = ? and item <> ''"
    assert notebook.session.engine.store.sql(query, [second]).fetchall() == [(1,)]
    fork(verbs, notebook, "current", start="squares")
    third = notebook.session.engine.run
    assert notebook.session.engine.store.sql(query, [third]).fetchall() == [(3,)]


def test_current_and_previous_stand_for_runs(notebook: Notebook, verbs: SessionNotebook) -> None:
    """The run that is gone on with, and the one it was forked from, or that was begun before."""
    engine = notebook.session.engine
    first = engine.run
    with pytest.raises(UnknownRun):
        engine.resolve("previous")
    notebook.session.begin_fresh()
    second = engine.run
    assert (engine.resolve("current"), engine.resolve("previous")) == (second, first)
    third = fork(verbs, notebook, first)
    assert (engine.resolve("current"), engine.resolve("previous")) == (third, first)


def test_a_damaged_fork_is_no_fork(notebook: Notebook, verbs: SessionNotebook) -> None:
    """What a run begins with is written at once: a reader finds all of it or no such run."""
    store = notebook.session.engine.store
    before = store.last_seq
    verbs.fork(notebook.session.engine.run)
    kinds = [row.kind for row in store.rows(after=before)]
    assert kinds[0] == "run_started"
    assert kinds.count("checkpoint_shared") == 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"start": "bb"}, "there is no step 'bb'"),
        ({"given": ["nonsense=1"]}, "no step of run"),
        ({"given": ["k"]}, "write it as NAME=VALUE"),
        ({"start": "a", "given": ["b=1"]}, "runs again because of what else"),
        ({"given": ["k=2", "c=1"]}, "Fork once for that"),
    ],
)
def test_a_fork_that_cannot_be_meant_changes_nothing(
    notebook: Notebook, verbs: SessionNotebook, options: dict[str, object], says: str
) -> None:
    """The reason and the way out; the run and the names are what they were."""
    run, records = notebook.session.engine.run, notebook.session.engine.store.last_seq
    with pytest.raises(StepwellError, match=says):
        verbs.fork(run, **options)  # type: ignore[arg-type]
    assert notebook.session.engine.run == run
    assert notebook.session.engine.store.last_seq == records
    assert notebook.names["k"] == 1


def test_what_has_no_result_cannot_be_given_one(notebook: Notebook, verbs: SessionNotebook) -> None:
    """Nor can what is never stored; an unknown run is an error and no fresh one."""
    notebook.step("later", "later = 1", defer=True)
    notebook.done("fleeting", "fleeting = object()", transient=["fleeting"])
    run = notebook.session.engine.run
    with pytest.raises(InvalidUsage, match="has no result"):
        verbs.fork(run, given=["later=2"])
    with pytest.raises(InvalidUsage, match="transient"):
        verbs.fork(run, given=["fleeting=2"])
    with pytest.raises(UnknownRun):
        verbs.fork("nonsense")


def test_values_are_literals_names_or_text(notebook: Notebook, verbs: SessionNotebook) -> None:
    """What was understood is said."""
    notebook.names["table"] = {"from": "the notebook"}
    first = notebook.session.engine.run
    for text, value in (
        ("table", {"from": "the notebook"}),
        ("(1, 'x')", (1, "x")),
        ("a b", "a b"),
    ):
        said = repr(verbs.fork(first, given=[f"side={text}"]))
        notebook.session.wait(timeout=10)
        assert notebook.names["side"] == value
        assert f"is a fork of {first}" in said


def test_a_secret_that_is_set_is_not_shown(notebook: Notebook, verbs: SessionNotebook) -> None:
    """The fork runs with it; what is said of it is a mask, and the store does not hold it."""
    SECRETS.mark("api_key")
    try:
        notebook.names["api_key"] = "first-key-1234"
        notebook.done("asked", "asked = len(api_key)")
        said = repr(verbs.fork("current", given=["api_key=another-key-5678"]))
        notebook.session.wait(timeout=10)
        assert notebook.names["asked"] == 16
        assert "another-key" not in said
        rows = notebook.session.engine.store.rows()
        assert not any(b"another-key" in row.body for row in rows)
    finally:
        SECRETS.forget()
