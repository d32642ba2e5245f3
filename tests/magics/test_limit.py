"""`%stepwell limit`: numbers and rates."""

from typing import Any

import pytest

from stepwell.errors import InvalidUsage
from stepwell.magics._limit import LIMIT_OPTIONS, limit
from stepwell.magics._options import parse


def typed(notebook: Any, line: str) -> None:
    """The line, done."""
    limit(notebook, parse("%stepwell limit", line, LIMIT_OPTIONS))


def test_numbers_and_rates_are_taken_from_the_line(notebook: Any) -> None:
    """In the words people use; `--off` takes a limit away."""
    typed(notebook, "model --concurrent 5 --rate 60/min")
    typed(notebook, "model --rate 100/10m")
    typed(notebook, "model --rate 5/s")
    typed(notebook, "model --off")
    assert [options for _, _, options in notebook.calls] == [
        {"concurrent": 5, "rate": 60, "per": 60.0},
        {"concurrent": 0, "rate": 100, "per": 600.0},
        {"concurrent": 0, "rate": 5, "per": 1.0},
        {"concurrent": 0, "rate": 0, "per": 0.0},
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("model", "say how many"),
        ("--concurrent 5", "which limit"),
        ("model --concurrent 0", "not a number of 1 or more"),
        ("model --rate 60", "not a rate"),
        ("model --rate fast", "not a rate"),
        ("model --rate 0/s", "not a rate"),
        ("model --off --rate 1/s", "leave the numbers out"),
    ],
)
def test_mistakes_are_named(notebook: Any, line: str, says: str) -> None:
    """And nothing is set."""
    with pytest.raises(InvalidUsage, match=says):
        typed(notebook, line)
    assert notebook.calls == []
