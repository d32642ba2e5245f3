"""How far a step has come, on its card."""

import re
from typing import Any

import pytest

from stepwell.orchestrator import ItemsView, Phase, ProgressView, StepView
from stepwell.widgets import card

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


def a_step(**facts: Any) -> StepView:
    """A running step."""
    return StepView(name="many", run="r", phase=Phase.RUNNING, since=START, attempt=1, **facts)


def shown(view: StepView, seconds: float) -> tuple[str, str]:
    """The card as text and as a page, so long after the start."""
    bundle = card(view, now=START + int(seconds * SECOND))
    return str(bundle["text/plain"]), str(bundle["text/html"])


def test_a_mapped_step_counts_and_estimates() -> None:
    """A hundred of four hundred in ten seconds leave thirty; what was reused sets no pace."""
    items = ItemsView(total=400, done=120, failed=5, running=8, reused=25, since=START)
    plain, page = shown(a_step(items=items), 10)
    assert "120 of 400" in plain
    assert "5 failed" in plain
    assert "8 running" in plain
    assert "27 s left" in plain  # 275 more at 100 in 10 s
    assert re.search(r'<progress[^>]*value="125"[^>]*max="400"', page)


@pytest.mark.parametrize("done", [0, 25])
def test_without_a_pace_there_is_no_estimate(done: int) -> None:
    """Before anything fresh is done nobody knows how long it will take."""
    items = ItemsView(total=400, done=done, reused=done, since=START)
    assert "left" not in shown(a_step(items=items), 10)[0]


def test_a_steps_own_word_makes_a_bar() -> None:
    """`stepwell.progress(3, 10)` is drawn; without a total there is nothing to draw."""
    page = shown(a_step(progress=ProgressView(done=3, total=10, text="pages")), 6)[1]
    assert re.search(r'<progress[^>]*value="3"[^>]*max="10"', page)
    assert "<progress" not in shown(a_step(progress=ProgressView(done=3)), 6)[1]


def test_a_step_that_is_done_has_no_bar() -> None:
    """The bar goes with the work."""
    view = StepView(name="many", run="r", phase=Phase.COMPLETED, items=ItemsView(total=4, done=4))
    assert "<progress" not in shown(view, 1)[1]
