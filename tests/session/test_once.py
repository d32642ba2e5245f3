"""`--once`: an attempt that may have happened is never repeated by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from controlled import wait_for
from sessions import Notebook

from stepwell.errors import InvalidAnswer, StepFailed
from stepwell.flow import Policies
from stepwell.orchestrator import AttemptStarted, Phase
from stepwell.store import MemoryStore

ONCE = Policies(once=True)
SOURCE = "paid = pay()"


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """One whose process died while it paid, opened again."""
    before = Notebook(tmp_path, MemoryStore())
    before.names["pay"] = _pay
    before.session.pause()
    before.step("pay", SOURCE, policies=ONCE)
    engine = before.session.engine
    step = engine.state.steps["pay"]
    started = AttemptStarted("key", engine.state.flow["pay"].digest, {}, step.environment)
    engine.orchestrator.call(
        lambda: engine.orchestrator.record(engine.run, started, step="pay", attempt=1)
    )
    made = before.restarted()
    made.names["pay"] = _pay
    made.session.go_on()
    made.step("pay", SOURCE, policies=ONCE)
    yield made
    made.session.close()


def _pay() -> str:
    return "again"


def question(notebook: Notebook) -> str:
    """The only one that is open."""
    (found,) = notebook.session.inbox()
    assert found.asked.form == "in_doubt"
    return found.id


def test_after_a_crash_the_run_asks_and_does_not_run_it(notebook: Notebook) -> None:
    """The question is in the inbox; the step is held, whatever is asked for."""
    assert question(notebook)
    notebook.session.rerun(["pay"])
    view = notebook.view("pay")
    assert (view.phase, view.attempt) == (Phase.WAITING, 1)
    assert "may have happened" in view.held


def test_it_happened_with_this_result(notebook: Notebook) -> None:
    """Then it is done, and read by others; it was not run."""
    notebook.session.decide(question(notebook), "answer", "receipt 7")
    notebook.session.wait(["pay"], timeout=20)
    assert notebook.names["paid"] == "receipt 7"
    assert notebook.view("pay").attempt == 1
    assert notebook.done("thanks", "thanks = paid.upper()") == "RECEIPT 7"


def test_run_it_again(notebook: Notebook) -> None:
    """Somebody has looked and says that it did not happen."""
    notebook.session.decide(question(notebook), "approve")
    notebook.session.wait(["pay"], timeout=20)
    assert notebook.names["paid"] == "again"
    assert notebook.view("pay").attempt == 2


def test_it_failed(notebook: Notebook) -> None:
    """The step has failed; whoever mends it and runs it means it."""
    notebook.session.decide(question(notebook), "reject", reason="card refused")
    with pytest.raises(StepFailed, match="card refused"):
        notebook.session.wait(["pay"], timeout=20)
    assert notebook.done("pay", "pay = 1; paid = 2", policies=ONCE) == 1


def test_a_result_is_needed_for_what_the_step_writes(notebook: Notebook) -> None:
    """The question stays open."""
    with pytest.raises(InvalidAnswer, match="with which result: paid"):
        notebook.session.decide(question(notebook), "answer")
    assert question(notebook)


def test_the_question_is_still_there_after_another_restart(notebook: Notebook) -> None:
    """Once; it is not asked a second time."""
    first = question(notebook)
    again = notebook.restarted()
    again.names["pay"] = _pay
    assert question(again) == first
    again.step("pay", SOURCE, policies=ONCE)
    assert again.view("pay").phase is Phase.WAITING
    again.session.decide(first, "answer", 3)
    wait_for(lambda: again.names.get("paid") == 3)
    again.session.close()


def test_a_cancelled_run_still_does_not_know(notebook: Notebook) -> None:
    """The question outlives the wish."""
    first = question(notebook)
    notebook.session.cancel()
    assert question(notebook) == first
