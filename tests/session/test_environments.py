"""Steps in environments that are equal, and yet not alike in every name."""

import threading
from pathlib import Path

import pytest
from controlled import wait_for
from sessions import Notebook

import stepwell
from stepwell.orchestrator import Phase
from stepwell.session._restoring import resume
from stepwell.store import MemoryStore

READS = "constant; stepwell.current()"
BOTH = "constant\nother = 2"


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    """With `stepwell` imported, and a constant that two steps read."""
    made = Notebook(tmp_path, MemoryStore())
    made.names |= {"stepwell": stepwell, "constant": 1}
    return made


def test_a_step_that_waits_keeps_the_modules_that_do_not_count(notebook: Notebook) -> None:
    """`import stepwell` makes no result stale; whoever reads it has it, whatever is asked later."""
    notebook.names["gate"] = gate = threading.Event()
    notebook.step("first", "first = gate.wait(60)")
    notebook.step("waiting", f"waiting = first\n{READS}")
    notebook.done("later", BOTH.replace("other", "later"))
    gate.set()
    notebook.session.wait(["waiting"], timeout=60)
    assert notebook.view("waiting").phase is Phase.COMPLETED
    notebook.session.close()


def test_such_modules_come_back_for_a_step_that_was_not_the_first(notebook: Notebook) -> None:
    """What is written down of an environment serves every step that runs in it."""
    notebook.done("other", BOTH)
    notebook.step("failing", f"{READS}\nfailing = 1 / 0")
    wait_for(lambda: notebook.view("failing").phase is Phase.FAILED)
    again = notebook.restarted()
    resume(again.session, shell=None)
    assert again.names["stepwell"] is stepwell
    again.session.close()


def test_an_agents_steps_have_them_too(notebook: Notebook) -> None:
    """Each child runs in what its agent reads, also where another step reads less of it."""
    notebook.names["__name__"] = "__main__"
    notebook.session.define_agent("helper(n: int) -> made", max_depth=10)
    notebook.step("make", f"{READS}\nmade = n", flow="helper")
    notebook.done("other", BOTH)
    assert notebook.done("both", "both = [await helper(n) for n in (1, 2)]") == [1, 2]
    notebook.session.close()
