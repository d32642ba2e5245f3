"""Options of the decorator."""

from typing import Any

import pytest

import stepwell
from stepwell.errors import InvalidStep, InvalidUsage, NotYetSupported

step: Any = stepwell.step


def test_an_option_of_a_later_version_says_so() -> None:
    """What the plan has and this version has not is named, not taken for a mistake."""
    with pytest.raises(NotYetSupported, match="on="):
        step(out="x", on="process")


def test_an_unknown_option_names_the_likeliest() -> None:
    """A typing mistake is an error that knows what was meant."""
    with pytest.raises(InvalidUsage, match="Did you mean 'transient'"):
        step(out="x", transent=["x"])


@pytest.mark.parametrize("name", ["", "a b", "../a", "1", "_", "x" * 101])
def test_a_name_no_step_can_have_is_refused(name: str) -> None:
    """Given or taken from the function, it is a letter, then letters, digits, _ and -."""
    function: Any = lambda: None  # noqa: E731 - it has no name that could be a step's
    with pytest.raises(InvalidStep, match="needs another name") as refused:
        step(name=name)(function)
    assert len(str(refused.value)) < 300


def test_a_private_function_can_be_a_step() -> None:
    """Its name begins as Python's private names do."""

    def _plan() -> None: ...

    assert step(_plan).definition.name == "_plan"
