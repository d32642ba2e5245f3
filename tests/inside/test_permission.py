"""Calls that a person is asked about before they are made."""

from typing import Any

import pytest
from controlled import wait_for
from effects import Effects, as_if_killed, durable_cells, fails, written
from sessions import Notebook

import stepwell
from stepwell.errors import InvalidUsage
from stepwell.session import Question

TOOLS = """
from stepwell.errors import ApprovalRejected

@stepwell.durable(approve=True)
async def send(to, text="hello"):
    effects.add((to, text))
    return f"sent to {to}"

@stepwell.durable(approve="Delete the file for good?")
def delete(path):
    effects.add(path)
    return "deleted"

@stepwell.durable(approve=lambda amount: amount > 100)
async def pay(amount):
    effects.add(amount)
    return amount

@stepwell.durable(approve=lambda amount: amount > 1 / 0)
async def odd(amount):
    effects.add(amount)
    return amount
"""


@pytest.fixture(autouse=True)
def tools(notebook: Notebook, effects: Effects) -> None:
    """Tools that are not to be used lightly."""
    durable_cells(notebook, effects, TOOLS)


def asked(notebook: Notebook, count: int = 1) -> list[Question]:
    """The open questions, once there are so many."""
    wait_for(lambda: len(notebook.session.inbox()) == count)
    return notebook.session.inbox()


def decide(
    notebook: Notebook, decision: str, question: Question | None = None, **more: Any
) -> None:
    """A person decides."""
    (found,) = asked(notebook) if question is None else (question,)
    notebook.session.decide(found.asked.approval, decision, by="ada", channel="python", **more)  # type: ignore[arg-type]


def done(notebook: Notebook) -> Any:
    """The step's output."""
    notebook.session.wait(["a"], timeout=20)
    return notebook.names["a"]


def test_a_person_sees_the_call_with_all_its_arguments(
    notebook: Notebook, effects: Effects
) -> None:
    """And it is made when they have said yes, once; remembered with the decision."""
    notebook.step("a", "a = await send('bob')")
    (question,) = asked(notebook)
    assert question.asked.question == "Call send?"
    assert notebook.session.engine.values.load(question.asked.payload.digest) == {  # type: ignore[union-attr]
        "to": "bob",
        "text": "hello",
    }
    assert effects.take() == []
    decide(notebook, "approve")
    assert done(notebook) == "sent to bob"
    notebook.done("a", "a = await send('bob')\nb = 1")
    assert effects.take() == [("bob", "hello")]


def test_a_refused_call_is_not_made_and_says_why(notebook: Notebook, effects: Effects) -> None:
    """The code that calls can hand the reason to the model, and go on."""
    source = (
        "try: a = await send('eve')\n"
        "except ApprovalRejected as error: a = f'refused: {error.reason}'\n"
    )
    notebook.step("a", source)
    decide(notebook, "reject", reason="we do not know eve")
    assert "we do not know eve" in done(notebook)
    assert effects.take() == []
    assert written(notebook, "call_completed", "call_failed") == []


def test_changed_arguments_are_what_is_called(notebook: Notebook, effects: Effects) -> None:
    """The call is known by what was asked for, so that the change is remembered, too."""
    notebook.step("a", "a = await send('bob', 'you fool')")
    decide(notebook, "edit", value={"text": "dear Bob"})
    assert done(notebook) == "sent to bob"
    assert effects.take() == [("bob", "dear Bob")]
    notebook.done("a", "a = await send('bob', 'you fool')\nb = 1")
    assert effects.take() == []


def test_a_rule_says_whether_to_ask(notebook: Notebook, effects: Effects) -> None:
    """A small sum goes through, a large one does not."""
    notebook.step("a", "a = [await pay(5), await pay(500)]")
    assert asked(notebook)[0].asked.question == "Call pay?"
    assert effects.take() == [5]
    decide(notebook, "approve")
    assert done(notebook) == [5, 500]


def test_a_rule_that_fails_asks(notebook: Notebook, effects: Effects) -> None:
    """What nobody could tell is not let through."""
    notebook.step("a", "a = await odd(1)")
    assert "ZeroDivisionError" in asked(notebook)[0].asked.question
    assert effects.take() == []
    decide(notebook, "approve")
    assert done(notebook) == 1


def test_always_holds_for_all_calls_of_the_tool_in_the_run(
    notebook: Notebook, effects: Effects
) -> None:
    """Decided once; other tools are asked about all the same."""
    notebook.step("a", "a = [await send(to) for to in 'abc']")
    decide(notebook, "approve", always=True)
    assert done(notebook) == ["sent to a", "sent to b", "sent to c"]
    notebook.step("b", "b = await pay(500)")
    assert asked(notebook)[0].asked.tool == "pay"


def test_approvals_in_a_loop_run_the_body_n_times(notebook: Notebook, effects: Effects) -> None:
    """N rounds, N effects: not one more for each question before."""
    notebook.step("a", "a = []\nfor n in range(200, 206): a.append(await pay(n))")
    for n in range(200, 206):
        wait_for(lambda n=n: len(effects.all) == n - 200 and len(notebook.session.inbox()) == 1)
        decide(notebook, "approve")
    assert done(notebook) == list(range(200, 206))
    assert effects.take() == list(range(200, 206))


def test_several_questions_at_once(notebook: Notebook) -> None:
    """Each is decided by itself, in any order."""
    notebook.step("a", "a = await asyncio.gather(send('x'), send('y'), send('x'))")
    for question in reversed(asked(notebook, 3)):
        decide(notebook, "approve", question)
    assert done(notebook) == ["sent to x", "sent to y", "sent to x"]


def test_the_question_survives_the_process(notebook: Notebook, effects: Effects) -> None:
    """It is the same one, and is answered after the restart."""
    notebook.step("a", "a = delete('/x')")
    (before,) = asked(notebook)
    assert before.asked.question == "Delete the file for good?"
    again = as_if_killed(notebook, effects, TOOLS)
    again.step("a", "a = delete('/x')")
    (after,) = asked(again)
    assert after.asked.approval == before.asked.approval
    decide(again, "approve")
    assert done(again) == "deleted"
    assert effects.take() == ["/x"]
    notebook.session.cancel(["a"])
    again.session.close()


def test_code_that_awaits_is_not_stopped_by_a_question(notebook: Notebook) -> None:
    """A function without `await` says how to call it there; through `call` it may be asked."""
    assert "await stepwell.call(delete" in fails(
        notebook, "a", "await asyncio.sleep(0)\ndelete('/')"
    )
    notebook.step("a", "a = await stepwell.call(delete, '/y')")
    decide(notebook, "approve")
    assert done(notebook) == "deleted"


def test_outside_of_steps_nobody_is_asked(notebook: Notebook) -> None:
    """The function is just the function."""
    assert notebook.names["delete"]("/z") == "deleted"


def test_a_rule_that_awaits_is_refused() -> None:
    """Where the function is decorated."""

    async def rule(amount: int) -> bool:
        return True

    with pytest.raises(InvalidUsage, match="without `await`"):
        stepwell.durable(approve=rule)
