"""What a run may consume: checked before a call, kept with the run, extended by a person."""

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from controlled import Heard, wait_for
from effects import Effects, as_if_killed, durable_cells, fails, written
from hypothesis import given
from hypothesis import strategies as st
from inside_bench import Bench
from sessions import Notebook

from stepwell.defining import step_from_cell
from stepwell.errors import BudgetExceeded, InvalidUsage, NeedsPerson, StepFailed
from stepwell.inside import Inside
from stepwell.inside._arguments import Identity
from stepwell.inside._conduct import conduct
from stepwell.inside._options import PLAIN
from stepwell.orchestrator import (
    Attempt,
    AttemptId,
    AttemptStarted,
    Budget,
    BudgetSet,
    CallCompleted,
    Reserve,
    Spent,
    State,
    StepsDefined,
    Usage,
    apply,
    exceeded,
    run_view,
)
from stepwell.orchestrator._purse import Purse
from stepwell.session._budgets import budget_report, lift_budget, set_budget
from stepwell.testing import VirtualClock

MODEL = """
@stepwell.durable(max_cost=1.0, max_tokens=100)
async def ask(question):
    effects.add(question)
    await asyncio.sleep(0)
    stepwell.usage(input_tokens=40, output_tokens=20, cost=0.5)
    return question.upper()

@stepwell.durable(max_cost=1.0, retries=3, backoff=0.001)
async def flaky(question):
    effects.add(question)
    if len(effects.all) < 3:
        raise ConnectionError
    stepwell.cost(0.5)
    return question

@stepwell.durable
def plain(n):
    effects.add(n)
    return n
"""


@pytest.fixture(autouse=True)
def tools(notebook: Notebook, effects: Effects) -> None:
    """A model that says what it costs."""
    durable_cells(notebook, effects, MODEL)


def question(notebook: Notebook) -> str:
    """The open question about the budget; empty if there is none."""
    state = notebook.session.state
    return next((state.approvals[name].request.question for name in state.pending), "")


def decide(notebook: Notebook, decision: str) -> None:
    """A person answers it."""
    (found,) = notebook.session.inbox()
    notebook.session.decide(found.asked.approval, decision, by="ada")


def parked(notebook: Notebook) -> str:
    """Wait until the run is parked; the question."""
    wait_for(lambda: question(notebook))
    return question(notebook)


def test_an_over_budget_call_is_refused_before_it_is_made(
    notebook: Notebook, effects: Effects
) -> None:
    """With its reserved maximum: two would fit by what they cost, but not by what they may."""
    notebook.session.state  # noqa: B018 - opens the store
    set_budget(notebook.session.engine, {"cost": 1.2})
    notebook.step("a", "a = [await ask(q) for q in ('x', 'y', 'z')]")
    said = parked(notebook)
    assert "0.5 of 1.2 is spent and it may cost 1" in said
    assert "'ask'" in said
    assert effects.take() == ["x"]
    decide(notebook, "reject")
    with pytest.raises(StepFailed, match=r"BudgetExceeded.*was not made"):
        notebook.session.wait(["a"], timeout=20)
    assert effects.take() == []


class Refusing(Heard):
    """A link whose answer is there before anybody has begun to wait for it."""

    def reserve(self, attempt: AttemptId, call: str, wanted: Reserve) -> Future[None]:
        """No."""
        answer: Future[None] = Future()
        answer.set_exception(BudgetExceeded(wanted.name, "nothing is left"))
        return answer


def test_a_refusal_that_comes_at_once_is_heard() -> None:
    """However fast the decision is, the call is not made."""
    definition = step_from_cell("a", "1", "1")
    attempt = Attempt(AttemptId("r", "a", 1), definition, "", {}, "", {})
    here = Inside(attempt, Refusing(), Bench().values)
    doing = conduct(here, Identity("f", "f:1", "", {}, {}), PLAIN)
    with pytest.raises(BudgetExceeded, match="nothing is left"):
        next(doing)


def test_approving_lets_the_run_go_on_with_as_much_again(
    notebook: Notebook, effects: Effects
) -> None:
    """The limit that was reached is raised, and no other."""
    set_budget(notebook.session.engine, {"calls": 2, "tokens": 1_000_000})
    notebook.step("a", "a = [plain(n) for n in range(5)]")
    assert "2 of 2 calls" in parked(notebook)
    assert effects.take() == [0, 1]
    decide(notebook, "approve")
    wait_for(lambda: "4 of 4 calls" in question(notebook))
    assert effects.take() == [2, 3]
    decide(notebook, "approve")
    notebook.session.wait(["a"], timeout=20)
    assert notebook.session.state.budget == Budget(calls=6, tokens=1_000_000)


def test_a_step_that_waits_for_a_budget_is_parked_like_any_that_waits_for_a_person(
    notebook: Notebook,
) -> None:
    """The question is the step's, takes no slot, and is asked once for all of its calls."""
    set_budget(notebook.session.engine, {"calls": 1})
    notebook.step("a", "a = await asyncio.gather(*[ask(n) for n in 'abc'])")
    parked(notebook)
    wait_for(lambda: notebook.session.state.parked == 1)
    (found,) = notebook.session.inbox()
    assert (found.asked.form, found.approval.step) == ("budget", "a")
    notebook.session.cancel(["a"])
    wait_for(lambda: not notebook.session.inbox())


def test_setting_a_higher_budget_answers_the_question(notebook: Notebook) -> None:
    """`%stepwell budget` is as good as approving."""
    set_budget(notebook.session.engine, {"calls": 1})
    notebook.step("a", "a = [plain(n) for n in range(3)]")
    parked(notebook)
    set_budget(notebook.session.engine, {"calls": 10})
    notebook.session.wait(["a"], timeout=20)
    assert question(notebook) == ""


def test_calls_at_once_cannot_break_a_limit_together(notebook: Notebook, effects: Effects) -> None:
    """What the others may consume is set aside."""
    set_budget(notebook.session.engine, {"calls": 3})
    notebook.step("a", "a = await asyncio.gather(*[ask(n) for n in 'abcdefgh'])")
    parked(notebook)
    wait_for(lambda: len(written(notebook, "call_completed")) == 3)
    assert len(effects.take()) == 3
    lift_budget(notebook.session.engine)
    notebook.session.wait(["a"], timeout=20)
    assert len(effects.take()) == 5


def test_a_retry_does_not_count_twice(notebook: Notebook, effects: Effects) -> None:
    """One call, one reserve, however often it is tried."""
    set_budget(notebook.session.engine, {"calls": 1, "cost": 1.0})
    notebook.done("a", "a = await flaky('x')")
    assert effects.take() == ["x", "x", "x"]
    view = run_view(notebook.session.state)
    assert (view.calls, view.cost) == (1, 0.5)


def test_what_is_answered_from_the_store_is_free(notebook: Notebook, effects: Effects) -> None:
    """The step runs again with nothing left in the budget."""
    set_budget(notebook.session.engine, {"calls": 2})
    fails(notebook, "a", "a = [plain(1), plain(2)]\nraise ValueError")
    notebook.done("a", "a = [plain(1), plain(2)]")
    assert effects.take() == [1, 2]


def test_a_budget_survives_the_process(notebook: Notebook, effects: Effects) -> None:
    """Limits and what was spent are found again; so is the question."""
    set_budget(notebook.session.engine, {"calls": 1})
    notebook.step("a", "a = [plain(1), plain(2)]")
    parked(notebook)
    again = as_if_killed(notebook, effects, MODEL)
    notebook.session.cancel(["a"])
    effects.take()
    again.step("a", "a = [plain(1), plain(2)]")
    assert "1 of 1 calls" in parked(again)
    wait_for(lambda: again.session.state.running)
    decide(again, "approve")
    again.session.wait(["a"], timeout=20)
    assert effects.take() == [2]
    again.session.close()


def test_the_views_say_what_was_consumed(notebook: Notebook) -> None:
    """By step and by run; and the report, what is left."""
    set_budget(notebook.session.engine, {"cost": 2.0})
    notebook.done("a", "a = await ask('x'); stepwell.cost(0.25)")
    step, run = notebook.view("a"), run_view(notebook.session.state)
    assert (step.calls, step.tokens, step.cost) == (1, 60, 0.75)
    assert (run.calls, run.tokens, run.cost) == (1, 60, 0.75)
    said = str(budget_report(notebook.session.engine))
    assert "0.75" in said
    assert "no limit" in said


def test_a_limit_that_cannot_be_meant_is_refused(notebook: Notebook) -> None:
    """With its name."""
    with pytest.raises(InvalidUsage, match="budget of -1 calls"):
        set_budget(notebook.session.engine, {"calls": -1})
    with pytest.raises(InvalidUsage, match="'money'"):
        set_budget(notebook.session.engine, {"money": 1})


def test_time_is_counted_from_when_the_budget_was_set(notebook: Notebook) -> None:
    """No call is made after it."""
    set_budget(notebook.session.engine, {"seconds": 0.0})
    notebook.step("a", "a = plain(1)")
    assert "0 s are over" in parked(notebook)
    set_budget(notebook.session.engine, {"seconds": 60})
    notebook.session.wait(["a"], timeout=20)


@given(
    st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=30),
    st.floats(0, 10),
    st.floats(2, 3),
)
def test_no_more_is_spent_than_the_budget(
    calls: list[tuple[float, bool]], limit: float, most: float
) -> None:
    """Whatever calls cost, up to the most they may: let through only while all of that fits."""
    spent, budget = Spent(), Budget(cost=limit)
    for cost, is_call in calls:
        if not dict(exceeded(budget, spent.total({}), Reserve("f", cost=most), 0.0)):
            spent.add(Usage(cost=cost), is_call=is_call)
    assert spent.cost <= limit + 1e-6


def test_children_share_the_budget() -> None:
    """What runs below have spent counts: while they run as it stands, afterwards as it was."""
    parent, child, grandchild = Spent(), Spent(), Spent()
    parent.add(Usage(cost=1), is_call=True)
    child.add(Usage(1, 2), is_call=True)
    grandchild.add(Usage(cost=0.5), is_call=True)
    parent.below["c"] = (0, 0, 0.0)
    child.below["g"] = (0, 0, 0.0)
    assert parent.total({"c": child, "g": grandchild}) == (3, 3, 1.5)
    parent.below["c"] = child.total({"g": grandchild})
    assert parent.total({}) == (3, 3, 1.5)


WAITING = "await asyncio.to_thread(effects.gate.wait, 20)"


def test_a_run_that_makes_no_calls_is_parked_when_its_time_is_over(
    notebook: Notebook, effects: Effects
) -> None:
    """What runs comes to its end; what reads it does not start before somebody allows it."""
    engine = notebook.session.engine
    notebook.step("a", f"{WAITING}\na = 1")
    wait_for(lambda: engine.state.running)
    set_budget(engine, {"seconds": 0.05})
    notebook.step("b", "effects.add('b')\nb = a + 1")
    assert "0.05 s are over. What runs comes to its end" in parked(notebook)
    effects.gate.set()
    notebook.session.wait(["a"], timeout=20)
    with pytest.raises(NeedsPerson, match=r"budget-.*-seconds"):
        notebook.session.wait(["b"], timeout=20)
    assert effects.take() == []
    set_budget(engine, {"seconds": 60})
    notebook.session.wait(["b"], timeout=20)
    assert question(notebook) == ""


def test_agents_share_their_callers_time(notebook: Notebook, effects: Effects) -> None:
    """Their next steps wait, too; approved, they go on for as long again."""
    session = notebook.session
    session.define_agent("worker(n: int) -> out", max_depth=3)
    notebook.step("one", f"{WAITING}\nhalf = n", flow="worker")
    notebook.step("two", "effects.add(half)\nout = half", flow="worker")
    notebook.step("a", "a = await asyncio.gather(worker(1), worker(2))")
    wait_for(lambda: len(session.engine.orchestrator.states()) == 3)
    set_budget(session.engine, {"seconds": 0.2})
    parked(notebook)
    effects.gate.set()
    runs = session.engine.orchestrator.states
    wait_for(lambda: not any(it.running for it in runs() if it.started and it.started.flow))
    assert effects.take() == []
    notebook.session.desk.decide(session.inbox()[0].id, "approve")
    session.wait(["a"], timeout=20)
    assert sorted(effects.take()) == [1, 2]
    assert session.state.budget == Budget(seconds=0.4)


def test_no_more_time_cancels_what_was_to_come(notebook: Notebook, effects: Effects) -> None:
    """What runs is kept; asked for again, the run asks again."""
    engine = notebook.session.engine
    notebook.step("a", f"{WAITING}\na = 1")
    wait_for(lambda: engine.state.running)
    set_budget(engine, {"seconds": 0.05})
    notebook.step("b", "b = a + 1")
    parked(notebook)
    decide(notebook, "reject")
    effects.gate.set()
    notebook.session.wait(["a"], timeout=20)
    wait_for(lambda: engine.state.settled == "cancelled")
    assert not engine.state.held
    notebook.step("b", "b = a + 1")
    parked(notebook)
    decide(notebook, "approve")
    notebook.session.wait(["b"], timeout=20)


def test_time_in_which_nothing_was_alive_does_not_count(
    notebook: Notebook, effects: Effects
) -> None:
    """A budget goes on where the last process has left it; so does the question about it."""
    set_budget(notebook.session.engine, {"seconds": 3600})
    notebook.done("a", "a = 1")
    state = notebook.session.state
    rest = event_of_rest(notebook)
    later = VirtualClock(datetime.now(UTC) + timedelta(days=2), auto=False)
    again = as_if_killed(notebook, effects, MODEL, clock=later)
    used = (later.now() - again.session.state.budget_since) / 1e6
    assert abs(used - (rest - state.budget_since) / 1e6) < 1
    again.done("b", "b = a + 1")
    assert not again.session.state.pending
    again.session.close()


def event_of_rest(notebook: Notebook) -> int:
    """When the last thing was written."""
    return max(row.at for row in notebook.session.engine.store.rows())


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(["ask", "end", "end"])), min_size=1, max_size=40
    ),
    st.floats(0.5, 10),
)
def test_calls_at_once_never_overshoot_what_they_set_aside(
    moves: list[tuple[float, str]], limit: float
) -> None:
    """Whatever begins and ends in whatever order: at most 1.0 each, never above the limit."""
    runs = Runs(Budget(cost=limit))
    for number, (cost, move) in enumerate(moves):
        if move == "ask":
            runs.ask(f"call{number}")
        else:
            runs.end(cost)
        assert runs.spent() <= limit + 1e-9
        assert runs.spent() + len(runs.under_way) * 1.0 <= limit + 1e-9
    while runs.under_way:
        runs.end(1.0)
    assert runs.spent() <= limit + 1e-9


class Runs:
    """One run with a budget, and its purse."""

    def __init__(self, budget: Budget) -> None:
        self.state = State("r")
        self.attempt = AttemptId("r", "a", 1)
        self.under_way: list[str] = []
        self.asked: dict[str, Future[None]] = {}
        self.purse = Purse(self)
        self.record("r", StepsDefined((step_from_cell("a", "1", "1"),)))
        self.record("r", AttemptStarted(), step="a", attempt=1)
        self.record("r", BudgetSet(budget))

    def states(self) -> list[State]:
        """The only one."""
        return [self.state]

    def record(
        self, run: str, event: Any, *, step: str = "", item: str = "", attempt: int = 0
    ) -> None:
        """Apply it, and tell the purse."""
        apply(self.state, event, step=step, item=item, attempt=attempt, at=1)
        self.purse.follow(self.state, event, AttemptId(run, step, attempt, item), 1)
        self.look()

    def look(self) -> None:
        """Calls that have been let through begin."""
        for name in [name for name, answer in self.asked.items() if answer.done()]:
            del self.asked[name]
            self.under_way.append(name)

    def ask(self, name: str) -> None:
        """A call is about to be made that may cost 1."""
        self.asked[name] = Future()
        self.purse.reserve(self.attempt, name, Reserve(name, 1.0), self.asked[name], 1)
        self.look()

    def end(self, cost: float) -> None:
        """The call that began first has come to its end."""
        if self.under_way:
            done = CallCompleted(self.under_way.pop(0), "f", usage=Usage(cost=cost))
            self.record("r", done, step="a", attempt=1)

    def spent(self) -> float:
        """So far."""
        return self.state.spent.cost
