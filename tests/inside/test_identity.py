"""What a call is, where the name and the arguments alone do not say it."""

from collections.abc import Callable
from functools import partial

import pytest
from effects import Effects, durable_cells, fails
from sessions import Notebook

THINGS = """
from dataclasses import dataclass
from functools import partial

@dataclass
class Tool:
    name: str

    def __call__(self, what):
        effects.add(f"{self.name} {what}")
        return f"{self.name} {what}"

def tool(name, what):
    return Tool(name)(what)

one, other = Tool("one"), Tool("other")
"""


@pytest.mark.parametrize("made", ["{}", "partial(tool, '{}')", "partial(tool, name='{}')"])
def test_objects_that_are_called_and_partials_are_told_apart(
    notebook: Notebook, effects: Effects, made: str
) -> None:
    """The same arguments to another tool are another call, in whichever order."""
    durable_cells(notebook, effects, THINGS)
    first = made.format("one"), made.format("other")
    call = "a = [await stepwell.call({}, what='x'), await stepwell.call({}, what='x')]\n"
    fails(notebook, "a", call.format(*first) + "raise ValueError")
    assert effects.take() == ["one x", "other x"]
    assert notebook.done("a", call.format(*reversed(first))) == ["other x", "one x"]
    assert effects.take() == []


def test_what_a_partial_has_been_given_must_say_what_it_is(
    notebook: Notebook, effects: Effects
) -> None:
    """Or calls that differ in it would be taken for the same."""
    durable_cells(notebook, effects, THINGS)
    said = fails(notebook, "a", "a = await stepwell.call(partial(tool, object()), 'x')")
    assert "'partial'" in said


@pytest.mark.parametrize("function", [partial(max, 1), sorted, str.upper])
def test_functions_have_their_names(function: Callable[..., object]) -> None:
    """Also those written in C."""
    from stepwell.inside._arguments import call_name

    assert call_name(function) in {"max", "sorted", "str.upper"}
