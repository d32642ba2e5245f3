"""What a step awaits, in code that does not await."""

from typing import Any

import pytest
from controlled import wait_for
from effects import Effects, fails, written
from sessions import Notebook

import stepwell
from stepwell.errors import InvalidUsage
from stepwell.orchestrator import Phase


@pytest.fixture(autouse=True)
def tools(notebook: Notebook) -> None:
    """The package is imported, as in any notebook."""
    notebook.names["stepwell"] = stepwell


def decide(notebook: Notebook, question: str, *answer: Any) -> None:
    """Decide the question once it is open."""
    session = notebook.session
    wait_for(lambda: [it.asked.question for it in session.inbox()] == [question])
    session.decide("a", *answer)


def test_a_step_without_await_asks_and_is_answered_once(
    notebook: Notebook, effects: Effects
) -> None:
    """Helper functions too; what was decided is remembered when the step runs again."""
    exec(
        "def title():\n"
        "    effects.add('asked')\n"
        "    return stepwell.blocking.ask('Which title?', str)\n",
        notebook.names,
    )
    source = "a = title()\na = stepwell.blocking.approve('Publish?', a, edit=True)\n"
    notebook.step("a", source + "raise ValueError")
    decide(notebook, "Which title?", "answer", "Pumps")
    decide(notebook, "Publish?", "approve", "PUMPS")
    wait_for(lambda: notebook.view("a").phase is Phase.FAILED)
    assert notebook.done("a", source) == "PUMPS"
    assert effects.take() == ["asked", "asked"]


def test_a_refusal_is_raised(notebook: Notebook) -> None:
    """As it is in code that awaits."""
    notebook.step("a", "stepwell.blocking.approve('Go?')\na = 1")
    decide(notebook, "Go?", "reject", stepwell.inside.ABSENT, "no")
    wait_for(lambda: notebook.view("a").phase is Phase.FAILED)
    assert "ApprovalRejected" in str(notebook.view("a").error)


def test_time_and_messages_are_waited_for(notebook: Notebook) -> None:
    """A message that was sent by a step without `await` is sent when `send` returns."""
    notebook.step(
        "a",
        "stepwell.blocking.sleep(0.01)\n"
        "a = [stepwell.blocking.receive('news', int), stepwell.blocking.receive('news')]\n"
        "try: stepwell.blocking.receive('news', timeout='10ms')\n"
        "except TimeoutError: a.append('late')",
    )
    notebook.done("b", "for n in (1, 2): stepwell.send(stepwell.current().run, 'news', n)\nb = 1")
    notebook.session.wait(["a"], timeout=60)
    assert notebook.names["a"] == [1, 2, "late"]


def test_a_call_is_made_from_code_without_await(notebook: Notebook, effects: Effects) -> None:
    """Of a function that awaits, too: it is remembered like any other."""
    source = "a = [stepwell.blocking.call(ask, 'x'), stepwell.blocking.call(look, 'y')['word']]\n"
    fails(notebook, "a", source + "raise ValueError")
    assert effects.take() == ["x", "y"]
    assert notebook.done("a", source) == ["X", "y"]
    assert effects.take() == []


def test_an_agent_is_called_by_it(notebook: Notebook) -> None:
    """An agent remembers its calls itself; nothing is remembered twice."""
    notebook.session.define_agent("double(n: int) -> m", max_depth=3)
    notebook.step("twice", "m = 2 * n", flow="double")
    assert notebook.done("a", "a = stepwell.blocking.call(double, 4)") == 8
    assert notebook.done("b", "b = await stepwell.call(double, n=5)") == 10
    assert written(notebook, "call_completed") == []


@pytest.mark.parametrize(
    "what", ["approve('Go?')", "ask('What?')", "sleep(1)", "receive('x')", "call(look, 'x')"]
)
def test_it_does_not_stop_what_else_runs(notebook: Notebook, what: str) -> None:
    """On a loop's thread it is refused, and says how it is written there."""
    source = f"def helper(): stepwell.blocking.{what}\nawait asyncio.sleep(0)\nhelper()\na = 1"
    said = fails(notebook, "a", source)
    assert "InvalidUsage" in said
    assert f"await stepwell.{what.partition('(')[0]}(…)" in said


@pytest.mark.parametrize("what", ["approve('Go?')", "ask('What?')", "sleep(1)", "receive('x')"])
def test_nobody_goes_on_unasked_for_want_of_an_await(notebook: Notebook, what: str) -> None:
    """What would only make a coroutine is refused where nobody can await it."""
    said = fails(notebook, "a", f"stepwell.{what}\na = 1")
    assert f"stepwell.blocking.{what.partition('(')[0]}(…)" in said


def test_outside_of_steps_nobody_is_asked() -> None:
    """There is no run that could remember it."""
    with pytest.raises(InvalidUsage, match=r"stepwell.blocking.ask\(\) has a meaning only inside"):
        stepwell.blocking.ask("What?")
    assert stepwell.blocking.call(len, "abc") == 3


def test_code_that_awaits_is_cancelled_and_does_not_go_on(
    notebook: Notebook, effects: Effects
) -> None:
    """A handler of errors does not take it for an answer that could not be had."""
    source = (
        "try:\n    a = await stepwell.ask('What?')\nexcept Exception:\n    effects.add('went on')"
    )
    for _ in range(5):
        notebook.step("a", source)
        wait_for(lambda: bool(notebook.session.inbox()))
        notebook.session.cancel(["a"])
        wait_for(lambda: not notebook.session.state.running)
    assert effects.take() == []


def test_who_waits_hears_that_the_step_was_cancelled(notebook: Notebook) -> None:
    """The thread is free again."""
    notebook.step("a", "stepwell.blocking.approve('Go?')\na = 1")
    wait_for(lambda: bool(notebook.session.inbox()))
    notebook.session.cancel(["a"])
    wait_for(lambda: notebook.view("a").phase is Phase.CANCELLED)
    wait_for(lambda: not notebook.session.state.running)
