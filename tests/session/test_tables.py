"""`stepwell.current().db`: tables that are written together with the step's result."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sessions import Notebook

import stepwell
from stepwell.errors import StepFailed
from stepwell.flow import MapOver, Policies, Retry
from stepwell.store import MemoryStore


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook with a store in a file."""
    made = Notebook(tmp_path, None)
    made.names["stepwell"] = stepwell
    yield made
    made.session.close()


MAKE = "stepwell.current().db.execute('create table hits (n integer primary key)')"


def rows(notebook: Notebook, query: str = "select n from hits order by n") -> list[Any]:
    """What the store answers."""
    return list(notebook.session.engine.store.sql(query).fetchall())


@pytest.mark.parametrize("before", ["", "import asyncio; await asyncio.sleep(0)\n"])
def test_what_a_step_writes_is_there_when_it_is_done(notebook: Notebook, before: str) -> None:
    """And read back by the step itself; for steps of both kinds."""
    notebook.done("make", MAKE)
    source = (
        f"{before}_db = stepwell.current().db\n"
        "_db.execute('insert into hits values (?), (?)', [1, 2])\n"
        "count = _db.execute('select count(*) from hits').fetchone()[0]"
    )
    assert notebook.done("count", source) == 2
    assert rows(notebook) == [(1,), (2,)]


def test_of_a_step_that_fails_nothing_is_kept(notebook: Notebook) -> None:
    """Its retry begins with the tables as they were."""
    notebook.done("make", MAKE)
    source = (
        "stepwell.current().db.execute('insert into hits values (7)')\n"
        "if stepwell.current().attempt < 3: raise TimeoutError\n"
        "x = 1"
    )
    notebook.done("x", source, policies=Policies(retry=Retry(retries=3, backoff=0.001)))
    assert rows(notebook) == [(7,)]


def test_what_is_reused_is_not_written_twice(notebook: Notebook) -> None:
    """A result from the store is one with what it wrote, after a restart, too."""
    notebook.done("make", MAKE)
    source = "stepwell.current().db.execute('insert into hits values (7)')\nx = 1"
    notebook.done("x", source)
    again = notebook.restarted()
    again.names["stepwell"] = stepwell
    again.done("make", MAKE)
    assert again.done("x", source) == 1
    assert again.view("x").attempt == 1
    assert rows(again) == [(7,)]
    again.session.close()


def test_a_statement_that_fails_is_the_steps_error(notebook: Notebook) -> None:
    """With DuckDB's own words, at the line that said it."""
    with pytest.raises(StepFailed, match="CatalogException"):
        notebook.done("x", "x = stepwell.current().db.execute('select * from nothing').fetchall()")
    assert notebook.done("x", "x = 1") == 1


def test_an_error_that_is_passed_over_does_not_keep_half_of_it(notebook: Notebook) -> None:
    """After a failed statement there is nothing left to commit: the step fails and says so."""
    notebook.done("make", MAKE)
    source = (
        "_db = stepwell.current().db\n"
        "_db.execute('insert into hits values (1)')\n"
        "try: _db.execute('insert into hits values (1)')\n"
        "except Exception: pass\n"
        "x = 1"
    )
    with pytest.raises(StepFailed, match=r"was not kept.*aborted"):
        notebook.done("x", source)
    assert rows(notebook) == []
    assert "x" not in notebook.names
    assert notebook.done("y", "y = 2") == 2


def test_elements_of_a_mapped_step_write_each_for_itself(notebook: Notebook) -> None:
    """The one that fails undoes its own part; paid for again, it alone is written."""
    notebook.done("make", MAKE)
    notebook.done("ns", "ns = [1, 2, 3]")
    over = Policies(map=MapOver(item="n", source="ns", keep_going=True))
    source = (
        "stepwell.current().db.execute('insert into hits values (?)', [n])\n"
        "if n == 2: raise ValueError\n"
        "x = n"
    )
    with pytest.raises(StepFailed):
        notebook.done("x", source, policies=over)
    assert rows(notebook) == [(1,), (3,)]


def test_steps_that_write_the_same_rows_are_tried_again(notebook: Notebook) -> None:
    """A conflict between two is likely to pass: the second comes after the first."""
    notebook.done("make", f"{MAKE}\nstepwell.current().db.execute('insert into hits values (1)')")
    told = Policies(retry=Retry(retries=8, backoff=0.01))
    source = (
        "import asyncio\n_db = stepwell.current().db\n"
        "_n = _db.execute('select max(n) from hits').fetchone()[0]\n"
        "await asyncio.sleep(0.05)\n"
        "_db.execute('update hits set n = n + 1')\n{name} = 1"
    )
    for name in ("a", "b", "c"):
        notebook.step(name, source.format(name=name), policies=told)
    notebook.session.wait(["a", "b", "c"], timeout=30)
    assert rows(notebook) == [(4,)]


def test_a_store_in_memory_has_no_tables(tmp_path: Path) -> None:
    """The step fails and says what to do."""
    notebook = Notebook(tmp_path, MemoryStore())
    notebook.names["stepwell"] = stepwell
    with pytest.raises(StepFailed, match="Open one in a file"):
        notebook.done("x", "x = stepwell.current().db")
    notebook.session.close()


def test_a_cancelled_step_keeps_nothing(notebook: Notebook) -> None:
    """Its statement is interrupted, what it wrote is undone."""
    notebook.done("make", MAKE)
    source = (
        "stepwell.current().db.execute('insert into hits values (1)')\n"
        "stepwell.current().db.execute("
        "'select count(*) from range(1000000) a, range(1000000) b').fetchall()\n"
        "x = 1"
    )
    notebook.step("x", source)
    while notebook.view("x").phase.value != "running":
        pass
    notebook.session.cancel(["x"])
    assert notebook.done("y", "y = 1") == 1
    assert rows(notebook) == []
