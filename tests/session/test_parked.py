"""A run in which only a person can bring anything further says so, and no other does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from controlled import wait_for
from sessions import Notebook

import stepwell
from stepwell.errors import NeedsPerson
from stepwell.flow import Approve, MapOver, Policies
from stepwell.orchestrator import NEEDS_PERSON, status_of
from stepwell.session import SessionNotebook, set_budget
from stepwell.store import MemoryStore

GATE = Policies(approve=Approve(text="Go on?"))


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook that can ask."""
    made = Notebook(tmp_path, MemoryStore())
    made.names["stepwell"] = stepwell
    yield made
    made.session.close()


def status(notebook: Notebook) -> str:
    """The run's, as people are shown it."""
    engine = notebook.session.engine
    said = engine.orchestrator.look(lambda: status_of(engine.state, engine.find))
    shown = SessionNotebook(notebook.session, None)
    assert said in str(shown.status())
    assert said in str(shown.runs())
    return said


def asks(notebook: Notebook, count: int = 1) -> None:
    """Somebody is asked so many questions."""
    wait_for(lambda: len(notebook.session.inbox()) == count)


def test_what_waits_for_a_person_and_what_waits_for_that_is_not_called_running(
    notebook: Notebook,
) -> None:
    """Until it is decided; then it is done."""
    notebook.step("a", "a = 1", policies=GATE)
    notebook.step("b", "b = a + 1")
    asks(notebook)
    assert status(notebook) == NEEDS_PERSON
    notebook.session.decide("a")
    notebook.session.wait(timeout=20)
    wait_for(lambda: notebook.session.state.settled == "completed")
    assert status(notebook) == "completed"


def test_a_run_in_which_something_else_goes_on_is_running(notebook: Notebook) -> None:
    """A time that is waited for is something that goes on, too."""
    notebook.step("a", "a = 1", policies=GATE)
    notebook.step("c", "await stepwell.receive('go')\nc = 1")
    asks(notebook)
    wait_for(lambda: bool(notebook.session.state.receivers))
    assert status(notebook) == "running"
    notebook.session.send("", "go")
    wait_for(lambda: notebook.names.get("c") == 1)
    assert status(notebook) == NEEDS_PERSON


def test_of_a_mapped_step_all_items_have_to_wait(notebook: Notebook) -> None:
    """As long as one is at work the run is running, and who waits for all waits for it."""
    notebook.names["ns"] = [1, 2, 3]
    source = (
        "if n == 2:\n    await stepwell.receive('go')\n"
        "else:\n    await stepwell.approve(f'{n}?', n)\nx = n"
    )
    notebook.step("x", source, policies=Policies(map=MapOver(item="n", source="ns")))
    asks(notebook, 2)
    assert status(notebook) == "running"
    notebook.session.send("", "go")
    with pytest.raises(NeedsPerson):
        notebook.session.wait(timeout=None)
    items = notebook.view("x").items
    assert items is not None
    assert items.done == 1
    assert status(notebook) == NEEDS_PERSON


def test_a_child_run_that_waits_for_a_person_holds_who_called_it(notebook: Notebook) -> None:
    """Both say so."""
    notebook.session.define_agent("publisher(text: str) -> url", max_depth=10)
    notebook.step("publish", "url = await stepwell.approve('Publish?', text)", flow="publisher")
    notebook.names["publisher"] = notebook.session.agents.known["publisher"]
    notebook.step("a", "a = await publisher('x')")
    asks(notebook)
    assert status(notebook) == NEEDS_PERSON
    table = str(SessionNotebook(notebook.session, None).runs())
    assert table.count(NEEDS_PERSON) == 2


def test_after_a_restart_it_still_needs_a_person(notebook: Notebook) -> None:
    """One that was at work when the process ended was interrupted, and can go on."""
    notebook.step("a", "a = 1", policies=GATE)
    asks(notebook)
    again = notebook.restarted()
    assert status(again) == NEEDS_PERSON
    again.session.pause()
    again.step("b", "b = 1")
    third = again.restarted()
    assert status(third) == "interrupted"
    third.session.close()


def test_a_paused_run_that_has_nothing_to_ask_needs_nobody(notebook: Notebook) -> None:
    """To resume it is not a decision."""
    notebook.session.pause()
    notebook.step("b", "b = 1")
    assert status(notebook) == "running"


def test_a_run_whose_time_is_over_needs_a_person(notebook: Notebook) -> None:
    """To extend its budget."""
    set_budget(notebook.session.engine, {"seconds": 0.0})
    notebook.step("b", "b = 1")
    asks(notebook)
    assert status(notebook) == NEEDS_PERSON
