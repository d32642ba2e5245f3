"""What a step's code can know of the attempt that it runs in."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from controlled import Heard, wait_for
from inside_bench import Bench

import stepwell
from stepwell.defining import step_from_cell
from stepwell.errors import AttemptGivenUp, InvalidUsage
from stepwell.inside import Inside
from stepwell.orchestrator import Attempt, AttemptId, Stopped
from stepwell.workers import follow_threads, leave_threads


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A worker of its own, whose steps' threads speak for them."""
    made = Bench()
    follow_threads(lambda: None)
    yield made
    leave_threads()
    made.worker.close()


LOOK = "c = stepwell.current(); found = [c.run, c.step, c.item, c.attempt, c.idempotency_key]"
KNOWN = {"found": ["r", "a", "k", 3, "the key"]}


@pytest.mark.parametrize("before", ["", "await asyncio.sleep(0)\n"])
def test_a_step_knows_its_attempt(bench: Bench, before: str) -> None:
    """Run, step, item, number, idempotency key; with and without `await`."""
    found = bench.objects(f"{before}{LOOK}\ndel c", item="k")
    assert found == KNOWN


def test_a_thread_that_a_step_starts_knows_it_too(bench: Bench) -> None:
    """As does a task, and a thread that asyncio starts."""
    source = (
        "def look(): seen.append(stepwell.current().step)\n"
        "seen = []\n"
        "thread = threading.Thread(target=look); thread.start(); thread.join(); del thread\n"
        "await asyncio.to_thread(look)\n"
        "async def task(): look()\n"
        "await asyncio.create_task(task())\n"
    )
    assert bench.objects(source) == {"seen": ["a", "a", "a"]}


def test_two_steps_at_once_each_know_their_own(bench: Bench) -> None:
    """Async steps share a thread and a loop, and nothing else."""
    ids = [AttemptId("r", name, 1) for name in ("a", "b")]
    for it in ids:
        source = "await asyncio.sleep(0.01); found = stepwell.current().step"
        definition = step_from_cell(it.step, source, source)
        bench.worker.start(Attempt(it, definition, "", {}, "", {}), bench.link)
    wait_for(lambda: len(bench.link.reports) == 2)
    found = {report.id.step: report.objects["found"] for report in bench.link.reports}  # type: ignore[union-attr]
    assert found == {"a": "a", "b": "b"}


def test_outside_of_a_step_nothing_is_known() -> None:
    """The message says where it belongs."""
    with pytest.raises(InvalidUsage, match=r"stepwell\.current\(\).*only inside a step"):
        stepwell.current()


def test_the_last_heartbeat_is_there_for_the_next_attempt(bench: Bench) -> None:
    """As a value; None where there was none."""
    assert bench.objects("h = stepwell.current().heartbeat") == {"h": None}
    output, blob = bench.values.encode("a", "its heartbeat", {"page": 7})
    assert blob.digest == output.digest
    found = bench.objects("h = stepwell.current().heartbeat", heartbeat=output)
    assert found == {"h": {"page": 7}}


def test_equal_calls_are_told_apart_by_their_number(bench: Bench) -> None:
    """The same call for the second time has a key of its own; another's numbers are its own."""
    source = (
        "_i = inside.get(); keys = [_i.call_key('f'), _i.call_key('g'), _i.call_key('f')]\n"
        "_n = _i.within(keys[0]); keys += [_n.call_key('f'), _n.call_key('f')]"
    )
    assert bench.objects(source)["keys"] == ["f#0", "g#0", "f#1", "f#0/f#0", "f#0/f#1"]


def test_code_that_awaits_is_not_blocked(bench: Bench) -> None:
    """Blocking there would stop every other async step: the error says what to write."""
    source = (
        "try: inside.get().blocked(_future, what='stepwell.ask(…)')\n"
        "except Exception as error: said = str(error)\n"
        "await asyncio.sleep(0)"
    )
    found = bench.objects(f"from concurrent.futures import Future\n_future = Future()\n{source}")
    assert "it is `await stepwell.ask(…)`" in str(found["said"])


def test_both_ways_of_waiting_give_the_answer() -> None:
    """And raise the error that stands in its place."""
    attempt = Attempt(AttemptId("r", "a", 1), step_from_cell("a", "1", "1"), "", {}, "", {})
    here = Inside(attempt, Heard(), Bench().values)
    good: Future[int] = Future()
    bad: Future[int] = Future()
    good.set_result(7)
    bad.set_exception(AttemptGivenUp("a", 1))
    assert here.blocked(good, what="") == asyncio.run(here.awaited(good)) == 7
    with pytest.raises(AttemptGivenUp):
        here.blocked(bad, what="")
    with pytest.raises(AttemptGivenUp):
        asyncio.run(here.awaited(bad))


@pytest.mark.parametrize("before", ["", "await asyncio.sleep(0)\n"])
def test_an_attempt_that_was_given_up_has_stopped_not_failed(bench: Bench, before: str) -> None:
    """When its code hears of it and ends."""
    source = f"{before}from stepwell.errors import AttemptGivenUp\nraise AttemptGivenUp('a', 3)"
    assert isinstance(bench.run(source), Stopped)
