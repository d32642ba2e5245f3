"""`--transient` on a mapped step: an object for each item, made again and never stored."""

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sessions import Notebook

from stepwell.flow import MapOver, Policies
from stepwell.orchestrator import Phase
from stepwell.store import MemoryStore

CLIENTS = """
class Client:
    def __init__(self, city):
        self.city = city
    def __reduce__(self):
        raise TypeError("a connection cannot be stored")
    def ask(self):
        return self.city.upper()
"""
SOURCE = "marks.put(city)\nclient = Client(city)\nlength = len(city)"
OVER = Policies(map=MapOver(item="city", source="cities"))
EACH = Policies(map=MapOver(item="one", source="client", key="one.city"))


def begin(notebook: Notebook, *cities: str) -> list[str]:
    """Connect to these; what was connected to anew."""
    marks: queue.SimpleQueue[str] = queue.SimpleQueue()
    notebook.names.update(cities=list(cities), marks=marks, __name__="__main__")
    exec(CLIENTS, notebook.names)
    notebook.done("connect", SOURCE, policies=OVER, transient=["client"])
    return sorted(marks.get() for _ in range(marks.qsize()))


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """One without cells."""
    made = Notebook(tmp_path, MemoryStore())
    yield made
    made.session.close()


def test_each_item_makes_its_object_and_readers_get_the_list(notebook: Notebook) -> None:
    """In order; the other outputs are stored as ever."""
    assert begin(notebook, "oslo", "bergen") == ["bergen", "oslo"]
    assert [it.city for it in notebook.names["client"]] == ["oslo", "bergen"]
    assert notebook.names["length"] == [4, 6]
    assert notebook.done("said", "said = [it.ask() for it in client]") == ["OSLO", "BERGEN"]
    assert notebook.done("each", "each = one.ask()", policies=EACH) == ["OSLO", "BERGEN"]


def test_a_list_that_grew_makes_what_is_new(notebook: Notebook) -> None:
    """The objects there are stay; equal elements have one each."""
    begin(notebook, "oslo", "bergen")
    first = notebook.names["client"][0]
    assert begin(notebook, "oslo", "oslo", "bergen") == ["oslo"]
    made: list[Any] = notebook.names["client"]
    assert [it.city for it in made] == ["oslo", "oslo", "bergen"]
    assert made[0] is first
    assert made[1] is not first


def test_another_process_makes_them_again_and_readers_stay_valid(notebook: Notebook) -> None:
    """What was made from them is not paid for twice."""
    begin(notebook, "oslo", "bergen")
    said = "marks.put('said')\nsaid = [it.ask() for it in client]"
    notebook.done("said", said)
    again = notebook.restarted()
    assert begin(again, "oslo", "bergen") == ["bergen", "oslo"]
    assert again.done("said", said) == ["OSLO", "BERGEN"]
    assert again.names["marks"].qsize() == 0
    assert again.view("said").phase is Phase.COMPLETED
    again.session.close()


def test_an_option_that_was_added_later_counts(notebook: Notebook) -> None:
    """Items that were stored before are made anew, and the other way round."""
    over = Policies(map=MapOver(item="n", source="ns"))
    notebook.names.update(ns=[1, 2], marks=queue.SimpleQueue())
    source = "marks.put(n)\na = n * 2\nb = n"
    for number, options in enumerate([{}, {"transient": ["a"]}, {"outputs": ["b"]}, {}], 1):
        notebook.done("a", source, policies=over, **options)
        assert notebook.names["marks"].qsize() == 2 * number
        assert notebook.names["b"] == [1, 2]
