"""`--when`: what it looks at, and that changing it changes the step."""

import pytest

from stepwell.defining import step_from_cell, step_from_function
from stepwell.errors import InvalidStep
from stepwell.flow import MapOver, Policies, Step


def cell(code: str, when: str, **more: object) -> Step:
    """A step with a condition."""
    return step_from_cell("a", code, code, policies=Policies(when=when, **more))  # type: ignore[arg-type]


def test_what_a_condition_looks_at_is_read() -> None:
    """So the step waits for it, and is stale when it has changed."""
    step = cell("x = n", "len(hits) > limit")
    assert step.reads == ("n", "hits", "limit")
    assert step.when == "len(hits) > limit"
    assert "len" in step.builtins


def test_another_condition_is_another_step() -> None:
    """A result of the old one is no result of the new one; its layout does not count."""
    one, same, other = (cell("x = n", when) for when in ("n > 3", "n  >  3", "n > 4"))
    assert one.digest == same.digest != other.digest
    assert one.digest != step_from_cell("a", "x = n", "x = n").digest


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("n >", "not an expression"),
        ("x = 1", "not an expression"),
        ("n)(", "not an expression"),
        ("x > 1", "'x', which the step itself makes"),
    ],
)
def test_what_cannot_be_a_condition_is_refused(when: str, says: str) -> None:
    """With the option as it was written."""
    with pytest.raises(InvalidStep, match=says):
        cell("x = n", when)


def test_a_condition_is_not_asked_for_each_element() -> None:
    """It holds for the step as a whole; the message says what to do instead."""
    with pytest.raises(InvalidStep, match="Leave elements out of 'items'"):
        cell("x = item", "item > 3", map=MapOver(item="item", source="items"))


def test_a_functions_condition_looks_at_its_parameters() -> None:
    """For these are all that it reads."""

    def double(n: int) -> int:
        return 2 * n

    step = step_from_function(double, out="x", policies=Policies(when="n > 3"))
    assert step.reads == ("n",)
    with pytest.raises(InvalidStep, match="'m', which is no parameter"):
        step_from_function(double, out="x", policies=Policies(when="m > 3"))
