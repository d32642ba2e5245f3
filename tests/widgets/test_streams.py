"""Results that come in pieces, on the card of a running step."""

from typing import Any

import pytest
from page import text_of
from shown import NOON, a_step

from stepwell.orchestrator import Phase, StepView, StreamView
from stepwell.widgets import card, step_facts


def streaming(*streams: StreamView, phase: Phase = Phase.RUNNING, **facts: Any) -> StepView:
    """A step to which these are coming."""
    return a_step("draft", phase, streams=streams, **facts)


def shown(view: StepView) -> tuple[str, str]:
    """The card's page as text, and its text."""
    bundle = card(view, now=NOON)
    return text_of(bundle["text/html"]), str(bundle["text/plain"])


def stream(text: str, **facts: Any) -> StreamView:
    """A call of `write`."""
    return StreamView(call="write:1#0", name="write", text=text, pieces=7, **facts)


def test_the_end_of_what_has_come_is_shown() -> None:
    """With what makes it, and how much there is."""
    page, plain = shown(streaming(stream("It was a dark\nand stormy night")))
    assert "write · 7 pieces" in page
    assert "It was a dark\nand stormy night" in page
    assert "write · 7 pieces: It was a dark and stormy night" in plain


def test_what_came_before_is_left_out_and_that_is_said() -> None:
    """A card takes no more room for a long text than for a short one."""
    long = stream("".join(f"line {n}\n" for n in range(100)), is_cut=True)
    page, plain = shown(streaming(long))
    assert "line 99" in page
    assert "…line 88\n" in page
    assert "line 87" not in page
    assert "line 99" in plain
    whole = shown(streaming(stream("x" * 5000)))[0]
    assert "…" + "x" * 900 in whole
    assert "x" * 901 not in whole


def test_several_share_the_room() -> None:
    """Each says whose it is; those there is no room for are counted."""
    several = [stream(f"{n}\n" * 20, item=f"item-{n}") for n in range(3)]
    page, plain = shown(streaming(*several, more_streams=12))
    assert page.count("write · 7 pieces") == 3
    assert "item-1 · write" in page
    assert "and 12 more are coming in" in page
    assert page.count("2\n") <= 4
    assert len(plain.split("\n")) <= 5


@pytest.mark.parametrize("phase", [it for it in Phase if it is not Phase.RUNNING])
def test_it_goes_with_the_work(phase: Phase) -> None:
    """A card that does not run shows nothing coming."""
    page, plain = shown(streaming(stream("half"), phase=phase))
    assert "half" not in page + plain


def test_the_live_view_is_told() -> None:
    """As plain JSON: the call, what it is known by, whose it is, and its end."""
    said = step_facts(streaming(stream("one", item="k", is_over=True), more_streams=2))
    assert said["more_streams"] == 2
    assert said["streams"] == [
        {
            "call": "write:1#0",
            "name": "write",
            "item": "k",
            "step": "",
            "text": "one",
            "is_cut": False,
            "pieces": 7,
            "is_over": True,
        }
    ]
    assert "streams" not in step_facts(streaming())
