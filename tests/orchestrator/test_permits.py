"""Permits of calls: in order, within the limit, shared with steps, and nothing left behind."""

from collections.abc import Iterator
from concurrent.futures import Future

import msgspec
import pytest
from controlled import StandIn
from hypothesis import given
from hypothesis import strategies as st
from simulation import make_step

from stepwell.errors import AttemptGivenUp, StoreClosed
from stepwell.flow import Step
from stepwell.orchestrator import (
    AttemptFailed,
    AttemptId,
    AttemptStarted,
    ErrorInfo,
    Failed,
    Limits,
    LimitSet,
    Orchestrator,
    RunStarted,
    State,
    StepsDefined,
    Stopped,
    apply,
    request,
)
from stepwell.orchestrator._permits import PermitMail, Permits
from stepwell.store import MemoryStore
from stepwell.testing import VirtualClock

Permit = Future[None]


class Bench:
    """An orchestrator whose clock and worker the test controls; any number of runs."""

    def __init__(self) -> None:
        self.clock = VirtualClock(auto=False)
        self.worker = StandIn()
        self.orchestrator = Orchestrator(MemoryStore(), self.worker, clock=self.clock)
        self.orchestrator.start()

    def begin(self, run: str, *steps: Step) -> None:
        """A run in which these steps are wanted."""
        state, record = State(run), self.orchestrator.record

        def work() -> None:
            self.orchestrator.adopt(state)
            record(run, RunStarted())
            record(run, StepsDefined(steps))
            names = [step.name for step in steps]
            record(run, request(state, names, dict.fromkeys(names, "env"), by="cell"))

        self.orchestrator.call(work)

    def limit(self, concurrent: int = 0, rate: int = 0, per: float = 0.0) -> None:
        """Of the name that all tests use."""
        rule = LimitSet("model", concurrent, rate, per)
        self.orchestrator.call(lambda: self.orchestrator.record("r", rule))

    def ask(self, step: str, call: str, run: str = "r") -> Permit:
        """A call of the step's first attempt asks."""
        attempt = self.worker.await_start(step, run=run).id
        return self.worker.links[attempt].permit(attempt, call, "model")

    def hand_back(self, step: str, permit: Permit, run: str = "r") -> None:
        """It has ended."""
        attempt = AttemptId(run, step, 1)
        self.worker.links[attempt].hand_back(attempt, permit)

    def given(self, *permits: Permit) -> list[bool]:
        """Which of them have come, when all that was said has been heard."""
        self.orchestrator.look(lambda: None)
        return [permit.done() for permit in permits]


@pytest.fixture
def bench() -> Iterator[Bench]:
    """With one run of two steps that nobody has started to limit."""
    made = Bench()
    made.begin("r", make_step("a", []), make_step("b", []))
    yield made
    made.orchestrator.stop()


def limited(name: str) -> Step:
    """A step that shares the limit."""
    return msgspec.structs.replace(make_step(name, []), limit="model")


def test_permits_come_in_order_of_asking_as_room_appears(bench: Bench) -> None:
    """Those who wait are not counted; a call that waits no more does not stand in the way."""
    bench.limit(concurrent=2)
    permits = [bench.ask("ab"[n % 2], f"f#{n}") for n in range(5)]
    assert bench.given(*permits) == [True, True, False, False, False]
    bench.hand_back("a", permits[2])
    bench.hand_back("b", permits[1])
    assert bench.given(*permits) == [True, True, False, True, False]


def test_a_limit_that_is_not_set_lets_everybody_through(bench: Bench) -> None:
    """As for steps; what went through counts when it is set."""
    permits = [bench.ask("a", f"f#{n}") for n in range(3)]
    assert all(bench.given(*permits))
    bench.limit(concurrent=3)
    late = bench.ask("a", "f#3")
    assert bench.given(late) == [False]
    bench.limit()
    assert bench.given(late) == [True]


def test_steps_and_calls_of_all_runs_share_it(bench: Bench) -> None:
    """A step that is limited begins when a call has ended, and the other way round."""
    bench.limit(concurrent=1)
    permit = bench.ask("a", "f#0")
    assert bench.given(permit) == [True]
    bench.begin("other", limited("c"))
    assert AttemptId("other", "c", 1) not in bench.worker.started
    bench.hand_back("a", permit)
    bench.worker.await_start("c", run="other")
    second = bench.ask("b", "f#0")
    assert bench.given(second) == [False]
    bench.worker.finish("c", run="other")
    second.result(20)


def test_calls_begin_at_a_rate(bench: Bench) -> None:
    """The clock alone lets more through; what ends meanwhile does not."""
    bench.limit(rate=2, per=60)
    permits = [bench.ask("a", f"f#{n}") for n in range(5)]
    assert bench.given(*permits) == [True, True, False, False, False]
    bench.hand_back("a", permits[0])
    bench.clock.advance(59)
    assert bench.given(*permits).count(True) == 2
    bench.clock.advance(1)
    assert bench.given(*permits) == [True, True, True, True, False]
    bench.clock.advance(60)
    assert all(bench.given(*permits))


def test_steps_and_calls_share_the_rate(bench: Bench) -> None:
    """A step's beginning counts, and so does a call's."""
    bench.limit(rate=2, per=60)
    assert bench.given(bench.ask("a", "f#0")) == [True]
    bench.begin("other", limited("c"), limited("d"))
    bench.worker.await_start("c", run="other")
    assert bench.given(bench.ask("a", "f#1")) == [False]
    assert AttemptId("other", "d", 1) not in bench.worker.started


def test_a_limited_step_does_not_wait_for_itself(bench: Bench) -> None:
    """One of its calls at a time goes under what it holds; what is beside it counts as more."""
    bench.limit(concurrent=1)
    bench.begin("other", limited("c"))
    first, second = (bench.ask("c", f"f#{n}", run="other") for n in range(2))
    assert bench.given(first, second) == [True, False]
    bench.hand_back("c", first, run="other")
    assert bench.given(second) == [True]
    bench.limit(concurrent=2)
    outside = bench.ask("a", "f#0")
    assert bench.given(outside) == [True]


def test_a_call_inside_a_call_does_not_wait_for_it(bench: Bench) -> None:
    """The same for calls of one limit that are made by each other, however deep."""
    bench.limit(concurrent=1)
    outer = bench.ask("a", "f#0")
    ahead = bench.ask("b", "f#0")
    inner, beside = bench.ask("a", "f#0/g#0"), bench.ask("a", "f#0/g#1")
    below = bench.ask("a", "f#0/g#0/h#0")
    assert bench.given(outer, ahead, inner, beside, below) == [True, False, True, False, True]
    for permit in (below, inner):
        bench.hand_back("a", permit)
    assert bench.given(ahead, beside) == [False, True]
    for permit in (beside, outer):
        bench.hand_back("a", permit)
    assert bench.given(ahead) == [True]


@pytest.mark.parametrize("is_lost", [True, False])
def test_the_end_of_an_attempt_leaves_nothing_held(bench: Bench, is_lost: bool) -> None:
    """Its worker died, or it failed: what it held is free, and who waits inside it is told."""
    bench.limit(concurrent=1)
    held, waiting, other = bench.ask("a", "f#0"), bench.ask("a", "f#1"), bench.ask("b", "f#0")
    assert bench.given(held, waiting, other) == [True, False, False]
    attempt = AttemptId("r", "a", 1)
    error = ErrorInfo("ValueError", "no", is_user_code=True)
    bench.worker.tell(Stopped(attempt, "worker_lost") if is_lost else Failed(attempt, error))
    other.result(20)
    with pytest.raises(AttemptGivenUp):
        waiting.result(20)
    bench.hand_back("a", held)
    assert bench.given(bench.ask("b", "f#1")) == [False]


def test_who_is_given_up_is_told_at_once(bench: Bench) -> None:
    """A call that blocks its thread could not be stopped otherwise; and late ones are refused."""
    bench.limit(concurrent=1)
    held, waiting = bench.ask("b", "f#0"), bench.ask("a", "f#0")
    assert bench.given(held, waiting) == [True, False]
    bench.orchestrator.call(lambda: bench.orchestrator.interrupt("r", "a"))
    for permit in (waiting, bench.ask("a", "f#1")):
        with pytest.raises(AttemptGivenUp):
            permit.result(20)


def test_nobody_is_left_waiting_at_the_end(bench: Bench) -> None:
    """The orchestrator stops: they hear why."""
    bench.limit(concurrent=1)
    waiting = [bench.ask("a", f"f#{n}") for n in range(2)][1]
    bench.orchestrator.stop()
    with pytest.raises(StoreClosed):
        waiting.result(20)


CALLS = st.sampled_from(["f#0", "f#1", "f#0/g#0", "f#0/g#1", "f#0/g#0/h#0", "f#1/g#0"])
MOVES = st.lists(st.tuples(st.sampled_from("abc"), CALLS, st.booleans()), max_size=40)


@given(MOVES, st.integers(1, 3))
def test_whatever_is_asked_and_handed_back(moves: list[tuple[str, str, bool]], most: int) -> None:
    """Never more at once than allowed, and when all is handed back everybody had a turn."""
    state = State("r")
    steps = (make_step("a", []), limited("b"), make_step("c", []))
    apply(state, StepsDefined(steps), at=0)
    permits = Permits({"r": state}.get)
    limits = Limits({"r": state}, permits.holders)
    limits.rules["model"] = LimitSet("model", most)
    for step in steps:
        begun = AttemptStarted("k", "1", {}, "env")
        apply(state, begun, step=step.name, attempt=1, at=0)
    asked: dict[Permit, AttemptId] = {}
    for step_name, call, is_asking in moves:
        given = [permit for permit in asked if permit.done()]
        if is_asking:
            mail = PermitMail(AttemptId("r", step_name, 1), Future(), call, "model")
            asked[mail.permit] = mail.id
            permits.take(mail)
        elif given:
            permits.take(PermitMail(asked.pop(given[0]), given[0]))
        permits.look(limits, 0)
        assert limits.at_once("model") >= 0

    def hand_all_back() -> None:
        while given := [permit for permit in asked if permit.done()]:
            permits.take(PermitMail(asked.pop(given[0]), given[0]))
            permits.look(limits, 0)

    hand_all_back()
    assert not [it for it in asked.values() if it.step == "b"], "it waits for itself"
    failed = AttemptFailed(ErrorInfo("ValueError", "no", is_user_code=True))
    apply(state, failed, step="b", attempt=1, at=0)
    permits.look(limits, 0)
    hand_all_back()
    assert not asked
    assert limits.at_once("model") == most
