"""`--once` on a mapped step: an item's attempt that may have happened is not repeated by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from controlled import wait_for
from sessions import Notebook

from stepwell.errors import InvalidUsage, NeedsPerson, StepFailed
from stepwell.flow import MapOver, Policies
from stepwell.orchestrator import AttemptStarted, ItemsExpanded, Phase, State
from stepwell.session import Question
from stepwell.store import MemoryStore

ONCE = Policies(once=True, map=MapOver(item="who", source="people"))
SOURCE = "paid = pay(who)"
PEOPLE = ("Ann", "Bob", "Cy Dee")


def begin(notebook: Notebook) -> None:
    """What every process knows, and the mapped step."""
    notebook.names["people"] = list(PEOPLE)
    notebook.names["pay"] = str.upper
    notebook.step("pay", SOURCE, policies=ONCE)


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """One whose process died while it paid two of three people, opened again."""
    before = Notebook(tmp_path, MemoryStore())
    before.session.pause()
    begin(before)
    engine = before.session.engine
    step = engine.state.steps["pay"]
    digest = before.session.engine.values.digest

    def cut_off() -> None:
        record, run = engine.orchestrator.record, engine.run
        started = AttemptStarted("key", engine.state.flow["pay"].digest, {}, step.environment)
        record(run, started, step="pay", attempt=1)
        environment = engine.surroundings.environment_without(step.environment, ["people"])
        items = tuple((who, digest(who)) for who in PEOPLE)
        record(run, ItemsExpanded(items, environment), step="pay", attempt=1)
        for who in PEOPLE[:2]:
            record(run, AttemptStarted(f"key {who}"), step="pay", item=who, attempt=1)

    engine.orchestrator.call(cut_off)
    made = before.restarted()
    made.session.go_on()
    begin(made)
    yield made
    made.session.close()


def questions(notebook: Notebook) -> dict[str, Question]:
    """Those that are open, by item."""
    return {each.approval.item: each for each in notebook.session.inbox()}


def attempts(notebook: Notebook) -> dict[str, int]:
    """How often each item was tried."""

    def look(state: State) -> dict[str, int]:
        items = state.steps["pay"].items
        assert items is not None
        return {key: items.by_key[key].attempts for key in items.order}

    return look(notebook.session.state)


def test_the_items_that_may_have_happened_ask_and_the_others_go_on(notebook: Notebook) -> None:
    """By name, in the inbox and on the card; who waits is told that a person is needed."""
    asked = questions(notebook)
    assert [*asked] == ["Ann", "Bob"]
    assert "Attempt 1 at 'pay[Ann]' was cut off" in asked["Ann"].asked.question
    wait_for(lambda: (it := notebook.view("pay").items) is not None and it.done == 1)
    view = notebook.view("pay")
    assert (view.phase, view.questions) == (Phase.RUNNING, 2)
    wait_for(lambda: notebook.pane.says("pay[Ann]", "asks"))
    with pytest.raises(NeedsPerson):
        notebook.session.wait(["pay"], timeout=None)
    assert attempts(notebook) == {"Ann": 1, "Bob": 1, "Cy Dee": 1}


def test_each_is_answered_by_its_name(notebook: Notebook) -> None:
    """It happened with this result; run it again. Then the step is done."""
    with pytest.raises(InvalidUsage, match=r"pay\[Ann\]"):
        notebook.session.decide("pay", "answer", "receipt")
    notebook.session.decide("pay[Ann]", "answer", "receipt 7")
    notebook.session.decide("pay[Bob]", "approve")
    notebook.session.wait(["pay"], timeout=20)
    assert notebook.names["paid"] == ["receipt 7", "BOB", "CY DEE"]
    assert attempts(notebook) == {"Ann": 1, "Bob": 2, "Cy Dee": 1}


def test_one_that_failed_fails_the_step_and_is_tried_when_somebody_asks(
    notebook: Notebook,
) -> None:
    """And not before, whatever else goes on."""
    notebook.session.decide("pay[Ann]", "reject", reason="card refused")
    with pytest.raises(StepFailed, match="card refused"):
        notebook.session.wait(["pay"], timeout=20)
    assert [*questions(notebook)] == ["Bob"]
    notebook.session.decide("pay[Bob]", "answer", "receipt 8")
    notebook.session.rerun_failed(["pay"], ())
    notebook.session.wait(["pay"], timeout=20)
    assert notebook.names["paid"] == ["ANN", "receipt 8", "CY DEE"]


def test_answers_given_while_nothing_runs_are_found_by_the_next_process(
    tmp_path: Path, notebook: Notebook
) -> None:
    """Also the one that it failed: going on after a crash does not try it again."""
    notebook.session.pause()
    again = notebook.restarted()
    again.session.decide("pay[Ann]", "reject", reason="no")
    again.session.decide("pay[Bob]", "answer", "receipt 9")
    third = again.restarted()
    begin_by_resume(third)
    with pytest.raises(StepFailed, match=r"Ann: InDoubt.*: no"):
        third.session.wait(["pay"], timeout=20)
    assert attempts(third)["Ann"] == attempts(third)["Bob"] == 1
    begin(third)
    third.session.wait(["pay"], timeout=20)
    assert third.names["paid"] == ["ANN", "receipt 9", "CY DEE"]
    third.session.close()


def begin_by_resume(notebook: Notebook) -> None:
    """As `%stepwell resume` does: what was cut off goes on."""
    notebook.names["people"] = list(PEOPLE)
    notebook.names["pay"] = str.upper
    notebook.session.go_on()
    notebook.session.ask(["pay"], by="resume")


def test_an_item_in_doubt_is_held_although_all_are_to_run_again(notebook: Notebook) -> None:
    """Nobody has said what came of it."""
    wait_for(lambda: (it := notebook.view("pay").items) is not None and it.done == 1)
    notebook.session.cancel()
    notebook.session.rerun(["pay"])
    wait_for(lambda: attempts(notebook)["Cy Dee"] == 2)
    assert attempts(notebook) == {"Ann": 1, "Bob": 1, "Cy Dee": 2}
    assert [*questions(notebook)] == ["Ann", "Bob"]
