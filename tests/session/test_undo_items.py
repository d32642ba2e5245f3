"""Undoing mapped steps, item by item; and steps that are conditional, or must not happen twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from controlled import wait_for
from diary import Diary, diary
from sessions import Notebook

from stepwell.errors import InvalidStep, StepFailed
from stepwell.flow import MapOver, Policies, Retry
from stepwell.orchestrator import AttemptStarted, Phase
from stepwell.session import SessionNotebook
from stepwell.store import MemoryStore

PAY = "paid = diary.write(f'pay {who}')"
REFUND = "diary.write(f'refund {paid} of {who}')"
UNDO = Policies(undo_of="pay")


def over(**options: object) -> Policies:
    """One after the other, so that it is known which is the newest."""
    each = MapOver(item="who", source="people", max_parallel=1)
    return Policies(map=each, **options)  # type: ignore[arg-type]


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """People to be paid."""
    made = Notebook(tmp_path, MemoryStore())
    made.names.update(diary=Diary(), people=["ann", "bob", "cy"])
    yield made
    made.session.close()


PAID = ["pay ann", "pay bob", "pay cy"]
REFUNDED = ["refund pay cy of cy", "refund pay bob of bob", "refund pay ann of ann"]


def test_each_item_is_undone_with_what_it_made_the_newest_first(notebook: Notebook) -> None:
    """Its own output and its element have their names; then nothing of it is done any more."""
    notebook.done("pay", PAY, policies=over())
    notebook.step("refund", REFUND, policies=UNDO)
    notebook.session.undo()
    wait_for(lambda: notebook.view("refund").phase is Phase.COMPLETED)
    assert diary(notebook).lines == [*PAID, *REFUNDED]
    assert notebook.view("pay").phase is Phase.UNDONE
    notebook.session.undo()
    assert diary(notebook).lines == [*PAID, *REFUNDED]


def test_of_a_step_that_failed_what_was_done_is_undone(notebook: Notebook) -> None:
    """And nothing else; the run has still failed."""
    diary(notebook).refused = PAID[2]
    notebook.step("pay", PAY, policies=over(), defer=True)
    notebook.step("refund", REFUND, policies=UNDO)
    notebook.session.undo(on_failure=True)
    notebook.session.ask(["pay"], by="run")
    with pytest.raises(StepFailed):
        notebook.session.wait(["pay"], timeout=20)
    wait_for(lambda: len(diary(notebook).lines) == 4)
    assert diary(notebook).lines == [*PAID[:2], *REFUNDED[1:]]
    wait_for(lambda: notebook.session.state.settled == "failed")


def test_what_was_undone_is_done_again_and_undone_again(notebook: Notebook) -> None:
    """Once for each time that it was done."""
    notebook.done("pay", PAY, policies=over())
    notebook.step("refund", REFUND, policies=UNDO)
    notebook.session.undo()
    wait_for(lambda: len(diary(notebook).lines) == 6)
    assert notebook.done("pay", PAY, policies=over()) is None
    assert notebook.names["paid"] == PAID
    notebook.session.undo()
    wait_for(lambda: diary(notebook).lines == 2 * [*PAID, *REFUNDED])


def test_one_that_fails_holds_the_older_ones_and_mended_goes_on(notebook: Notebook) -> None:
    """Those that were undone are not undone again, by a cell with other code either."""
    notebook.done("pay", PAY, policies=over())
    notebook.step("refund", REFUND, policies=UNDO)
    diary(notebook).refused = REFUNDED[1]
    notebook.session.undo()
    wait_for(lambda: notebook.view("refund").phase is Phase.FAILED)
    assert diary(notebook).lines == [*PAID, REFUNDED[0]]
    assert notebook.view("pay").phase is Phase.UNDONE
    again = notebook.restarted()
    again.names.update(diary=Diary(), people=["ann", "bob", "cy"])
    again.step("refund", f"{REFUND}; 1", policies=UNDO)
    again.session.ask(["refund"], by="cell")
    wait_for(lambda: diary(again).lines == REFUNDED[1:])
    wait_for(lambda: again.view("refund").phase is Phase.COMPLETED)
    again.session.close()


def test_a_retry_is_waited_for(notebook: Notebook) -> None:
    """Nothing older overtakes it."""
    notebook.done("pay", PAY, policies=over())
    source = f"""
import stepwell
if who == 'cy' and stepwell.current().attempt == 1:
    raise ConnectionError
{REFUND}
"""
    again = Retry(retries=1, backoff=0.05)
    notebook.step("refund", source, policies=Policies(undo_of="pay", retry=again))
    notebook.session.undo()
    wait_for(lambda: diary(notebook).lines == [*PAID, *REFUNDED])


def test_an_element_that_has_left_the_list_is_undone_by_what_was_written(
    notebook: Notebook,
) -> None:
    """Where the code asks for the element itself, it says that there is none."""
    notebook.done("pay", PAY, policies=over())
    notebook.names["people"] = ["ann", "bob"]
    notebook.done("pay", PAY, policies=over())
    notebook.step("refund", "diary.write(f'refund {paid}')", policies=UNDO)
    notebook.session.undo()
    wait_for(lambda: len(diary(notebook).lines) == 6)
    assert diary(notebook).lines[3:] == [f"refund {it}" for it in reversed(PAID)]
    notebook.done("pay", PAY, policies=over())
    notebook.names["people"] = ["ann"]
    notebook.step("refund", REFUND, policies=UNDO)
    notebook.session.undo()
    wait_for(lambda: notebook.view("refund").phase is Phase.FAILED)
    error = notebook.view("refund").error
    assert error is not None
    assert "Let 'pay' write what undoing it takes" in error.message


def test_a_cell_that_undoes_may_be_mapped_itself_over_a_plain_step(notebook: Notebook) -> None:
    """Each element once; over a mapped step that makes no sense and is said at once."""
    notebook.done("book", "booked = [diary.write(f'book {it}') for it in people]")
    each = MapOver(item="it", source="booked", max_parallel=1)
    notebook.step("unbook", "diary.write('un' + it)", policies=Policies(undo_of="book", map=each))
    notebook.session.undo()
    booked = ["book ann", "book bob", "book cy"]
    wait_for(lambda: diary(notebook).lines == [*booked, *(f"un{it}" for it in booked)])
    notebook.done("pay", PAY, policies=over())
    with pytest.raises(InvalidStep, match="Leave --map out"):
        notebook.step("refund", "it", policies=Policies(undo_of="pay", map=each))
    with pytest.raises(InvalidStep, match="Leave --map out"):
        notebook.step("book", "booked = who", policies=over())


def test_what_was_skipped_is_not_undone_and_an_undoing_may_be_skipped(notebook: Notebook) -> None:
    """The condition is asked when it is undone."""
    notebook.names["cheap"] = True
    notebook.done("a", "a = 1", policies=Policies(when="not cheap"))
    notebook.step("undo_a", "diary.write('a')", policies=Policies(undo_of="a"))
    notebook.done("b", "b = diary.write('b')")
    notebook.step("undo_b", "diary.write('no b')", policies=Policies(undo_of="b", when="not cheap"))
    notebook.session.undo()
    wait_for(lambda: notebook.view("b").phase is Phase.UNDONE)
    assert notebook.view("a").phase is Phase.SKIPPED
    assert diary(notebook).lines == ["b"]


def cut_off(notebook: Notebook, name: str) -> Notebook:
    """The notebook after its process died in an attempt at the step."""
    engine = notebook.session.engine
    step = engine.state.steps[name]
    started = AttemptStarted("key", engine.state.flow[name].digest, {}, step.environment)
    attempt = step.attempts + 1
    engine.orchestrator.call(
        lambda: engine.orchestrator.record(engine.run, started, step=name, attempt=attempt)
    )
    again = notebook.restarted()
    again.names.update(diary=Diary(), people=["ann", "bob", "cy"])
    return again


@pytest.mark.parametrize("word", ["answer", "reject"])
def test_a_step_that_may_have_happened_is_undone_if_it_has(notebook: Notebook, word: str) -> None:
    """Whoever undoes is held until somebody has said; then it runs, or need not."""
    notebook.done("a", "a = diary.write('a')")
    notebook.session.pause()
    notebook.step("b", "b = diary.write('b')", policies=Policies(once=True))
    for name in "ab":
        source = f"diary.write('no {name}')"
        notebook.step(f"undo_{name}", source, policies=Policies(undo_of=name))
    again = cut_off(notebook, "b")
    again.session.go_on()
    again.session.cancel()
    again.session.undo()
    wait_for(lambda: "may have happened" in again.view("undo_b").held)
    assert diary(again).lines == []
    assert again.session.state.settled == ""
    again.session.decide("b", word, *(["b"] if word == "answer" else []))
    lines = ["no b", "no a"] if word == "answer" else ["no a"]
    wait_for(lambda: again.view("a").phase is Phase.UNDONE)
    assert diary(again).lines == lines
    wait_for(lambda: again.session.state.settled != "")
    again.session.close()


def test_an_undoing_that_may_have_happened_asks(notebook: Notebook) -> None:
    """With `--once`: it happened, so it is undone, and is not undone again."""
    notebook.done("a", "a = diary.write('a')")
    notebook.session.pause()
    once = Policies(undo_of="a", once=True)
    notebook.step("undo_a", "diary.write('no a')", policies=once)
    notebook.session.undo()
    again = cut_off(notebook, "undo_a")
    again.session.go_on()
    again.session.ask(["undo_a"], by="resume")
    (question,) = again.session.inbox()
    again.session.decide(question.id, "answer")
    wait_for(lambda: again.view("a").phase is Phase.UNDONE)
    assert diary(again).lines == []
    again.session.close()


def test_a_fork_does_not_begin_with_what_was_undone(notebook: Notebook) -> None:
    """It is not done there either: neither a step nor an item."""
    notebook.done("a", "a = diary.write('a')")
    notebook.step("undo_a", "diary.write('no a')", policies=Policies(undo_of="a"))
    notebook.done("pay", PAY, policies=over())
    notebook.step("refund", REFUND, policies=UNDO)
    diary(notebook).refused = REFUNDED[1]
    notebook.session.undo()
    wait_for(lambda: notebook.view("refund").phase is Phase.FAILED)
    SessionNotebook(notebook.session, None).fork("current")
    assert notebook.view("a").phase is Phase.COMPLETED
    assert notebook.view("pay").phase is not Phase.COMPLETED
    notebook.done("pay", PAY, policies=over())
    assert diary(notebook).lines[-1] == PAID[2]
    assert diary(notebook).lines.count(PAID[0]) == 1
