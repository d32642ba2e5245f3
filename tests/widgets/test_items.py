"""How far a mapped step has come, on its card and one by one."""

from dataclasses import replace

import pytest

from stepwell.orchestrator import ErrorInfo, ItemsView, Phase, RunView, StepView
from stepwell.widgets import ItemRow, card, items_table, run_table

SECOND = 1_000_000
HOSTILE = "<script>alert(1)</script>"


def view(phase: Phase = Phase.RUNNING, **counts: int) -> StepView:
    """A mapped step that began 30 seconds ago."""
    failed = tuple(
        (f"key {n}", ErrorInfo("ValueError", f"no {n}\nmore", line=4))
        for n in range(min(3, counts.get("failed", 0)))
    )
    items = ItemsView(since=SECOND, first_failed=failed, **counts)
    return StepView(name="search", run="r", phase=phase, since=SECOND, attempt=1, items=items)


def said(step: StepView) -> tuple[str, str]:
    """The card as a page and as text, 30 seconds later."""
    made = card(step, now=31 * SECOND)
    return str(made["text/html"]), str(made["text/plain"])


def test_a_running_step_counts_its_items_and_estimates_the_time_left() -> None:
    """Done, failed, running, waiting; the pace so far gives the rest."""
    for form in said(view(total=100, done=37, failed=2, running=8)):
        assert "37 of 100 items done · 2 failed · 8 running · 53 waiting · about 46 s left" in form
        assert "key 0" in form
        assert "ValueError: no 0 more (line 4)" in form


def test_what_came_from_before_does_not_make_the_pace() -> None:
    """Of 50 done 40 had been done already: 10 in 30 seconds."""
    for form in said(view(total=60, done=50, reused=40)):
        assert "about 30 s left" in form


def test_nothing_is_estimated_from_nothing() -> None:
    """Before the first item is done nobody knows."""
    for form in said(view(total=60, running=8)):
        assert "0 of 60 items done · 8 running · 52 waiting" in form
        assert "about" not in form


def test_a_done_step_says_how_many_and_how_many_it_did_not_run() -> None:
    """And no more than that."""
    for form in said(view(Phase.COMPLETED, total=1200, done=1200, reused=7)):
        assert "1,200 items · 7 of them from before" in form


def test_more_failures_than_are_shown_are_counted() -> None:
    """Three stand for all."""
    page, _ = said(view(total=100, done=37, failed=20))
    assert "and 17 more failed" in page


def test_keys_and_errors_are_text() -> None:
    """Whatever they say."""
    hostile = ItemsView(total=1, failed=1, first_failed=((HOSTILE, ErrorInfo(HOSTILE, HOSTILE)),))
    page, _ = said(replace(view(), items=hostile))
    assert "<script" not in page


@pytest.mark.parametrize("count", [1, 20, 21, 5000])
def test_items_are_listed_those_that_need_a_look_first(count: int) -> None:
    """More than twenty are folded, none is left uncounted."""
    rows = [ItemRow(key=f"k{n}", state="done", said=HOSTILE) for n in range(count - 1)]
    rows.append(ItemRow(key="the bad one", state="failed", said="ValueError"))
    bundle = items_table(rows).bundle
    page, plain = str(bundle["text/html"]), str(bundle["text/plain"])
    assert "<script" not in page
    assert len(plain.splitlines()) <= 22
    assert "the bad one" in plain
    if count > 20:
        assert plain.index("the bad one") < plain.index("k0")
        assert f"{count:,} items" in plain
        assert f"{count - 20:,} more item" in page


def test_a_runs_table_says_how_far_its_mapped_steps_are() -> None:
    """In the step's row; nothing more of one that is done."""
    steps = (view(total=100, done=37), replace(view(Phase.COMPLETED, total=5, done=5), name="b"))
    made = run_table(RunView(run="r", flow="", status="running", steps=steps), now=31 * SECOND)
    said = str(made.bundle["text/plain"])
    assert "37 of 100 items done" in said
    assert "5 items" not in said
