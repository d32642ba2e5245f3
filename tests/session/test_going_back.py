"""Going back: the past of a step, the names as they were, two runs side by side."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sessions import Notebook

from stepwell.errors import InvalidUsage, UnknownRun, UnknownStep
from stepwell.flow import Approve, MapOver, Policies
from stepwell.orchestrator import versions
from stepwell.session import SessionNotebook
from stepwell.store import MemoryStore


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook with a store in memory."""
    made = Notebook(tmp_path, MemoryStore())
    yield made
    made.session.close()


@pytest.fixture
def verbs(notebook: Notebook) -> SessionNotebook:
    """What the magics call."""
    return SessionNotebook(notebook.session, None)


def define(notebook: Notebook, source: str) -> None:
    """An ordinary cell, with a function or class in it."""
    filename = f"<cell {abs(hash(source))}>"
    import linecache

    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    notebook.names["__name__"] = "__main__"
    exec(compile(source, filename, "exec"), notebook.names)


# -- restore --------------------------------------------------------------------------------


def test_names_come_back_as_they_were_after_a_step(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """Outputs of the step and its ancestors, constants and functions: over what is there."""
    define(notebook, "def twice(x):\n    return 2 * x\n")
    notebook.names["k"] = 10
    notebook.done("a", "a = [k]")
    notebook.done("b", "b = twice(a[0])")
    notebook.done("c", "c = b + 1")
    define(notebook, "def twice(x):\n    return 0\n")
    notebook.names.update(a="spoilt", b="spoilt", k="mine")
    said = repr(verbs.restore("b"))
    assert (notebook.names["a"], notebook.names["b"]) == ([10], 20)
    assert notebook.names["twice"](4) == 8
    assert notebook.names["k"] == 10
    assert notebook.names["c"] == 21
    assert "after step 'b'" in said
    assert notebook.view("b").attempt == 1


def test_names_come_back_into_an_object_of_their_own(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """`--into`: nothing in the notebook changes, and its functions see its own names."""
    define(notebook, "def scaled(x):\n    return k * x\n")
    notebook.names["k"] = 3
    notebook.done("a", "a = scaled(5)")
    notebook.names.update(a="mine", k=0)
    verbs.restore("a", into="then")
    then: Any = notebook.names["then"]
    assert (then.a, then.k, then.scaled(2)) == (15, 3, 6)
    assert (notebook.names["a"], notebook.names["k"]) == ("mine", 0)
    assert repr(then).startswith("<after step 'a' of run ")
    assert repr(then).endswith("a, k, scaled>")


def test_a_past_run_comes_back_with_what_it_had(notebook: Notebook, verbs: SessionNotebook) -> None:
    """The run that is current is another one, with other results; it stays as it is."""
    notebook.names["k"] = 1
    notebook.done("a", "a = k")
    first = notebook.session.engine.run
    notebook.session.begin_fresh()
    notebook.names["k"] = 2
    notebook.done("a", "a = k")
    verbs.restore("a", first[:5], into="old")
    old: Any = notebook.names["old"]
    assert (old.a, old.k) == (1, 1)
    assert notebook.names["a"] == 2
    with pytest.raises(UnknownRun):
        verbs.restore("a", "nonsense")


def test_a_step_sees_its_ancestors_as_it_read_them(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """What has been made above it since then is not what it stood on."""
    notebook.done("a", "a = 1")
    notebook.done("b", "b = a + 1")
    notebook.done("c", "c = a + b")
    notebook.done("a", "a = 100")
    verbs.restore("c", into="then")
    then: Any = notebook.names["then"]
    assert (then.a, then.b, then.c) == (1, 2, 3)


def test_what_cannot_come_back_is_said(notebook: Notebook) -> None:
    """A transient output, a connection: named, with the reason; the rest is there."""
    notebook.names["lock"] = __import__("threading").Lock()
    notebook.done("a", "a = object()\nb = 1 if lock else 2", transient=["a"])
    again = notebook.restarted()
    said = repr(SessionNotebook(again.session, None).restore("a", into="then"))
    assert "a did not come back: it was not stored" in said
    assert "lock did not come back" in said
    assert again.names["then"].b == 1
    again.session.close()


def test_there_must_be_something_to_go_back_to(notebook: Notebook, verbs: SessionNotebook) -> None:
    """A step that never ran, one that is not there, a name that is none."""
    notebook.step("later", "later = 1", defer=True)
    with pytest.raises(InvalidUsage, match="has no result"):
        verbs.restore("later")
    with pytest.raises(UnknownStep, match="latr"):
        verbs.restore("latr")
    notebook.done("a", "a = 1")
    with pytest.raises(InvalidUsage, match="--into takes a name"):
        verbs.restore("a", into="not a name")


# -- history ----------------------------------------------------------------------------------


def test_the_history_has_every_version_of_every_run(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """Code with its changes, what it read, what it made, how it ended, under every name it had."""
    notebook.done("a", "a = 1")
    notebook.pane.cell = "c1"
    notebook.done("old", "b = a + 1")
    notebook.done("b", "b = a + 2")
    first = notebook.session.engine.run
    notebook.session.begin_fresh()
    with pytest.raises(Exception, match="division"):
        notebook.done("b", "b = a / 0")
    view = verbs.history("b")
    said, page = repr(view), str(view.bundle["text/html"])
    rows = [line.split() for line in said.splitlines()[2:]]
    assert len(rows) == 3
    assert [first in row for row in rows] == [True, True, False]
    assert "a=1" in said
    assert "b=2" in said
    assert "b=3" in said
    assert "ZeroDivisionError" in said
    assert "+b = a + 2" in page
    assert "+b = a / 0" in page


# -- diff ---------------------------------------------------------------------------------------


def test_two_runs_stand_side_by_side(notebook: Notebook, verbs: SessionNotebook) -> None:
    """What each step was made from, what came out, how long it took; equal steps say so."""
    notebook.names["k"] = 1
    notebook.done("same", "same = 1")
    notebook.done("by_constant", "by_constant = k * 10")
    notebook.done("by_code", "by_code = 'before'")
    notebook.done("reader", "reader = by_constant + 1")
    first = notebook.session.engine.run
    notebook.session.begin_fresh()
    notebook.names["k"] = 2
    for name, source in (
        ("same", "same = 1"),
        ("by_constant", "by_constant = k * 10"),
        ("by_code", "by_code = 'after'"),
        ("reader", "reader = by_constant + 1"),
        ("extra", "extra = 5"),
    ):
        notebook.done(name, source)
    view = verbs.diff(first)
    rows = {line.split()[0]: line for line in repr(view).splitlines()[2:]}
    assert "same" in rows["same"].split()[1:3]
    assert "k: 1 → 2" in rows["by_constant"]
    assert "by_constant=10" in rows["by_constant"]
    assert "by_constant=20" in rows["by_constant"]
    assert "code of the step changed" in rows["by_code"]
    assert "input 'by_constant'" in rows["reader"]
    assert "only in the second" in rows["extra"]
    assert "4 of 5 steps differ" in repr(view)
    assert "+by_code = &#x27;after&#x27;" in str(view.bundle["text/html"])


# -- plan and rerun --------------------------------------------------------------------------------


def test_the_plan_says_how_long_it_will_take(notebook: Notebook, verbs: SessionNotebook) -> None:
    """Going by the median of past attempts in all runs, what can go side by side does."""
    for seconds in (0.1, 0.02, 0.02):
        notebook.names["wait"] = seconds
        notebook.done("a", "import time\ntime.sleep(wait)\na = 1")
        notebook.done("b", "import time\ntime.sleep(wait)\nb = 1")
        notebook.done("c", "c = a + b")
        notebook.session.begin_fresh()
    data: Any = verbs.plan(is_json=True).bundle["application/json"]
    by_step = {row["step"]: row for row in data["steps"]}
    assert 0.02 <= by_step["a"]["expected_seconds"] < 0.1
    assert by_step["c"]["after"] == ["a", "b"]
    longest = max(by_step[name]["expected_seconds"] for name in "ab")
    assert data["expected_seconds"] == pytest.approx(
        longest + by_step["c"]["expected_seconds"], abs=1e-6
    )
    assert (data["would_run"], data["reused"], data["exit_code"]) == (3, 0, 4)
    assert "expected to take" in repr(verbs.plan())


def test_a_plan_in_which_nothing_runs_ends_with_0(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """The code is for scripts: 0 means that all is up to date."""
    notebook.done("a", "a = 1")
    data: Any = verbs.plan(is_json=True).bundle["application/json"]
    assert (data["exit_code"], data["expected_seconds"]) == (0, 0.0)
    notebook.step("a", "a = 2", defer=True)
    data = verbs.plan(is_json=True).bundle["application/json"]
    assert data["exit_code"] == 4
    assert data["steps"][0]["action"] == "stale"
    assert "+a = 2" in data["steps"][0]["diff"]


def test_rerunning_downstream_runs_every_reader_again(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """Also where the values come out equal; what does not read from the step stays."""
    notebook.done("a", "a = 1")
    notebook.done("b", "b = a")
    notebook.done("c", "c = b")
    notebook.done("other", "other = 1")
    verbs.rerun(["b"])
    notebook.session.wait(timeout=10)
    assert notebook.view("c").attempt == 1
    verbs.rerun(["b"], downstream=True)
    notebook.session.wait(timeout=10)
    attempts = {name: notebook.view(name).attempt for name in ("a", "b", "c", "other")}
    assert attempts == {"a": 1, "b": 3, "c": 2, "other": 1}


def test_the_plan_says_where_a_person_is_needed(notebook: Notebook, verbs: SessionNotebook) -> None:
    """A step that would run and has to be approved; its exit code is that of a parked run."""
    notebook.step("publish", "url = 1", defer=True, policies=Policies(approve=Approve()))
    data: Any = verbs.plan(is_json=True).bundle["application/json"]
    assert data["steps"][0]["action"] == "person"
    assert data["exit_code"] == 3


def test_the_history_of_a_mapped_step_is_that_of_its_passes(
    notebook: Notebook, verbs: SessionNotebook
) -> None:
    """Ten thousand items are one line; each of them can be asked for in Python."""
    over = Policies(map=MapOver(item="n", source="numbers"))
    notebook.done("numbers", "numbers = [1, 2, 3]")
    notebook.done("squares", "squares = n * n", policies=over)
    assert "1 attempt" in repr(verbs.history("squares"))
    store = notebook.session.engine.store
    assert len(versions(store, "squares", items=True)) == 4
