"""The thread that writes what happens and acts on what is durable."""

import threading
from collections.abc import Iterator, Sequence

import pytest
from controlled import ControlledStore, StandIn, wait_for
from simulation import make_step

from stepwell.errors import StoreClosed, StoreFull
from stepwell.flow import Step
from stepwell.orchestrator import (
    Attempt,
    AttemptCompleted,
    AttemptFailed,
    AttemptId,
    AttemptStarted,
    ErrorInfo,
    Failed,
    Finished,
    Happened,
    Orchestrator,
    Output,
    RunStarted,
    State,
    StepsDefined,
    Stopped,
    load,
    request,
    versions,
)
from stepwell.orchestrator import _shell as shell

FULL = StoreFull("the disk is full")


class Bench:
    """An orchestrator on parts the test controls."""

    def __init__(self, store: ControlledStore, worker: StandIn) -> None:
        self.store = store
        self.worker = worker
        self.orchestrator = Orchestrator(store, worker)
        self.heard: list[Happened] = []
        self.orchestrator.listen(self.heard.extend)
        self.orchestrator.start()
        self.state = State("r")
        self.orchestrator.call(self._begin)

    def _begin(self) -> None:
        self.orchestrator.adopt(self.state)
        self.orchestrator.record("r", RunStarted())

    def define(self, *steps: Step) -> None:
        """As cells do."""
        self.orchestrator.call(lambda: self.orchestrator.record("r", StepsDefined(steps)))

    def ask(self, names: Sequence[str]) -> None:
        """Want these steps."""

        def work() -> None:
            environments = {step.name: "env" for step in self.state.flow}
            self.orchestrator.record("r", request(self.state, names, environments, by="cell"))

        self.orchestrator.call(work)

    def kinds(self, step: str) -> list[type]:
        """What was heard of a step."""
        return [type(what.event) for what in self.heard if what.step == step]


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A running orchestrator with one adopted run."""
    made = Bench(ControlledStore(), StandIn())
    yield made
    made.store.trouble = None
    made.store.let_go()
    made.orchestrator.stop()


def in_background(work: "object") -> threading.Thread:
    """Run something that blocks."""
    thread = threading.Thread(target=work, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def broken(*_: object, **__: object) -> None:
    """A mistake of ours."""
    raise ZeroDivisionError


def name_of(thread: threading.Thread) -> str:
    """What it is called."""
    return thread.name


# -- durable first ------------------------------------------------------------------------


def test_an_attempt_starts_when_its_start_is_on_disk(bench: Bench) -> None:
    """No worker hears of an attempt that a crash could undo."""
    bench.define(make_step("a", []))
    bench.store.hold()
    asking = in_background(lambda: bench.ask(["a"]))
    wait_for(lambda: bench.store.is_holding)
    assert not bench.worker.started
    bench.store.let_go()
    bench.worker.await_start("a")
    asking.join(10)


def test_attempts_that_begin_together_are_one_record(bench: Bench) -> None:
    """To whoever hears of them, and in the state, each begins by itself."""
    names = [f"s{number}" for number in range(5)]
    bench.define(*(make_step(name, []) for name in names))
    bench.ask(names)
    for name in names:
        bench.worker.await_start(name)
    kinds = [row.kind for row in bench.store.rows("r")]
    assert kinds[-1] == "attempts_started"
    assert "attempt_started" not in kinds
    wait_for(lambda: all(bench.kinds(name) == [AttemptStarted] for name in names))
    found = load(bench.store, "r")
    assert {name: found.steps[name].running for name in names} == {
        name: bench.state.steps[name].running for name in names
    }
    assert [it.attempt for it in versions(bench.store, "s3")] == [1]


def test_a_caller_is_answered_when_what_it_wrote_is_on_disk(bench: Bench) -> None:
    """`call` returns after the commit."""
    bench.store.hold()
    calling = in_background(lambda: bench.define(make_step("a", [])))
    wait_for(lambda: bench.store.is_holding)
    calling.join(0.05)
    assert calling.is_alive()
    bench.store.let_go()
    calling.join(10)
    assert not calling.is_alive()


def test_whoever_only_looks_does_not_wait_for_the_disk(bench: Bench) -> None:
    """Nothing of theirs is to be written."""
    bench.store.hold()
    asking = in_background(lambda: bench.define(make_step("a", [])))
    wait_for(lambda: bench.store.is_holding)
    assert bench.orchestrator.look(lambda: "a" in bench.state.flow)
    with pytest.raises(ZeroDivisionError):
        bench.orchestrator.look(broken)
    bench.store.let_go()
    asking.join(10)


def test_a_reader_starts_when_what_it_reads_is_on_disk(bench: Bench) -> None:
    """Commit before continue; and listeners hear of it no sooner."""
    bench.define(make_step("a", []), make_step("b", ["a"]))
    bench.ask(["b"])
    bench.worker.await_start("a")
    bench.store.hold()
    bench.worker.finish("a")
    wait_for(lambda: bench.store.is_holding)
    assert AttemptId("r", "b", 1) not in bench.worker.started
    assert AttemptCompleted not in bench.kinds("a")
    assert not bench.orchestrator.is_durable("r", "a")
    bench.store.let_go()
    assert bench.worker.await_start("b").inputs == {"a": "a1"}
    wait_for(lambda: AttemptCompleted in bench.kinds("a"))
    wait_for(lambda: bench.orchestrator.is_durable("r", "a"))


def test_an_attempt_cancelled_before_its_start_was_written_does_not_start(bench: Bench) -> None:
    """Between the decision and the disk there is time to change one's mind."""
    from stepwell.orchestrator import AttemptInterrupted, RunCancelled

    bench.define(make_step("a", []))
    bench.store.hold()
    asking = in_background(lambda: bench.ask(["a"]))
    wait_for(lambda: bench.store.is_holding)

    def cancel() -> None:
        bench.orchestrator.record("r", AttemptInterrupted("cancelled"), step="a", attempt=1)
        bench.orchestrator.record("r", RunCancelled())

    cancelling = in_background(lambda: bench.orchestrator.call(cancel))
    wait_for(lambda: bench.state.is_cancelled)
    bench.store.let_go()
    asking.join(10)
    cancelling.join(10)
    assert not bench.worker.started


def test_answers_come_after_everything_before_them_was_told(bench: Bench) -> None:
    """Whoever was answered and asks again finds all listeners told of what came before."""
    for turn in range(200):
        bench.define(make_step("a", [], code=str(turn)))
        bench.orchestrator.call(lambda: None)
        assert isinstance(bench.heard[-1].event, StepsDefined)
        assert bench.heard[-1].event.steps[0].source == str(turn)


# -- late and twice -----------------------------------------------------------------------


def test_the_late_result_of_an_attempt_that_was_given_up_is_not_written(bench: Bench) -> None:
    """A result counts once, and only that of the attempt under way."""
    bench.define(make_step("a", []))
    bench.ask(["a"])
    attempt = bench.worker.await_start("a")
    bench.worker.tell(Stopped(attempt.id))
    wait_for(lambda: bench.state.steps["a"].running is None)
    bench.worker.tell(Finished(attempt.id, {"a": Output("late")}))
    bench.orchestrator.call(lambda: None)
    assert bench.state.steps["a"].checkpoint is None
    assert not any(row.kind == "attempt_completed" for row in bench.store.rows())


def test_what_is_on_disk_gives_the_same_state(bench: Bench) -> None:
    """The run read back is the run that was advanced."""
    bench.define(make_step("a", []), make_step("b", ["a"]))
    bench.ask(["b"])
    bench.worker.finish("a")
    bench.worker.finish("b")
    wait_for(lambda: bench.state.settled == "completed")
    bench.orchestrator.call(lambda: None)
    again = load(bench.store, "r")
    assert again.steps == bench.state.steps
    assert again.settled == "completed"


def test_no_more_attempts_are_under_way_than_there_are_slots() -> None:
    """The rest wait their turn, and get it."""
    store, worker = ControlledStore(), StandIn()
    orchestrator = Orchestrator(store, worker, slots=2)
    orchestrator.start()
    state = State("r")
    names = [f"s{i}" for i in range(6)]

    def work() -> None:
        orchestrator.adopt(state)
        orchestrator.record("r", RunStarted())
        orchestrator.record("r", StepsDefined(tuple(make_step(name, []) for name in names)))
        wish = request(state, names, dict.fromkeys(names, "env"), by="run")
        orchestrator.record("r", wish)

    orchestrator.call(work)
    for done, name in enumerate(names):
        assert len(worker.started) == min(done + 2, len(names))
        worker.finish(name)
        wait_for(lambda done=done: len(worker.started) >= min(done + 3, len(names)))
    orchestrator.stop()


# -- trouble ------------------------------------------------------------------------------


def test_a_listener_that_crashes_stops_neither_the_others_nor_the_run(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """What shows things must not be able to keep things from happening."""

    def crash(_: Sequence[Happened]) -> None:
        raise RuntimeError("cannot draw")

    bench.orchestrator.listen(crash)
    late: list[Happened] = []
    bench.orchestrator.listen(late.extend)
    bench.define(make_step("a", []))
    bench.ask(["a"])
    bench.worker.finish("a")
    wait_for(lambda: any(isinstance(what.event, AttemptCompleted) for what in late))
    assert "cannot draw" in caplog.text


def test_a_worker_that_cannot_start_an_attempt_fails_it(bench: Bench) -> None:
    """An attempt that could not be started is told as failed, and nobody waits for it."""

    def start(attempt: Attempt, report: object) -> None:
        raise RuntimeError("can't start new thread")

    bench.worker.start = start  # type: ignore[method-assign, assignment]
    bench.define(make_step("a", []), make_step("b", []))
    bench.ask(["a", "b"])
    wait_for(lambda: AttemptFailed in bench.kinds("a") and AttemptFailed in bench.kinds("b"))
    error = bench.state.steps["a"].error
    assert error is not None
    assert "can't start new thread" in error.message
    assert not error.is_user_code


def test_text_that_is_no_unicode_does_not_stop_the_orchestrator(bench: Bench) -> None:
    """Half a surrogate pair in a message or preview is kept in a form that can be written."""
    bench.define(make_step("a", []), make_step("b", []))
    bench.ask(["a", "b"])
    failing = bench.worker.await_start("a")
    bench.worker.tell(Failed(failing.id, ErrorInfo("ValueError", "bad \ud800 text")))
    good = bench.worker.await_start("b")
    bench.worker.tell(Finished(good.id, {"b": Output("b1", preview="'\udcff'")}))
    wait_for(lambda: AttemptCompleted in bench.kinds("b"))
    kept = load(bench.store, "r").steps["a"].error
    assert kept is not None
    assert kept.message.startswith("bad ")


def test_a_full_disk_is_told_to_callers_and_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers get the store's own error; once there is room, all goes on and nothing is lost."""
    monkeypatch.setattr(shell, "RETRY_SECONDS", 0.01)
    bench.define(make_step("a", []), make_step("b", ["a"]))
    bench.ask(["b"])
    bench.worker.await_start("a")
    bench.store.trouble = FULL
    bench.worker.finish("a")
    wait_for(lambda: bench.store.refused > 2)
    with pytest.raises(StoreFull):
        bench.orchestrator.call(lambda: None)
    assert bench.orchestrator.trouble is FULL
    assert AttemptId("r", "b", 1) not in bench.worker.started
    bench.store.trouble = None
    bench.worker.finish("b")
    wait_for(lambda: bench.state.settled == "completed")
    bench.orchestrator.call(lambda: None)
    assert bench.orchestrator.trouble is None
    assert load(bench.store, "r").steps == bench.state.steps


def test_whoever_is_answered_after_trouble_finds_none(bench: Bench) -> None:
    """The answer says that all before it is on disk: nobody then reads of the trouble there was."""
    bench.define(make_step("a", []))
    for number in range(30):
        bench.store.trouble = FULL
        with pytest.raises(StoreFull):
            bench.define(make_step(f"b{number}", []))
        bench.store.trouble = None
        bench.orchestrator.call(lambda: None)
        assert bench.orchestrator.trouble is None


def test_a_caller_waiting_when_the_disk_fills_is_told(bench: Bench) -> None:
    """Nobody waits for room that may never come."""
    bench.store.trouble = FULL
    with pytest.raises(StoreFull):
        bench.define(make_step("a", []))


def test_a_mistake_of_ours_is_told_to_everybody_and_nobody_hangs(bench: Bench) -> None:
    """A broken orchestrator answers all callers with what broke it."""
    with pytest.MonkeyPatch.context() as patch:
        # It ends with its error; the interpreter would print that.
        patch.setattr(threading, "excepthook", print)
        patch.setattr(shell, "decide", broken)
        with pytest.raises(ZeroDivisionError):
            bench.orchestrator.call(lambda: None, timeout=5)
        with pytest.raises(ZeroDivisionError):
            bench.orchestrator.call(lambda: None, timeout=5)
        assert isinstance(bench.orchestrator.trouble, ZeroDivisionError)
        wait_for(lambda: "stepwell-orchestrator" not in map(name_of, threading.enumerate()))


def test_a_refusing_store_does_not_break_the_orchestrator(bench: Bench) -> None:
    """An append that raises is trouble with the store like any other."""

    def append(records: object, then: object = None) -> None:
        raise StoreClosed("closed under our feet")

    bench.store.append = append  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreClosed):
        bench.orchestrator.call(lambda: bench.orchestrator.record("r", StepsDefined(())), timeout=5)


# -- the end ------------------------------------------------------------------------------


def test_a_stopped_orchestrator_says_so(bench: Bench) -> None:
    """A call after the end is an error, not a wait."""
    bench.orchestrator.stop()
    with pytest.raises(StoreClosed):
        bench.orchestrator.call(lambda: None)


def test_stopping_answers_those_who_still_wait(bench: Bench) -> None:
    """A caller whose write never reached the disk is not left waiting."""
    bench.store.hold()
    told: list[BaseException] = []

    def call() -> None:
        try:
            bench.define(make_step("a", []))
        except StoreClosed as error:
            told.append(error)

    calling = in_background(call)
    wait_for(lambda: bench.store.is_holding)
    bench.orchestrator.stop()
    calling.join(10)
    assert len(told) == 1


def test_what_happened_before_the_end_is_handed_to_the_store(bench: Bench) -> None:
    """A result that came in while the disk was slow is written before the store is closed."""
    bench.define(make_step("a", []), make_step("b", []))
    bench.ask(["a", "b"])
    bench.worker.await_start("b")
    bench.store.hold()
    bench.worker.finish("a")
    wait_for(lambda: bench.store.is_holding)
    bench.worker.finish("b")
    wait_for(lambda: bench.state.steps["b"].checkpoint is not None)
    stopping = in_background(bench.orchestrator.stop)
    bench.store.let_go()
    stopping.join(10)
    kinds = [row.kind for row in bench.store.rows()]
    assert kinds.count("attempt_completed") == 2
    assert AttemptStarted in bench.kinds("a")


def test_starting_twice_makes_one_thread(bench: Bench) -> None:
    """There is one orchestrator thread."""
    bench.orchestrator.start()
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("stepwell-orchestrator") == 1
