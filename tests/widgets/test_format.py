"""Numbers as people read them."""

import pytest
from shown import NOON, SECOND

from stepwell.widgets._format import clock_time, duration, elapsed, plural, size


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"),
        (0.0124, "12 ms"),
        (0.9996, "1.0 s"),
        (12.34, "12.3 s"),
        (59.96, "1 min 00 s"),
        (3725, "1 h 02 min"),
        (100_000, "1 d 3 h"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    """Never more than two units, and never 60 of one."""
    assert duration(seconds) == said


def test_elapsed_time_does_not_pretend_to_more_than_is_updated() -> None:
    """Whole seconds, then tens of seconds; a clock set back shows none."""
    assert [elapsed(value) for value in (-5, 12.9, 99, 3725)] == [
        "0 s",
        "12 s",
        "1 min 30 s",
        "1 h 02 min",
    ]


def test_moments_have_a_date_unless_they_are_of_today() -> None:
    """Local time, to the second."""
    assert clock_time(NOON, NOON) == "12:00:00"
    assert clock_time(NOON - 86_400 * SECOND, NOON) == "2023-11-14 12:00:00"
    assert clock_time(0, NOON) == ""


def test_sizes_and_counts() -> None:
    """Three figures are enough for a size; a noun follows its number."""
    assert [size(value) for value in (7, 1234, 999_999, 2_500_000, 3_000_000_000)] == [
        "7 B",
        "1.2 kB",
        "1.0 MB",
        "2.5 MB",
        "3.0 GB",
    ]
    assert [plural(count, "step") for count in (0, 1, 1000)] == ["0 steps", "1 step", "1,000 steps"]
