"""What counts as work: neither waiting for a turn, nor for a person, nor the time between tries."""

import time
from datetime import timedelta
from typing import Any, cast

import pytest
from controlled import wait_for
from effects import Effects, durable_cells, fails
from hypothesis import given
from hypothesis import strategies as st
from sessions import Notebook

import stepwell
from stepwell.flow import Deadlines, Policies
from stepwell.inside import Form
from stepwell.inside._work import Work
from stepwell.orchestrator import Phase, Rest
from stepwell.testing import VirtualClock

HELD = """
@stepwell.durable(limit="model")
async def hold():
    effects.add("held")
    await asyncio.to_thread(effects.gate.wait)

@stepwell.durable(limit="model")
async def ask(what):
    effects.add(what)
    return what

@stepwell.durable(limit="model")
def look(what):
    effects.add(what)
    return what

@stepwell.durable(timeout=1)
async def around(what):
    return await ask(what)

@stepwell.durable(timeout=1)
def around_here(what):
    return look(what)

@stepwell.durable(timeout=1)
async def hangs(what):
    await asyncio.sleep(60)

@stepwell.durable(timeout=1)
async def asks():
    return await stepwell.ask("What?", str)

@stepwell.durable(timeout=1)
async def both():
    return await asyncio.gather(ask("x"), hangs_unseen())

@stepwell.durable
async def hangs_unseen():
    await asyncio.sleep(60)
"""


@pytest.fixture
def held(notebook: Notebook, effects: Effects) -> Notebook:
    """Somebody has the only turn, until the gate is open."""
    durable_cells(notebook, effects, HELD)
    notebook.names["stepwell"] = stepwell
    notebook.session.limit("model", concurrent=1)
    notebook.step("holder", "holder = await hold()")
    wait_for(lambda: effects.all == ["held"])
    return notebook


@pytest.mark.parametrize(
    "source", ["a = await around('x')", "a = await stepwell.call(around_here, 'x')"]
)
def test_waiting_for_a_turn_does_not_count_as_a_calls_time(
    held: Notebook, effects: Effects, source: str
) -> None:
    """Nor as that of the call around it: the time-out is for the work."""
    held.step("a", source)
    time.sleep(1.3)
    assert held.view("a").phase is Phase.RUNNING
    effects.gate.set()
    held.session.wait(["a"], timeout=20)
    assert held.names["a"] == "x"


def test_waiting_for_a_person_does_not_count_either(notebook: Notebook, effects: Effects) -> None:
    """A tool that asks somebody has time for what it does itself."""
    durable_cells(notebook, effects, HELD)
    notebook.names["stepwell"] = stepwell
    Form(str).check("what it takes to check answers is there")
    notebook.step("a", "a = await asks()")
    wait_for(lambda: bool(notebook.session.inbox()))
    time.sleep(1.3)
    notebook.session.decide("a", "answer", "this")
    notebook.session.wait(["a"], timeout=20)
    assert notebook.names["a"] == "this"


def test_a_call_that_works_beside_one_that_waits_is_timed(held: Notebook) -> None:
    """Or what hangs would never be ended."""
    assert "CallTimedOut" in fails(held, "a", "a = await hangs('x')")
    assert "CallTimedOut" in fails(held, "b", "b = await both()")


def test_waiting_for_a_turn_does_not_count_as_a_steps_time(
    held: Notebook, effects: Effects
) -> None:
    """Its own work does, and so does what hangs while a call beside it waits."""
    policies = Policies(deadlines=Deadlines(attempt=1))
    held.step("a", "a = await ask('x')", policies=policies)
    held.step("b", "b = await asyncio.gather(ask('y'), hangs_unseen())", policies=policies)
    wait_for(lambda: held.view("b").phase is Phase.FAILED)
    assert "took longer" in str(held.view("b").error)
    assert held.view("a").phase is Phase.RUNNING
    effects.gate.set()
    held.session.wait(["a"], timeout=20)
    assert held.names["a"] == "x"


def made(name: str, *, source: Any) -> Any:
    """A step of a script."""
    return stepwell.step(name=name, out=name, defer=True)(source)


def test_pauses_between_tries_go_by_the_clock_of_the_test() -> None:
    """Hours of backing off take no time, over threads and tasks alike."""
    tries: list[str] = []

    @stepwell.durable(retries=3, backoff=3600, max_backoff=10_000)
    def flaky(what: str) -> str:
        tries.append(what)
        if tries.count(what) < 4:
            raise ConnectionError(what)
        return what

    async def awaits() -> str:
        return await stepwell.call(flaky, "a")

    def blocks() -> str:
        return flaky("b")

    clock, begun = VirtualClock(), time.monotonic()
    begin = clock.time
    steps = [made("a", source=awaits), made("b", source=blocks)]
    with stepwell.run(steps=steps, clock=clock) as run:
        assert (run["a"], run["b"]) == ("a", "b")
    assert timedelta(hours=5) < clock.time - begin < timedelta(hours=12)
    assert time.monotonic() - begun < 5
    assert len(tries) == 8


def test_the_clock_of_a_test_goes_on_while_calls_wait_for_a_rate_alone() -> None:
    """Ten calls at one a minute are nine minutes, and no time; and not more than nine."""

    @stepwell.durable(limit="slowly")
    async def ask(n: int) -> int:
        return n

    async def many() -> list[int]:
        return [await ask(n) for n in range(10)]

    clock, begun = VirtualClock(), time.monotonic()
    begin = clock.time
    with stepwell.run(steps=[made("ready", source=lambda: 1)], clock=clock) as run:
        run.limit("slowly", rate=1)
        run.add([made("many", source=many)])
        run.wait(timeout=20)
        assert run["many"] == list(range(10))
    assert timedelta(minutes=8) <= clock.time - begin <= timedelta(minutes=10)
    assert time.monotonic() - begun < 5


def test_it_goes_on_while_steps_wait_for_a_rate_alone() -> None:
    """Three steps at one an hour: the last begins after two."""
    clock = VirtualClock()
    begin = clock.time
    steps = [
        stepwell.step(name=name, out=name, defer=True, limit="hourly")(lambda: 1) for name in "abc"
    ]
    with stepwell.run(steps=[made("ready", source=lambda: 1)], clock=clock) as run:
        run.limit("hourly", rate=1, per=3600)
        run.add(steps)
        run.wait(timeout=20)
    assert timedelta(hours=2) <= clock.time - begin < timedelta(hours=3)


def test_what_works_and_what_waits_is_told_from_the_innermost_outwards() -> None:
    """An attempt works as long as one call in it does."""
    told: list[str] = []
    root = Work(None, told.append)
    outer, inner, other = Work(root), Work(root), Work(root)
    inner = Work(outer)
    with outer, inner.waiting("wait"):
        assert told == []
        with inner:
            assert told == ["wait"]
            with other:
                assert told == ["wait", ""]
            with root.waiting("pause"):
                assert told == ["wait", "", "wait", "pause"]
        assert told[-1] == ""
    assert outer.worked > 0


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["run", "pause", "wait"]))))
def test_whatever_begins_and_ends_in_whichever_order(moves: list[tuple[int, str]]) -> None:
    """What is told agrees with what a look at everything finds."""
    told: list[str] = [""]
    root = Work(None, told.append)
    works = [root, Work(root), Work(root)]
    works += [Work(works[1]), Work(works[1])]
    works += [Work(works[3])]
    parents = {1: 0, 2: 0, 3: 1, 4: 1, 5: 3}
    open_ones: dict[tuple[int, str], Any] = {}

    def how(number: int) -> str:
        inside = [how(it) for it, parent in parents.items() if parent == number and runs(it)]
        inside += [kind for at, kind in open_ones if at == number and kind != "run"]
        return next((kind for kind in ("", "pause", "wait") if kind in inside), "")

    def runs(number: int) -> bool:
        return (number, "run") in open_ones

    for number, kind in moves:
        if (entered := open_ones.pop((number, kind), None)) is not None:
            entered.__exit__(None, None, None)
        elif (number, kind) != (0, "run"):
            made = works[number] if kind == "run" else works[number].waiting(cast("Rest", kind))
            made.__enter__()
            open_ones[number, kind] = made
        assert told[-1] == how(0)
    for it in works:
        assert it.worked >= 0
