"""Undoing what has been done: newest first, durably, each once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from controlled import wait_for
from diary import Diary, diary
from sessions import Notebook

from stepwell.errors import InvalidUsage, StepFailed
from stepwell.flow import Policies
from stepwell.orchestrator import Phase
from stepwell.store import MemoryStore


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A trip: a flight, a hotel, each with what undoes it."""
    made = Notebook(tmp_path, MemoryStore())
    made.names["diary"] = Diary()
    yield made
    made.session.close()


def book(notebook: Notebook) -> None:
    """All of it."""
    notebook.done("flight", "flight = diary.write('flight')")
    notebook.done("hotel", "hotel = diary.write('hotel for ' + flight)")
    for name in ("flight", "hotel"):
        source = f"diary.write('no ' + {name})"
        notebook.step(f"undo_{name}", source, policies=Policies(undo_of=name))


DONE = ["flight", "hotel for flight"]
UNDONE = ["no hotel for flight", "no flight"]


def test_a_cell_that_undoes_runs_only_then(notebook: Notebook) -> None:
    """It is registered, and refuses to be run by hand."""
    book(notebook)
    assert diary(notebook).lines == DONE
    with pytest.raises(InvalidUsage, match="cancel flight --undo"):
        notebook.session.ask(["undo_flight"], by="run")


def test_the_newest_is_undone_first(notebook: Notebook) -> None:
    """Each with what its step made; then nothing of it is done any more."""
    book(notebook)
    notebook.session.cancel()
    notebook.session.undo()
    wait_for(lambda: notebook.session.state.settled == "cancelled")
    assert diary(notebook).lines == [*DONE, *UNDONE]
    wait_for(lambda: notebook.view("flight").phase is Phase.UNDONE)
    notebook.session.undo()
    assert diary(notebook).lines == [*DONE, *UNDONE]


def test_what_was_undone_is_done_again_when_somebody_asks(notebook: Notebook) -> None:
    """And may be undone again: once for each time that it was done."""
    book(notebook)
    notebook.session.undo()
    wait_for(lambda: len(diary(notebook).lines) == 4)
    notebook.done("hotel", "hotel = diary.write('hotel for ' + flight)")
    assert diary(notebook).lines == [*DONE, *UNDONE, *DONE]
    notebook.session.undo()
    wait_for(lambda: diary(notebook).lines == 2 * [*DONE, *UNDONE])


def test_some_steps_alone_are_undone(notebook: Notebook) -> None:
    """By name."""
    book(notebook)
    notebook.session.undo(["hotel"])
    wait_for(lambda: notebook.view("hotel").phase is Phase.UNDONE)
    assert diary(notebook).lines == [*DONE, UNDONE[0]]
    assert notebook.view("flight").phase is Phase.COMPLETED


def test_one_that_fails_stops_the_undoing_until_it_is_mended(notebook: Notebook) -> None:
    """What was undone is not undone again; the rest follows."""
    book(notebook)
    diary(notebook).refused = UNDONE[0]
    notebook.session.undo()
    wait_for(lambda: notebook.view("undo_hotel").phase is Phase.FAILED)
    assert diary(notebook).lines == DONE
    diary(notebook).refused = ""
    notebook.session.ask(["undo_hotel"], by="cell")
    wait_for(lambda: diary(notebook).lines == [*DONE, *UNDONE])


def test_a_run_that_fails_undoes_itself_if_it_was_told_to(notebook: Notebook) -> None:
    """It has still failed; nothing of it is left."""
    book(notebook)
    notebook.session.undo(on_failure=True)
    with pytest.raises(StepFailed):
        notebook.done("car", "car = diary.nothing")
    wait_for(lambda: diary(notebook).lines == [*DONE, *UNDONE])
    wait_for(lambda: notebook.session.state.settled == "failed")


def test_undoing_goes_on_after_a_restart(notebook: Notebook) -> None:
    """What was undone before it is not undone again."""
    book(notebook)
    diary(notebook).refused = UNDONE[1]
    notebook.session.undo()
    wait_for(lambda: notebook.view("undo_flight").phase is Phase.FAILED)
    again = notebook.restarted()
    again.names["diary"] = Diary()
    assert again.view("hotel").phase is Phase.UNDONE
    again.session.ask(["undo_flight"], by="resume")
    wait_for(lambda: again.view("flight").phase is Phase.UNDONE)
    assert diary(again).lines == [UNDONE[1]]
    again.session.close()
