"""Options of the decorator."""

from typing import Any

import pytest

import stepwell
from stepwell.errors import InvalidUsage, NotYetSupported

step: Any = stepwell.step


def test_an_option_of_a_later_version_says_so() -> None:
    """What the plan has and this version has not is named, not taken for a mistake."""
    with pytest.raises(NotYetSupported, match="retries="):
        step(out="x", retries=3)


def test_an_unknown_option_names_the_likeliest() -> None:
    """A typing mistake is an error that knows what was meant."""
    with pytest.raises(InvalidUsage, match="Did you mean 'transient'"):
        step(out="x", transent=["x"])
