"""`%stepwell budget`."""

from typing import Any

import pytest

from stepwell.errors import InvalidUsage
from stepwell.magics._stepwell import obey


def test_limits_are_taken_from_the_line(notebook: Any) -> None:
    """Those that were written; a duration in its own way; none for a look."""
    obey(notebook, "budget --cost 2.50 --calls 1_000 --tokens 5 --depth 2 --time 90m")
    obey(notebook, "budget")
    obey(notebook, "budget --off")
    limits = {"cost": 2.5, "calls": 1000, "tokens": 5, "depth": 2, "seconds": 5400.0}
    assert notebook.calls == [
        ("budget", limits, {"off": False}),
        ("budget", {}, {"off": False}),
        ("budget", {}, {"off": True}),
    ]


@pytest.mark.parametrize("line", ["--calls many", "--cost x", "--calls 2.5", "--time soon"])
def test_what_is_no_number_is_refused(notebook: Any, line: str) -> None:
    """By the option's name."""
    with pytest.raises(InvalidUsage, match=line.split(maxsplit=1)[0]):
        obey(notebook, f"budget {line}")
