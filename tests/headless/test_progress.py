"""What is told about steps: lines for a log, a live view for a terminal, a summary."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from stepwell.headless import progress_on, report
from stepwell.headless._card import MIME, Card, Items, Trouble, card_in
from stepwell.headless._live import Live
from stepwell.headless._progress import Lines, plain
from stepwell.headless._result import Ending, FailedCell, Result

CARDS = [
    (Card(step="search", phase="done", seconds=2.1), "search  done  2.1 s"),
    (Card(step="long", phase="done", seconds=125.4), "long  done  2 min 5 s"),
    (Card(step="quick", phase="done", seconds=0.0042), "quick  done  4 ms"),
    (
        Card(step="plan", phase="done", restored=True, seconds=4.0),
        "plan  restored  saved 4.0 s",
    ),
    (
        Card(step="draft", phase="failed", error=Trouble("ValueError", "no\nwords")),
        "draft  failed  ValueError: no words",
    ),
    (Card(step="draft", phase="running", attempt=1), "draft  running"),
    (Card(step="draft", phase="running", attempt=2), "draft  running  attempt 2"),
    (
        Card(step="draft", phase="running", attempt=1, stale=("its code has changed",)),
        "draft  running  its code has changed",
    ),
    (Card(step="out", phase="waiting", waiting_for=("a", "b")), "out  waiting  for a, b"),
    (Card(step="out", phase="waiting"), "out  waiting"),
    (Card(step="out", phase="cancelled"), "out  cancelled"),
    (
        Card(step="ask", phase="done", seconds=2.1, items=Items(total=100, done=97, reused=4)),
        "ask  done  2.1 s  97 of 100 items, 4 from before",
    ),
    (Card(step="ask", phase="done", seconds=2.1, items=Items(1, 1)), "ask  done  2.1 s  1 item"),
]


@pytest.mark.parametrize(("card", "line"), CARDS)
def test_a_log_has_one_line_per_change(card: Card, line: str) -> None:
    """Name, what happened, and the one thing to know about it."""
    log = io.StringIO()

    Lines(log).step(card)

    assert log.getvalue() == f"{line}\n"


def test_text_from_a_kernel_commands_no_terminal() -> None:
    """Escape sequences and control characters are taken out; long text is cut."""
    log = io.StringIO()
    bad = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x9b2J[bold]\rover\x08\nnext"

    Lines(log).step(Card(step=bad, phase="failed", error=Trouble(bad, "x" * 1000)))

    assert not set(log.getvalue().removesuffix("\n")) & set(map(chr, range(32)))
    assert "\x9b" not in log.getvalue()
    assert log.getvalue().startswith("red 2J[bold]over next  failed  ")
    assert len(plain("x" * 1000)) == 300


def test_a_terminal_keeps_what_ended_and_drops_what_is_going_on() -> None:
    """Finished steps stay on the screen; markup in a name is only text."""
    screen = io.StringIO()
    live = Live(Console(file=screen, force_terminal=True, width=80, color_system=None))

    live.begin(3)
    live.cell(2)
    live.step(Card(step="[bold]a[/bold]", phase="running"))
    for number in range(12):
        live.step(Card(step=f"more{number}", phase="waiting"))
    live.step(Card(step="[bold]a[/bold]", phase="done", seconds=1.0))
    live.warn("careful")
    live.waiting()
    live.end()

    shown = screen.getvalue()
    assert "[bold]a[/bold]  done  1.0 s" in shown
    assert "warning: careful" in shown
    assert "… and 4 more" in shown


def test_a_file_that_is_no_terminal_gets_lines() -> None:
    """A log is not redrawn."""
    assert isinstance(progress_on(io.StringIO()), Lines)


def test_the_summary_counts_steps_and_says_where_things_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run, restored, failed, time saved; paths are short where they can be."""
    monkeypatch.chdir(tmp_path)
    store = tmp_path / ".stepwell" / "n.duckdb"
    cards = [card for card, _ in CARDS]
    result = Result(
        ending=Ending.STEP_FAILED,
        output=tmp_path / "n.executed.ipynb",
        store=store,
        seconds=12.3,
        cells=4,
        steps=(cards[0], cards[3], cards[4], Card(step="x", phase="running")),
        message="step 'draft' failed: \x1b[31mno\nwords",
    )

    assert report(result).splitlines() == [
        "stepwell: step 'draft' failed: no words",
        "4 steps: 1 run, 1 restored, 1 failed, 1 unfinished, saved 4.0 s · 12.3 s · "
        "notebook n.executed.ipynb",
    ]
    store.parent.mkdir()
    store.touch()
    assert report(result).endswith(" · notebook n.executed.ipynb · store .stepwell/n.duckdb")


def test_a_failed_cell_shows_the_end_of_its_traceback(tmp_path: Path) -> None:
    """Coloured only where colours are wanted; a traceback of one line is not said twice."""
    red = [f"\x1b[31mline {number}\x1b[0m" for number in range(50)]

    def ended(traceback: list[str]) -> Result:
        return Result(
            ending=Ending.CELL_FAILED,
            output=tmp_path / "n.ipynb",
            store=tmp_path / "s",
            seconds=1,
            cells=1,
            message="cell 2 failed",
            failed_cell=FailedCell(index=1, source="1/0", traceback="\n".join(traceback)),
        )

    said = report(ended(red)).splitlines()
    assert said[:2] == ["…", "line 30"]
    assert said[20:22] == ["line 49", "stepwell: cell 2 failed"]
    assert said[22].startswith("1 cell run · 1.0 s · notebook ")
    assert report(ended(red), colours=True).splitlines()[1] == red[30]
    assert report(ended(red[:1])).startswith("stepwell: cell 2 failed\n")


@pytest.mark.parametrize(
    "said",
    [
        None,
        "text",
        [],
        {},
        {"step": 5},
        {"step": "a", "phase": []},
        {"step": "a", "error": "no"},
    ],
)
def test_a_card_that_cannot_be_read_is_no_card(said: object) -> None:
    """Anybody in the kernel can send that kind of message."""
    assert card_in({"content": {"data": {MIME: said}}}) is None
    assert card_in({"content": {"data": {}}}) is None
    assert card_in({"content": {"execution_state": "idle"}}) is None


def test_a_card_is_read_as_the_engine_sends_it() -> None:
    """Every field that is told to people arrives; fields to come do no harm."""
    said = {
        "step": "a",
        "run": "r",
        "phase": "failed",
        "attempt": 2,
        "seconds": 1,
        "since": 1_700_000_000_000_000,
        "restored": False,
        "error": {"type": "E", "message": "m", "line": 3},
        "waiting_for": [],
        "stale": ["code"],
        "to come": True,
    }

    assert card_in({"content": {"data": {MIME: said}}}) == Card(
        step="a",
        run="r",
        phase="failed",
        attempt=2,
        seconds=1,
        error=Trouble("E", "m"),
        stale=("code",),
    )
