"""`--approve` and what goes with it, as it is typed."""

import pytest

from stepwell.errors import InvalidUsage
from stepwell.flow import Approve
from stepwell.magics._step import parse_step


def approve(line: str) -> Approve | None:
    """What the options come to."""
    options = parse_step(f"publish {line}")
    assert options is not None
    return options.policies.approve


def test_the_question_its_edits_and_its_time() -> None:
    """With a text or without one; nothing said means that nobody is asked."""
    assert approve("--defer") is None
    assert approve("--approve --defer") == Approve()
    line = "--approve 'Publish {title}?' --edit title,body --approve-timeout 1h --on-timeout fail"
    assert approve(line) == Approve(
        text="Publish {title}?", edit=("title", "body"), timeout=3600.0, on_timeout="fail"
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--edit title", "--edit is about a question to a person: add --approve"),
        ("--approve --on-timeout reject", "needs a time that can be up"),
        ("--approve --approve-timeout 1h --on-timeout no", "write reject, approve or fail"),
        ("--approve --approve-timeout 0", "must be more than nothing"),
        ("--approve --approve-timeout soon", "'soon' is not a duration"),
    ],
)
def test_what_cannot_be_meant_is_named(line: str, says: str) -> None:
    """Before anything is registered."""
    with pytest.raises(InvalidUsage, match=says):
        approve(line)
