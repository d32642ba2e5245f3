"""What somebody who waits is told when only a person can bring the wait to its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from controlled import wait_for
from sessions import Notebook

import stepwell
from stepwell.errors import InvalidStep, NeedsPerson, StepFailed
from stepwell.flow import Approve, MapOver, Policies
from stepwell.store import MemoryStore


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook that can ask."""
    made = Notebook(tmp_path, MemoryStore())
    made.names["stepwell"] = stepwell
    yield made
    made.session.close()


def open_questions(notebook: Notebook, count: int = 1) -> list[str]:
    """The questions that are open, once there are so many."""
    wait_for(lambda: len(notebook.session.inbox()) == count)
    return [each.asked.question for each in notebook.session.inbox()]


def test_a_wait_says_at_once_that_a_person_is_needed(notebook: Notebook) -> None:
    """It names the step, the question and what to type, and does not wait in vain."""
    notebook.step("a", 'a = await stepwell.approve("Publish?", 1)')
    notebook.step("b", "b = a + 1")
    with pytest.raises(NeedsPerson, match=r"step 'b' needs a person: Publish\? Answer with"):
        notebook.session.wait(["b"], timeout=10)
    with pytest.raises(NeedsPerson, match=r"%stepwell approve a \(or reject a\)"):
        notebook.session.wait_for_names(["a"])
    notebook.session.decide("a")
    notebook.session.wait(["b"], timeout=10)
    assert notebook.names["b"] == 2


def test_waiting_for_everything_lets_others_come_to_their_end_first(notebook: Notebook) -> None:
    """What does not wait for a person is done when the person is called for."""
    notebook.step("a", 'a = await stepwell.ask("Which?", int)')
    notebook.step("c", "await stepwell.sleep(0.1)\nc = 3")
    with pytest.raises(NeedsPerson, match="respond a ANSWER"):
        notebook.session.wait(timeout=10)
    assert notebook.names["c"] == 3


def gate(text: str = "", **more: object) -> Policies:
    """Ask before the code."""
    return Policies(approve=Approve(text=text, **more))  # type: ignore[arg-type]


def test_a_step_is_asked_about_before_its_code_runs(notebook: Notebook) -> None:
    """The question names its inputs, as text and nothing else; the code has not run yet."""
    ran: list[str] = []
    notebook.names["ran"] = ran.append
    notebook.done("title", 'title = "Heat {pumps} {title.__class__}"')
    notebook.step("a", 'a = title\nran("a")', policies=gate("Publish {title}?"))
    assert open_questions(notebook) == ["Publish Heat {pumps} {title.__class__}?"]
    assert ran == []
    notebook.session.decide("a")
    notebook.session.wait(["a"], timeout=10)
    assert ran == ["a"]


def test_an_edit_is_what_the_code_runs_with_and_the_result_is_reused(notebook: Notebook) -> None:
    """The decision belongs to the inputs it was made about: with these it is not asked again."""
    notebook.done("t", "t = 1")
    policies = gate("Go?", edit=("t",))
    notebook.step("a", "a = t * 10", policies=policies)
    open_questions(notebook)
    notebook.session.decide("a", value={"t": 7})
    notebook.session.wait(["a"], timeout=10)
    assert notebook.names["a"] == 70
    assert notebook.names["t"] == 1
    assert notebook.done("a", "a = t * 10", policies=policies) == 70
    assert notebook.view("a").attempt == 1
    notebook.done("t", "t = 2")
    notebook.step("a", "a = t * 10", policies=policies)
    open_questions(notebook)
    notebook.session.decide("a")
    notebook.session.wait(["a"], timeout=10)
    assert notebook.names["a"] == 20


def test_a_decision_holds_until_the_work_is_done_and_not_beyond(notebook: Notebook) -> None:
    """A failed attempt that is mended is not asked about again; a further execution is."""
    policies = gate("Go?")
    notebook.step("a", "a = 1 / 0", policies=policies)
    open_questions(notebook)
    notebook.session.decide("a")
    with pytest.raises(StepFailed):
        notebook.session.wait(["a"], timeout=10)
    assert notebook.done("a", "a = 1", policies=policies) == 1
    notebook.step("a", "a = 2", policies=policies)
    assert open_questions(notebook) == ["Go?"]


def test_a_rejected_step_has_not_run(notebook: Notebook) -> None:
    """It fails with the reason, and what reads from it waits."""
    notebook.step("a", "a = 1", policies=gate())
    assert open_questions(notebook) == ["Run step 'a'?"]
    notebook.session.decide("a", "reject", reason="not yet")
    with pytest.raises(StepFailed, match=r"rejected by .*: not yet"):
        notebook.session.wait(["a"], timeout=10)
    assert "a" not in notebook.names


def test_a_mapped_step_asks_once_or_for_each_element(notebook: Notebook) -> None:
    """Once before its items are known; for each where the question is about an element."""
    notebook.names["mails"] = ["x", "y"]
    over = MapOver(item="mail", source="mails")
    notebook.step("a", "a = mail", policies=Policies(map=over, approve=Approve(text="Send all?")))
    assert open_questions(notebook) == ["Send all?"]
    notebook.session.decide("a")
    notebook.session.wait(["a"], timeout=10)
    one = Approve(text="Send {mail}?", edit=("mail",))
    notebook.step("b", "b = mail", policies=Policies(map=over, approve=one))
    assert sorted(open_questions(notebook, 2)) == ["Send x?", "Send y?"]
    for question in notebook.session.inbox():
        value = {"mail": "z"} if question.asked.question == "Send x?" else stepwell_absent()
        notebook.session.decide(question.id, value=value)
    notebook.session.wait(["b"], timeout=10)
    assert notebook.names["b"] == ["z", "y"]


def stepwell_absent() -> object:
    """No value."""
    from stepwell.session import ABSENT

    return ABSENT


@pytest.mark.parametrize(
    ("approve", "says"),
    [
        (Approve(edit=("u",)), "--edit names 'u', which the code does not read"),
        (Approve(text="{a}?"), "its question names 'a', which it has not made yet"),
    ],
)
def test_a_question_about_what_is_not_there_is_refused(
    notebook: Notebook, approve: Approve, says: str
) -> None:
    """When the step is defined."""
    with pytest.raises(InvalidStep, match=says):
        notebook.step("a", "a = t", policies=Policies(approve=approve))


def test_the_plan_says_that_a_person_is_needed(notebook: Notebook) -> None:
    """What is asked, and what is going to be."""
    notebook.step("a", "a = 1", policies=gate("Publish?"))
    notebook.step("b", "b = 1", policies=gate("Send?"), defer=True)
    open_questions(notebook)
    said = repr(planned(notebook))
    assert "asks: Publish?" in said
    assert "will ask: Send?" in said
    assert "2 in need of a person" in said


def planned(notebook: Notebook) -> object:
    """`%stepwell plan`."""
    from stepwell.session import _planning as planning

    return planning.plan(notebook.session)
