"""Steps that go over what an expression makes."""

from collections.abc import Iterator
from pathlib import Path
from random import random
from typing import Any

import pytest
from sessions import Notebook

from stepwell.errors import StepFailed, UnknownName
from stepwell.flow import MapOver, Policies, Retry
from stepwell.store import MemoryStore


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """One without cells."""
    made = Notebook(tmp_path, MemoryStore())
    yield made
    made.session.close()


def over(source: str, **options: Any) -> Policies:
    """One element is called `n`."""
    return Policies(map=MapOver(item="n", source=source), **options)


def test_an_expression_is_gone_over_without_a_step_of_its_own(notebook: Notebook) -> None:
    """Numbers, a part of a list, a comprehension over a step's output."""
    notebook.names["most"] = 3
    assert notebook.done("a", "a = n * 2", policies=over("range(most)")) == [0, 2, 4]
    assert notebook.done("b", "b = n + 1", policies=over("[it for it in a if it][:1]")) == [3]


def test_items_whose_element_is_still_there_are_not_paid_for_again(notebook: Notebook) -> None:
    """Though what the expression looks at has changed."""
    notebook.names["most"] = 3
    notebook.done("a", "a = n * 2", policies=over("range(most)"))
    notebook.names["most"] = 5
    assert notebook.done("a", "a = n * 2", policies=over("range(most)")) == [0, 2, 4, 6, 8]
    items = notebook.view("a").items
    assert items is not None
    assert (items.reused, items.done) == (3, 5)


def test_a_changed_name_in_the_expression_makes_the_step_stale(notebook: Notebook) -> None:
    """It is a read like any other."""
    notebook.names["most"] = 1
    notebook.done("a", "a = n", policies=over("range(most)"))
    notebook.names["most"] = 2
    assert notebook.done("a", "a = n", policies=over("range(most)")) == [0, 1]


def test_helpers_are_found_in_it(notebook: Notebook) -> None:
    """And what they read with them."""
    exec("def chosen(): return [it for it in words if it > 'a']", notebook.names)
    assert notebook.done("words", "words = ['a', 'b']") == ["a", "b"]
    assert notebook.done("a", "a = n.upper()", policies=over("chosen()")) == ["B"]
    notebook.done("words", "words = ['a', 'b', 'c']")
    assert notebook.done("a", "a = n.upper()", policies=over("chosen()")) == ["B", "C"]


def test_a_name_that_nobody_has_is_missed_at_once(notebook: Notebook) -> None:
    """Before anything is started."""
    with pytest.raises(UnknownName, match="nowhere"):
        notebook.step("a", "a = n", policies=over("nowhere[:3]"))


def test_what_goes_wrong_in_it_is_told_with_the_expression(notebook: Notebook) -> None:
    """The step has failed; there are no items."""
    notebook.names["few"] = [1]
    with pytest.raises(StepFailed, match=r"--map n=few\[3\]: IndexError"):
        notebook.done("a", "a = n", policies=over("few[3]"))
    with pytest.raises(StepFailed, match=r"list\(…\) makes one of it"):
        notebook.done("a", "a = n", policies=over("zip(few, few)"))


def test_an_element_that_is_another_one_each_time_is_refused(notebook: Notebook) -> None:
    """A second attempt would be at something else than what is written down."""
    notebook.names.update(random=random, tried=[])
    exec("def lists(): return [[random()]]", notebook.names)
    again = Retry(retries=1, backoff=0.0, retry_on=("ValueError",))
    with pytest.raises(StepFailed, match="gives another element 1 each time"):
        notebook.done("a", "raise ValueError('no')\na = n", policies=over("lists()", retry=again))


def test_elements_that_can_be_changed_are_made_anew_for_a_retry(notebook: Notebook) -> None:
    """Each attempt has the element as it was."""
    again = Retry(retries=1, backoff=0.0, retry_on=("ValueError",))
    source = """
import stepwell
n.append(9)
if stepwell.current().attempt == 1:
    raise ValueError("no")
a = n
"""
    assert notebook.done("a", source, policies=over("[[1], [2]]", retry=again)) == [[1, 9], [2, 9]]
