"""Options about failing, time and conditions."""

import pytest

from stepwell.errors import InvalidUsage
from stepwell.flow import Deadlines, Policies, Retry
from stepwell.magics._step import parse_step


def said(line: str) -> Policies:
    """What the options say."""
    options = parse_step(f"plan {line}")
    assert options is not None
    return options.policies


def test_a_step_without_options_has_no_policies() -> None:
    """It is tried once and may take as long as it takes."""
    assert said("") == Policies()


def test_every_option_has_its_place() -> None:
    """Durations become seconds, errors bare names."""
    found = said(
        "--retries 3 --backoff 500ms --max-backoff 2m --retry-on TimeoutError,httpx.HTTPError "
        "--timeout 60s --total-timeout 1h --stall 30s --when 'n > 3' --even-if-skipped"
    )
    assert found == Policies(
        retry=Retry(
            retries=3, backoff=0.5, max_backoff=120, retry_on=("TimeoutError", "HTTPError")
        ),
        deadlines=Deadlines(attempt=60, total=3600, stall=30),
        when="n > 3",
        even_if_skipped=True,
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--retries many", "--retries 'many' is not a number"),
        ("--retries -1", "not a number"),
        ("--backoff 1s", "--backoff is about retries: add --retries N"),
        ("--retries 1 --backoff soon", "--backoff: 'soon' is not a duration"),
        ("--retries 1 --retry-on 4xx", "'4xx' is not the name of an exception"),
        ("--timeout 0", "--timeout must be more than nothing"),
        ("--stall never", "--stall: 'never' is not a duration"),
    ],
)
def test_mistakes_are_named(line: str, says: str) -> None:
    """The option, what is wrong with it, and what would be right."""
    with pytest.raises(InvalidUsage) as caught:
        said(line)
    assert says in str(caught.value)
