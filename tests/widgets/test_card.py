"""The card of a step, state by state."""

from typing import Any

import pytest
from page import text_of
from shown import ERROR, NOON, OUTPUTS, SECOND, a_step, running

from stepwell.orchestrator import ErrorInfo, Output, Phase, StepView
from stepwell.widgets import STEP_MIME, card


def plain(view: StepView, *, now: int = NOON) -> str:
    """The card as a log has it."""
    return str(card(view, now=now)["text/plain"])


def page(view: StepView, *, now: int = NOON) -> str:
    """The card as people read it, without its markup."""
    return text_of(card(view, now=now)["text/html"])


def facts(view: StepView) -> dict[str, Any]:
    """The card as programs read it."""
    said: Any = card(view, now=NOON)[STEP_MIME]
    return dict(said)


HITS = {"reads": (("topic", ""), ("hits", "search")), "writes": ("report",)}
STATES = [
    (
        a_step(phase=Phase.DEFERRED, since=0, attempt=0),
        "○ plan: not run · reads topic → queries",
    ),
    (
        a_step("draft", Phase.WAITING, attempt=0, waiting_for=("search",), **HITS),
        "◔ draft: waiting · since 11:59:00 · reads topic, hits (search) → report\n"
        "  waits for search",
    ),
    (
        a_step("d", Phase.WAITING, waiting_for=("a", "b"), blocked_by=("a",), reads=(), writes=()),
        "◔ d: waiting · since 11:59:00\n  blocked by a: fix a's cell and run it",
    ),
    (
        running(since=NOON - 12 * SECOND),
        "● plan: running · 12 s · since 11:59:48 · reads topic → queries",
    ),
    (
        a_step(seconds=12.34, outputs=OUTPUTS),
        "✓ plan: done · 12.3 s · 11:59:00 · reads topic → queries\n  queries = ['a', 'b']",
    ),
    (
        a_step(seconds=12.34, restored=True),
        "↺ plan: restored · saved 12.3 s · stored 11:59:00 · reads topic → queries",
    ),
    (
        a_step(seconds=12.34, stale=("its code has changed", "input x has changed")),
        "≠ plan: stale · 12.3 s · 11:59:00 · reads topic → queries\n"
        "  stale: its code has changed (+1 more)",
    ),
    (
        a_step("draft", Phase.FAILED, seconds=3.2, attempt=2, error=ERROR, **HITS),
        "✗ draft: failed · 3.2 s · 11:59:00 · attempt 2"
        " · reads topic, hits (search) → report\n"
        "  IndexError: list index out of range"
        ' (line 4: report = await llm.write(topic, hits[0]["title"]))',
    ),
    (
        a_step(phase=Phase.CANCELLED, note="the disk is full"),
        "⊘ plan: cancelled · 11:59:00 · reads topic → queries\n  note: the disk is full",
    ),
]


@pytest.mark.parametrize(("view", "said"), STATES, ids=[said.split()[2] for _, said in STATES])
def test_the_card_in_a_log(view: StepView, said: str) -> None:
    """Name, state, times, data flow in the first line; then only what must be known."""
    assert plain(view) == said


@pytest.mark.parametrize("view", [view for view, _ in STATES])
def test_the_page_says_the_state_in_words(view: StepView) -> None:
    """The state, the step and every name that is read or written stand in the page as text."""
    shown = page(view)
    words = plain(view).split(": ", 1)[1].split(" · ")[0].split("\n")[0]
    for word in (words, view.name, *(name for name, _ in view.reads), *view.writes):
        assert word in shown


def test_a_log_gets_five_lines_at_most() -> None:
    """However much there is to say."""
    outputs = {f"out{number}": Output("d", preview="1") for number in range(50)}
    view = a_step(outputs=outputs, stale=("one",), note="two", writes=tuple(outputs))
    assert len(plain(view).split("\n")) == 5


def test_a_page_is_one_line_when_all_is_well() -> None:
    """Outputs and code are folded away: all the card's blocks are inside the details."""
    html = str(card(a_step(outputs=OUTPUTS, seconds=1.0), now=NOON)["text/html"])
    assert html.count("<details") == 2
    assert html.endswith("</details></div>")
    assert "open" not in html.split("<details", 1)[1].split(">", 1)[0]


def test_a_running_card_has_nothing_to_unfold() -> None:
    """It is replaced each second, and what a person has unfolded would fold up again."""
    assert "<details" not in str(card(running(), now=NOON)["text/html"])


def test_a_failed_card_shows_line_and_traceback() -> None:
    """The error and the code of the failing line in sight, the traceback on request."""
    shown = page(a_step(phase=Phase.FAILED, error=ERROR))
    assert "IndexError: list index out of range" in shown
    assert 'line 4 of the cell: report = await llm.write(topic, hits[0]["title"])' in shown
    assert "Traceback (most recent call last):" in shown.split("traceback and code")[1]


def test_a_failing_line_without_traceback_is_only_counted() -> None:
    """No code is shown that may not be the one that failed."""
    shown = page(a_step(phase=Phase.FAILED, error=ErrorInfo("E", line=3), source="a\nb\nc"))
    assert "in line 3 of the cell" in shown


def test_a_stale_card_says_why_and_what_to_do() -> None:
    """All reasons, the changed lines, the command that brings the step up to date."""
    view = a_step(stale=("its code has changed", "input x has changed"), diff="-a\n+b\n c")
    shown = page(view)
    for said in (*view.stale, "-a\n+b\n c", "%stepwell run plan"):
        assert said in shown


def test_a_blocked_card_names_the_way_out() -> None:
    """Whose cell is to be mended, also where it is several."""
    one = a_step(phase=Phase.WAITING, blocked_by=("plan",))
    two = a_step(phase=Phase.WAITING, blocked_by=("plan", "search"))
    assert "fix plan's cell and run it" in page(one)
    assert "fix the cells of plan and search and run them" in page(two)


def test_a_step_that_is_renewed_is_not_called_stale() -> None:
    """While it runs, the reasons say why it runs."""
    view = a_step(phase=Phase.RUNNING, stale=("its code has changed",))
    assert "runs again: its code has changed" in page(view)
    assert "runs again: its code has changed" in plain(view)


def test_programs_read_the_facts() -> None:
    """Plain JSON, with the error only while it stands."""
    assert facts(a_step("draft", Phase.FAILED, seconds=3.2, attempt=2, error=ERROR)) == {
        "step": "draft",
        "run": "run-7",
        "phase": "failed",
        "attempt": 2,
        "seconds": 3.2,
        "since": NOON - 60 * SECOND,
        "restored": False,
        "error": {"type": "IndexError", "message": "list index out of range", "line": 4},
        "waiting_for": [],
        "blocked_by": [],
        "stale": [],
    }
    assert facts(a_step(phase=Phase.RUNNING, error=ERROR))["error"] is None


def test_many_names_are_counted() -> None:
    """Six are listed."""
    view = a_step(writes=tuple(f"out{number}" for number in range(1000)))
    assert "out5 and 994 more" in page(view)
    assert "out5 and 994 more" in plain(view)
