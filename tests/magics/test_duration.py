"""Durations as people type them."""

import pytest

from stepwell.errors import InvalidUsage
from stepwell.magics._duration import seconds


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("60s", 60),
        ("1.5m", 90),
        ("2h", 7200),
        ("250ms", 0.25),
        ("7", 7),
        (".5s", 0.5),
        ("1d", 86400),
    ],
)
def test_units_are_understood(text: str, length: float) -> None:
    """Milliseconds to days; a plain number is seconds."""
    assert seconds(text, what="--timeout") == pytest.approx(length)


@pytest.mark.parametrize("text", ["", "soon", "-3s", "1w", "1h30m", "nan", "inf", "9" * 400])
def test_anything_else_is_refused(text: str) -> None:
    """The message names the option and shows how durations are written."""
    with pytest.raises(InvalidUsage, match=r"--timeout: .* is not a duration\. Write 250ms, 60s"):
        seconds(text, what="--timeout")
