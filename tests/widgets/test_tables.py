"""Tables as text and as pages."""

import pytest
from page import text_of
from shown import ERROR, NOON, SECOND, a_step, running

from stepwell.orchestrator import Phase, RunView, StepView
from stepwell.widgets import (
    Column,
    HistoryRow,
    PlanRow,
    RunRow,
    View,
    history_table,
    plan_table,
    run_table,
    runs_table,
    store_table,
    table,
)

DAY = 86_400 * SECOND
STEPS = (
    a_step(seconds=12.3, restored=True),
    running("search", since=NOON - 12 * SECOND),
    a_step("draft", Phase.WAITING, reads=(("q", "plan"), ("h", "search")), waiting_for=("search",)),
    a_step("check", Phase.FAILED, seconds=3.2, error=ERROR, reads=(("h", "search"),)),
    a_step("日本", Phase.DEFERRED, since=0),
)


def a_run(steps: tuple[StepView, ...] = STEPS, status: str = "running") -> RunView:
    """A run of these steps."""
    return RunView(
        run="run-7",
        flow="",
        status=status,
        started=NOON - DAY,
        notebook="a.ipynb",
        store="a.duckdb",
        steps=steps,
        seconds_saved=12.3,
    )


def lines(view: View) -> list[str]:
    """The view as it is printed."""
    return repr(view).split("\n")


def test_a_run_is_read_from_top_to_bottom() -> None:
    """Each step with its state, what it reads from, how long, since when, and its trouble."""
    assert lines(run_table(a_run(), now=NOON, note="the disk is full")) == [
        "run run-7 · running · 5 steps · 1 restored · 1 running · 1 waiting · 1 failed"
        " · 1 not run · saved 12.3 s",
        "step    state       reads from        time  when      note",
        "plan    ↺ restored                  12.3 s  11:59:00",
        "search  ● running                     12 s  11:59:48",
        "draft   ◔ waiting   ← plan, search          11:59:00  waits for search",
        "check   ✗ failed    ← search         3.2 s  11:59:00  IndexError: list index out of range"
        ' (line 4: report = await llm.write(topic, hits[0]["title"]))',
        "日本    ○ not run",
        "started 2023-11-14 12:00:00 · notebook a.ipynb · store a.duckdb",
        "the disk is full",
    ]


def test_only_a_running_run_shows_how_far_it_is() -> None:
    """The bar has its numbers as text too."""
    assert "1 of 5" in text_of(run_table(a_run(), now=NOON).bundle["text/html"])
    done = run_table(a_run(status="failed"), now=NOON).bundle["text/html"]
    assert "<progress" not in str(done)


def test_of_very_many_steps_the_troubled_ones_are_shown() -> None:
    """Nothing that failed is left out for what is merely done; the rest is counted."""
    done = [a_step(f"step{number}") for number in range(10_000)]
    done[7_777] = a_step("bad", Phase.FAILED)
    shown = lines(run_table(a_run(tuple(done)), now=NOON))
    assert any(row.startswith("bad ") for row in shown)
    assert "… and 9,800 more steps: 9,800 done" in shown
    assert len(shown) < 210


def test_a_run_without_steps_says_so() -> None:
    """Instead of an empty table."""
    assert "no cell has been made a step yet" in lines(run_table(a_run(()), now=NOON))


def test_a_plan_says_what_would_run_and_what_that_took() -> None:
    """Only what is to run counts as time to come, what is reused as time saved."""
    rows = [
        PlanRow(step="plan", action="reuse", seconds=12.3),
        PlanRow(step="search", action="stale", seconds=65, why=("code",), after=("plan",)),
        PlanRow(step="draft", action="run", after=("plan", "search")),
        PlanRow(step="publish", action="person", why=("asks",)),
    ]
    assert lines(plan_table(rows)) == [
        "2 of 4 steps would run · took 1 min 05 s before, and 1 never run before"
        " · 1 reused · saves 12.3 s · 1 in need of a person",
        "step     plan               reads from      took before  why",
        "plan     ↺ reuse                                 12.3 s",
        "search   ≠ stale, will run  ← plan           1 min 05 s  code",
        "draft    ▸ will run         ← plan, search",
        "publish  ! needs a person                                asks",
    ]


def test_a_plan_unfolds_the_changed_code() -> None:
    """One diff to each step that has one."""
    view = plan_table([PlanRow(step="plan", action="stale", diff="-a\n+b")])
    assert "what changed in plan-a\n+b" in text_of(view.bundle["text/html"])


def test_a_history_shows_every_attempt() -> None:
    """With the code's digest, whether it had changed, and what came of it."""
    rows = [
        HistoryRow(
            when=NOON - DAY,
            attempt=1,
            outcome="failed",
            code="a1b2c3d4e5",
            seconds=2.2,
            error="E: no",
            inputs={"topic": "9f8e7d6c5b4a39281706"},
        ),
        HistoryRow(
            when=NOON,
            attempt=2,
            outcome="done",
            code="ffb2c3d4e5",
            code_changed=True,
            outputs={"q": "['a']"},
        ),
    ]
    assert lines(history_table(rows, now=NOON, step="plan")) == [
        "plan · 2 attempts",
        "when                 attempt             time  code              inputs"
        "               outcome",
        "2023-11-14 12:00:00        1  ✗ failed  2.2 s  a1b2c3d4          topic=9f8e7d6c5b4a…"
        "  E: no",
        "12:00:00                   2  ✓ done           ffb2c3d4 changed"
        "                       q=['a']",
    ]


def test_a_step_without_history_says_so() -> None:
    """By name, where it is known."""
    assert lines(history_table([], now=NOON, step="plan")) == ["plan has never run"]


def test_runs_and_stores() -> None:
    """One line to each, the current run marked."""
    rows = [RunRow(run="run-7", status="running", done=3, steps=7, is_current=True)]
    assert lines(runs_table(rows, now=NOON))[2] == (
        "run-7  ● running      3 of 7  ← this notebook's"
    )
    assert lines(store_table({"path": "a.duckdb", "runs": 2, "held by": None})) == [
        "store",
        "path     a.duckdb",
        "runs     2",
        "held by",
    ]


def test_numbers_stand_to_the_right() -> None:
    """Columns without any content are left out."""
    view = table(["a", Column("n", is_number=True), "none"], [["x", 5, ""], ["yy", 1000, None]])
    assert lines(view) == ["a      n", "x      5", "yy  1000"]


def test_rows_must_fit_the_columns() -> None:
    """A row of another length is a mistake, not something to be guessed at."""
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        table(["a", "b"], [["x"]])


def test_a_view_is_displayed_and_printed() -> None:
    """The notebook takes the bundle, the terminal the text."""
    view = table(["a"], [["x"]])
    assert set(view._repr_mimebundle_()) == {"text/html", "text/plain"}  # pyright: ignore[reportPrivateUsage]
    assert str(view) == "a\nx"
