"""Attempts in this process: how they run, how they end, and that each is heard of once."""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import pytest
from controlled import Heard, wait_for

from stepwell.defining import step_from_cell
from stepwell.errors import StoreFull, StoreReadOnly
from stepwell.flow import Step
from stepwell.orchestrator import Attempt, AttemptId, Failed, Finished, Report, Stopped
from stepwell.store import Blob, MemoryStore
from stepwell.store.values import Signer, Trust
from stepwell.workers import KernelWorker, Recorder, Relay, Values, recording


class Around:
    """What the worker needs of a notebook; the test may break any of it."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {"asyncio": asyncio, "threading": threading}
        self.sent: list[dict[str, Any]] = []
        self.relay = Relay(lambda _, entries: self.sent.extend(entries))
        self.before_thread: Callable[[], None] = lambda: None
        self.after_body: Callable[[], None] = lambda: None
        self.functions: dict[str, Callable[..., object]] = {}

    def environment_without(self, environment: str, names: Collection[str]) -> str:
        """Nothing here counts."""
        return environment

    def namespace(
        self,
        definition: Step,
        environment: str,
        inputs: Mapping[str, object],
        without: Collection[str] = (),
    ) -> dict[str, object]:
        """The names and the inputs."""
        return {"__name__": "__main__", **self.names, **inputs}

    def function(self, definition: Step) -> Callable[..., object]:
        """As registered."""
        return self.functions[definition.name]

    def recorder(self, attempt: AttemptId) -> Recorder:
        """One that relays."""
        return Recorder(self.relay, "cell")

    def enter(self, attempt: Attempt) -> None:
        """Nothing to be known."""


class Bench:
    """A worker, and what it reports."""

    def __init__(self) -> None:
        self.around = Around()
        self.store = MemoryStore()
        self.values = Values(self.store, Signer(b"k" * 32), Trust(Signer(b"k" * 32)))
        self.worker = KernelWorker(self.around, self.values)
        self.link = Heard()
        self.reports = self.link.reports

    def start(self, source: str, number: int = 1, **options: Any) -> AttemptId:
        """Try a cell."""
        definition = step_from_cell("a", source, source, **options)
        attempt = AttemptId("r", "a", number)
        derived = {name: f"derived {name}" for name in definition.transient}
        self.worker.start(Attempt(attempt, definition, "key", {}, "env", derived), self.link)
        return attempt

    def run(self, source: str, **options: Any) -> Report:
        """Try a cell to its end."""
        before = len(self.reports)
        self.start(source, before + 1, **options)
        wait_for(lambda: len(self.reports) > before)
        return self.reports[-1]

    def failure(self, source: str, **options: Any) -> Failed:
        """The end of a cell that fails."""
        report = self.run(source, **options)
        assert isinstance(report, Failed)
        return report

    def finish(self, source: str, **options: Any) -> Finished:
        """The end of a cell that does not."""
        report = self.run(source, **options)
        assert isinstance(report, Finished), report
        return report


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A worker of its own."""
    made = Bench()
    yield made
    made.worker.close()


def test_a_cell_gives_its_outputs(bench: Bench) -> None:
    """By name: the objects, and how they are written down."""
    report = bench.finish("x = [1, 2]\n_y = 3")
    assert report.objects == {"x": [1, 2]}
    assert report.outputs["x"].type == "list"
    assert [blob.digest for blob in report.blobs] == [report.outputs["x"].digest]


def test_neither_kind_of_step_runs_on_the_main_thread(bench: Bench) -> None:
    """The kernel's own thread stays free."""
    main = threading.current_thread().name
    sync = bench.finish("t = threading.current_thread().name").objects["t"]
    other = bench.finish("await asyncio.sleep(0)\nt = threading.current_thread().name")
    assert len({main, sync, other.objects["t"]}) == 3


def test_steps_that_await_run_beside_each_other(bench: Bench) -> None:
    """Two that wait for each other both come to their end."""
    bench.around.names["one"], bench.around.names["two"] = asyncio.Event(), asyncio.Event()
    bench.start("one.set()\nawait two.wait()", 1)
    bench.start("two.set()\nawait one.wait()", 2)
    wait_for(lambda: len(bench.reports) == 2)
    assert all(isinstance(report, Finished) for report in bench.reports)


@pytest.mark.parametrize("wait", ["", "await asyncio.sleep(0)\n"])
@pytest.mark.parametrize(
    "error", ["SystemExit(3)", "KeyboardInterrupt()", "asyncio.CancelledError()", "ValueError('v')"]
)
def test_whatever_a_step_raises_fails_that_step_only(bench: Bench, wait: str, error: str) -> None:
    """Neither the thread nor the loop ends with it, and the next step runs."""
    report = bench.failure(f"{wait}raise {error}")
    assert report.error.type in error
    assert report.error.is_user_code
    assert bench.finish(f"{wait}x = 1").objects == {"x": 1}


def test_a_step_that_awaits_can_be_cancelled(bench: Bench) -> None:
    """It reports that it was stopped, once."""
    bench.around.names["began"] = began = threading.Event()
    attempt = bench.start("began.set()\nawait asyncio.sleep(600)")
    assert began.wait(60)
    bench.worker.cancel(attempt)
    wait_for(lambda: bench.reports)
    assert bench.reports == [Stopped(attempt)]


def test_a_step_that_awaits_nothing_runs_to_its_end(bench: Bench) -> None:
    """Cancelling it changes nothing; its report is for others to refuse."""
    bench.around.names["began"] = began = threading.Event()
    bench.around.names["go"] = go = threading.Event()
    attempt = bench.start("began.set()\ngo.wait(60)\nx = 1")
    assert began.wait(60)
    bench.worker.cancel(attempt)
    go.set()
    wait_for(lambda: bench.reports)
    assert isinstance(bench.reports[0], Finished)


def test_an_attempt_cancelled_while_it_waits_for_a_thread_does_not_run(bench: Bench) -> None:
    """Its code is not touched."""
    bench.around.names["ran"] = ran = []
    bench.around.before_thread = lambda: bench.worker.cancel(AttemptId("r", "a", 1))
    bench.start("ran.append(1)")
    wait_for(lambda: bench.reports)
    assert bench.reports == [Stopped(AttemptId("r", "a", 1))]
    assert ran == []


def test_a_missing_output_is_the_codes_fault(bench: Bench) -> None:
    """A name that was not assigned on the way taken is named."""
    report = bench.failure("if False:\n    x = 1")
    assert "ended without assigning 'x'" in report.error.message


def test_an_output_that_cannot_be_stored_is_not_the_codes_fault(bench: Bench) -> None:
    """Step, variable and type are named."""
    report = bench.failure("x = threading.Lock()")
    assert not report.error.is_user_code
    assert "variable 'x'" in report.error.message


def test_a_result_that_finds_no_room_goes_with_its_record(bench: Bench) -> None:
    """The record waits for space, and brings the value with it."""

    def put(blob: Blob) -> Blob:
        raise StoreFull("the disk is full")

    bench.store.put = put  # type: ignore[method-assign]
    report = bench.finish("x = 'kept'")
    assert [blob.data for blob in report.blobs] == [b'"kept"']


@pytest.mark.parametrize("source", ["print('said')\nx = 1", "print('said')\nx = 1 / 0"])
def test_a_disk_that_cannot_be_written_is_not_the_codes_fault(bench: Bench, source: str) -> None:
    """The attempt ends and says so, though what it printed cannot be kept either."""

    def put(blob: Blob) -> Blob:
        raise StoreReadOnly("the folder is not yours")

    bench.store.put = put  # type: ignore[method-assign]
    error = bench.failure(source).error
    assert (error.type, error.is_user_code) in (
        ("StoreReadOnly", False),
        ("ZeroDivisionError", True),
    )


def test_a_transient_output_is_kept_here_and_not_written(bench: Bench) -> None:
    """It goes by the digest that it was given."""
    report = bench.finish("x = threading.Lock()", transient=["x"])
    assert (report.outputs["x"].digest, report.outputs["x"].stored) == ("derived x", False)
    assert report.blobs == []
    assert bench.values.load("derived x") is report.objects["x"]


def test_of_a_transient_output_only_the_latest_are_kept(bench: Bench) -> None:
    """A step that runs over and over does not pile up connections and models."""
    for number in range(20):
        definition = step_from_cell("a", "x = object()", "x = object()", transient=["x"])
        attempt = Attempt(
            AttemptId("r", "a", number), definition, "", {}, "env", {"x": f"made {number}"}
        )
        bench.worker.start(attempt, bench.link)
        wait_for(lambda number=number: len(bench.reports) > number)
    assert bench.values.is_live("made 19")
    assert sum(bench.values.is_live(f"made {number}") for number in range(20)) <= 2


@pytest.mark.parametrize("wait", ["", "await asyncio.sleep(0)\n"])
def test_trouble_with_showing_does_not_fail_a_step(bench: Bench, wait: str) -> None:
    """What cannot be passed on is kept with the step all the same."""

    def send(_: object, entries: object) -> None:
        raise OSError("the socket is closed")

    bench.around.relay = Relay(send)
    bench.around.names["say"] = lambda text: recording.get().write("stdout", text)  # type: ignore[union-attr]
    report = bench.finish(f"{wait}say('hello')\nx = 1")
    assert report.log is not None


@pytest.mark.parametrize("what", ["before_thread", "after_body"])
@pytest.mark.parametrize("wait", ["", "await asyncio.sleep(0)\n"])
def test_trouble_around_a_step_is_reported(bench: Bench, what: str, wait: str) -> None:
    """Nobody waits for ever for an attempt that could not be begun or ended."""

    def broken() -> None:
        raise RuntimeError("broken")

    setattr(bench.around, what, broken)
    report = bench.failure(f"{wait}x = 1")
    assert report.error.message == "broken"


def test_trouble_with_the_input_is_not_the_codes_fault(bench: Bench) -> None:
    """A value that cannot be read is told as such."""
    definition = step_from_cell("a", "y = x", "y = x")
    attempt = Attempt(AttemptId("r", "a", 1), definition, "", {"x": "0" * 32}, "env", {})
    bench.worker.start(attempt, bench.link)
    wait_for(lambda: bench.reports)
    report = bench.reports[0]
    assert isinstance(report, Failed)
    assert not report.error.is_user_code


@pytest.mark.parametrize("line", ["time.sleep(20)", "await stubborn()"])
def test_closing_waits_for_no_step(bench: Bench, line: str) -> None:
    """A step on the loop that does not listen keeps nobody from ending."""

    async def stubborn() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                await asyncio.sleep(20)
            except asyncio.CancelledError:
                continue

    began = threading.Event()
    bench.around.names |= {"time": time, "stubborn": stubborn, "began": began}
    bench.start(f"await asyncio.sleep(0)\nbegan.set()\n{line}")
    assert began.wait(60)
    start = time.monotonic()
    bench.worker.close()
    assert time.monotonic() - start < 5


def test_nothing_starts_after_the_end(bench: Bench) -> None:
    """An attempt that comes late is not run."""
    bench.around.names["ran"] = ran = []
    bench.worker.close()
    bench.start("ran.append(1)")
    bench.start("await asyncio.sleep(0)\nran.append(1)", 2)
    time.sleep(0.05)
    assert ran == []


def test_setup_code_runs_here_and_now(bench: Bench) -> None:
    """In the given namespace, awaited if it awaits; what it raises is raised."""
    namespace: dict[str, object] = {"asyncio": asyncio}
    bench.worker.execute("s", "x = 1", namespace)
    bench.worker.execute("s", "await asyncio.sleep(0)\ny = 2", namespace)
    assert (namespace["x"], namespace["y"]) == (1, 2)
    with pytest.raises(ZeroDivisionError):
        bench.worker.execute("s", "1 / 0", namespace)
