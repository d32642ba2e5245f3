"""Live cards, with a real thread and a front end that takes notes."""

import logging
import threading
import time

import pytest
from shown import NOON, Clock, Message, Notebook, a_step, running

from stepwell.orchestrator import Phase
from stepwell.widgets import Board


def wall() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def phases(messages: list[Message]) -> list[str]:
    """The states that were shown, in order."""
    return [message.facts["phase"] for message in messages]


def test_open_shows_the_card_in_the_callers_thread() -> None:
    """A cell that is over at once still has its card, in its own place."""
    notebook = Notebook()
    board = Board(notebook, Clock())
    board.open(a_step(), "cell 1")
    (message,) = notebook.messages
    assert (message.kind, message.where) == ("show", "cell 1")
    assert message.thread == threading.current_thread().name
    board.close()


def test_without_a_place_nothing_is_shown() -> None:
    """Neither opened nowhere nor updated without having been opened; no thread is started."""
    notebook = Notebook()
    board = Board(notebook, Clock())
    board.open(a_step(), None)
    board.update(running())
    board.close()
    assert notebook.messages == []


def test_the_newest_state_is_shown_in_the_end() -> None:
    """A final state comes from another thread, whatever was shown a moment before."""
    notebook = Notebook()
    board = Board(notebook, wall)
    board.open(a_step(phase=Phase.WAITING), "cell 1")
    for attempt in range(1000):
        board.update(running(since=wall(), attempt=attempt))
    board.update(a_step(attempt=1000))
    messages = notebook.wait(lambda messages: phases(messages)[-1] == "done")
    assert len(messages) < 10
    assert messages[-1].thread != threading.current_thread().name
    assert {message.display_id for message in messages} == {messages[0].display_id}
    board.close()


def test_a_final_state_is_shown_at_once() -> None:
    """By a clock that stands still, no interval can have passed."""
    notebook = Notebook()
    board = Board(notebook, Clock())
    board.open(running(), "cell 1")
    board.update(a_step())
    notebook.wait(lambda messages: phases(messages) == ["running", "done"])
    board.close()


def test_a_running_card_counts_the_seconds() -> None:
    """Without being told anything new."""
    notebook = Notebook()
    board = Board(notebook, wall)
    board.open(running(since=wall()), "cell 1")
    messages = notebook.wait(lambda messages: len(messages) == 3)
    assert [message.bundle["text/plain"].split(" · ")[1] for message in messages] == [
        "0 s",
        "1 s",
        "2 s",
    ]
    board.close()


def test_a_step_shown_in_two_cells_is_up_to_date_in_both() -> None:
    """Both displays have one id, which front ends update together."""
    notebook = Notebook()
    board = Board(notebook, Clock())
    board.open(running(), "cell 1")
    board.open(running(), "cell 2")
    board.update(a_step())
    messages = notebook.wait(lambda messages: len(messages) == 3)
    assert len({message.display_id for message in messages}) == 1
    assert [(message.kind, message.where) for message in messages] == [
        ("show", "cell 1"),
        ("show", "cell 2"),
        ("update", "cell 2"),
    ]
    board.close()


def test_each_step_and_each_board_has_displays_of_its_own() -> None:
    """Two steps, and two kernels behind one page, are never confused."""
    notebook = Notebook()
    boards = [Board(notebook, Clock()), Board(notebook, Clock())]
    for board in boards:
        board.open(a_step("a"), "cell 1")
        board.open(a_step("b"), "cell 2")
        board.close()
    assert len({message.display_id for message in notebook.messages}) == 4


def test_close_shows_what_is_new_and_then_nothing_more() -> None:
    """Closing twice, and using a closed board, do no harm."""
    notebook = Notebook()
    board = Board(notebook, Clock())
    board.open(a_step(phase=Phase.WAITING), "cell 1")
    board.update(running())
    board.close()
    board.update(a_step())
    board.open(a_step("b"), "cell 2")
    board.close()
    assert phases(notebook.messages) == ["waiting", "running"]


def test_flush_shows_what_is_new_in_the_callers_thread() -> None:
    """For a cell that is about to end and will not be updated afterwards."""
    notebook = Notebook()
    board = Board(notebook, Clock())
    board.open(a_step(phase=Phase.WAITING), "cell 1")
    board.update(running())
    board.flush()
    assert phases(notebook.messages) == ["waiting", "running"]
    assert notebook.messages[-1].thread == threading.current_thread().name
    board.close()


def test_a_card_that_cannot_be_shown_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, with the step's name."""
    notebook = Notebook()
    board = Board(notebook, Clock())
    board.open(running("good"), "cell 1")
    board.open(running("bad"), "cell 2")
    notebook.broken = "bad"
    with caplog.at_level(logging.ERROR, logger="stepwell.widgets"):
        board.update(a_step("bad"))
        board.update(a_step("good"))
        notebook.wait(lambda messages: phases(messages)[-1] == "done")
    assert "the card of step 'bad' could not be shown" in caplog.text
    board.close()


def test_the_thread_ends_when_nothing_happens_and_comes_back() -> None:
    """An idle notebook has no thread of ours."""
    others = set(threading.enumerate())
    notebook = Notebook()
    board = Board(notebook, Clock(), idle_seconds=0.01)
    board.open(running(), "cell 1")
    board.update(a_step())
    notebook.wait(lambda messages: len(messages) == 2)
    for thread in set(threading.enumerate()) - others:
        thread.join(timeout=20)
        assert not thread.is_alive()
    board.update(a_step(attempt=2))
    notebook.wait(lambda messages: len(messages) == 3)
    board.close()


def test_more_finals_than_may_be_shown_at_once_are_all_shown() -> None:
    """A hundred at once, the others as the allowance comes in."""
    notebook = Notebook()
    board = Board(notebook, wall)
    names = [f"step {number}" for number in range(120)]
    for name in names:
        board.open(running(name), "cell 1")
    for name in names:
        board.update(a_step(name))
    messages = notebook.wait(lambda messages: phases(messages).count("done") == len(names))
    assert {m.facts["step"] for m in messages if m.facts["phase"] == "done"} == set(names)
    board.close()


def test_ten_thousand_steps_are_no_burden() -> None:
    """One thread, and updates of steps that are not shown cost next to nothing."""
    others = set(threading.enumerate())
    notebook = Notebook()
    board = Board(notebook, Clock())
    board.open(a_step("step 0", Phase.WAITING), "cell 1")
    views = [running(f"step {number}") for number in range(10_000)]
    started = time.perf_counter()
    for _ in range(10):
        for view in views:
            board.update(view)
    assert time.perf_counter() - started < 2
    assert len(set(threading.enumerate()) - others) <= 1
    board.close()


def test_updates_from_many_threads_end_with_the_last() -> None:
    """However they fall together, the card is left in the state it was last told."""
    notebook = Notebook()
    board = Board(notebook, wall)
    board.open(running(), "cell 1")
    threads = [
        threading.Thread(
            target=lambda: [board.update(running(attempt=n, since=NOON)) for n in range(500)]
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    board.update(a_step(attempt=9))
    messages = notebook.wait(lambda messages: phases(messages)[-1] == "done")
    assert messages[-1].facts["attempt"] == 9
    board.close()
