"""Heartbeats, which are kept for the next attempt, and progress, which is shown."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from controlled import wait_for
from inside_bench import Bench

import stepwell
from stepwell.errors import InvalidUsage
from stepwell.orchestrator import Failed, HeartbeatKept, Stopped


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A worker of its own."""
    made = Bench()
    yield made
    made.worker.close()


def kept(bench: Bench) -> list[Any]:
    """What heartbeats were written down, as values; None for those that said nothing."""
    beats = [note for note in bench.link.notes if isinstance(note, HeartbeatKept)]
    return [bench.values.load(it.details.digest) if it.details else None for it in beats]


def test_a_heartbeat_is_kept_with_what_it_says(bench: Bench) -> None:
    """At once, when they come at an easy pace; with and without details."""
    bench.objects("stepwell.heartbeat({'page': 1})\nstepwell.heartbeat()\nx = 1")
    assert kept(bench) == [{"page": 1}, None]


def test_in_a_tight_loop_few_are_written(bench: Bench) -> None:
    """And an error is not told of before the newest is kept."""
    source = "for _n in range(20_000): stepwell.heartbeat(_n)\nraise ValueError('x')"
    assert isinstance(bench.run(source), Failed)
    found = kept(bench)
    assert found[-1] == 19_999
    assert len(found) < 20


def test_progress_is_shown(bench: Bench) -> None:
    """What is said at an easy pace all of it, of a tight loop a little and the end."""
    bench.objects("stepwell.progress(1, 4, 'reading')\nx = 1")
    assert [(sign.done, sign.total, sign.text) for sign in bench.link.signs] == [(1, 4, "reading")]
    bench.link.signs.clear()
    bench.objects("for n in range(20_000): stepwell.progress(n + 1, 20_000)\nx = 1")
    assert len(bench.link.signs) < 50
    assert bench.link.signs[-1].done == 20_000


@pytest.mark.parametrize("call", ["heartbeat({'page': 7})", "progress(3, 10)"])
def test_neither_costs_anything_in_a_tight_loop(bench: Bench, call: str) -> None:
    """Less than two microseconds a call, and no lock on the way."""
    source = (
        "import time\n"
        f"for _n in range(10): stepwell.{call}\n"
        "_best = 1.0\n"
        "for _round in range(20):\n"
        "    _began = time.perf_counter()\n"
        f"    for _n in range(1_000): stepwell.{call}\n"
        "    _best = min(_best, (time.perf_counter() - _began) / 1_000)\n"
        "best = _best"
    )
    best = bench.objects(source)["best"]
    assert isinstance(best, float)
    assert best < 2e-6, f"{best * 1e9:.0f} ns"


def test_code_that_nobody_waits_for_hears_of_it(bench: Bench) -> None:
    """Code without `await` cannot be stopped, but a sign of life stops it."""
    started = threading.Event()
    bench.around.names["started"] = started
    source = "started.set()\nwhile True: stepwell.heartbeat()\nx = 1"
    attempt = bench.start(source)
    assert started.wait(10)
    bench.worker.cancel(attempt)
    wait_for(lambda: bench.link.reports)
    assert isinstance(bench.link.reports[-1], Stopped)


def test_outside_of_a_step_they_say_where_they_belong() -> None:
    """As everything of that kind does."""
    for call in (stepwell.heartbeat, stepwell.progress):
        with pytest.raises(InvalidUsage, match="only inside a step"):
            call()


def test_details_that_cannot_be_stored_are_named(bench: Bench) -> None:
    """The error is the code's to mend."""
    report = bench.run("stepwell.heartbeat(i for i in [])\nx = 1")
    assert isinstance(report, Failed)
    assert report.error.type == "ValueNotStorable"
    assert "its heartbeat" in report.error.message
