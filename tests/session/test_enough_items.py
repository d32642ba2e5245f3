"""A mapped step that was content with less is so as long as nobody wants more."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sessions import Notebook

from stepwell.flow import MapOver, Policies
from stepwell.session import SessionNotebook
from stepwell.store import MemoryStore

SOURCE = "marks.append(n)\nif n in broken:\n    raise ValueError(n)\na = n * 10"


class Marks(list[int]):
    """One for all attempts."""

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("there is one")

    def taken(self) -> list[int]:
        """Since the last look."""
        found, self[:] = sorted(self), []
        return found


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """One of four elements cannot be done for now."""
    made = Notebook(tmp_path, MemoryStore())
    made.names.update(ns=[1, 2, 3, 4], marks=Marks(), broken=Marks([3]))
    yield made
    made.session.close()


def run(notebook: Notebook, **how: object) -> list[int | None]:
    """The step's cell, with these options."""
    each = MapOver(item="n", source="ns", **how)  # type: ignore[arg-type]
    notebook.done("a", SOURCE, policies=Policies(map=each))
    found: list[int | None] = notebook.names["a"]
    return found


def tried(notebook: Notebook) -> list[int]:
    """Since the last look."""
    marks = notebook.names["marks"]
    assert isinstance(marks, Marks)
    return marks.taken()


def test_whoever_wants_more_than_there_is_has_what_failed_tried_again(notebook: Notebook) -> None:
    """And nothing else; the plan says why."""
    assert run(notebook, keep_going=True, min_success=0.75) == [10, 20, None, 40]
    assert tried(notebook) == [1, 2, 3, 4]
    notebook.names["broken"].clear()
    each = MapOver(item="n", source="ns", keep_going=True, min_success=0.9)
    notebook.step("a", SOURCE, policies=Policies(map=each), defer=True)
    plan = str(SessionNotebook(notebook.session, None).plan())
    assert "only 75% of its items were done, and 90% are to be" in plan
    assert notebook.view("a").stale == ("only 75% of its items were done, and 90% are to be",)
    assert run(notebook, keep_going=True, min_success=0.9) == [10, 20, 30, 40]
    assert tried(notebook) == [3]


def test_without_the_option_all_are_to_be_done(notebook: Notebook) -> None:
    """As in a notebook that never had it."""
    run(notebook, keep_going=True, min_success=0.5)
    tried(notebook)
    notebook.names["broken"].clear()
    assert run(notebook) == [10, 20, 30, 40]
    assert tried(notebook) == [3]


def test_whoever_wants_less_has_what_there_is(notebook: Notebook) -> None:
    """Nothing runs; also where everything was done."""
    assert run(notebook, keep_going=True, min_success=0.75) == [10, 20, None, 40]
    tried(notebook)
    assert run(notebook, keep_going=True, min_success=0.1) == [10, 20, None, 40]
    notebook.names["broken"].clear()
    run(notebook)
    tried(notebook)
    assert run(notebook, keep_going=True, min_success=0.1) == [10, 20, 30, 40]
    assert tried(notebook) == []


def test_another_process_and_a_fork_know_it_too(notebook: Notebook) -> None:
    """It is written down with the result."""
    run(notebook, keep_going=True, min_success=0.75)
    again = notebook.restarted()
    again.names.update(ns=[1, 2, 3, 4], marks=Marks(), broken=Marks())
    SessionNotebook(again.session, None).fork("current")
    assert run(again, keep_going=True, min_success=0.75) == [10, 20, None, 40]
    assert tried(again) == []
    assert run(again) == [10, 20, 30, 40]
    assert tried(again) == [3]
    again.session.close()
