"""Durable calls that share a limit, with each other and with steps."""

import pytest
from controlled import wait_for
from effects import Effects, as_if_killed, durable_cells, fails, written
from sessions import Notebook

from stepwell.defining import Policies
from stepwell.errors import StepCancelled, StepFailed
from stepwell.session import SessionNotebook

MODEL = """
import contextlib, threading

class Room:
    def __init__(self):
        self.now, self.most, self.lock = 0, 0, threading.Lock()

    @contextlib.contextmanager
    def entered(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield
        finally:
            with self.lock:
                self.now -= 1

room = Room()

@stepwell.durable(limit="model")
async def ask(question):
    with room.entered():
        effects.add(question)
        await asyncio.sleep(0.005)
        return question

@stepwell.durable(limit="model")
def look(word):
    with room.entered():
        effects.add(word)
        effects.gate.wait(20)
        return word

@stepwell.durable(limit="model")
async def around(word):
    return await ask(word)

@stepwell.durable(limit="model", retries=2, backoff=0.001)
async def flaky(word):
    effects.add(word)
    if len(effects.all) < 3:
        raise ConnectionError
    return word

@stepwell.durable(limit="model", timeout=0.01)
async def slow(word):
    effects.add(word)
    await asyncio.sleep(60)

@stepwell.durable(limit="model")
async def pieces(word):
    with room.entered():
        for letter in word:
            await asyncio.sleep(0.001)
            yield letter
"""


@pytest.fixture(autouse=True)
def tools(notebook: Notebook, effects: Effects) -> None:
    """A model that says how many are with it."""
    durable_cells(notebook, effects, MODEL)


def most(notebook: Notebook) -> int:
    """So many were with the model at once."""
    return int(notebook.names["room"].most)


def test_no_more_calls_at_once_than_the_limit_says(notebook: Notebook, effects: Effects) -> None:
    """Of all steps together, in code that awaits and on threads."""
    effects.gate.set()
    notebook.session.limit("model", concurrent=2)
    notebook.step("a", "a = await asyncio.gather(*[ask(n) for n in range(10)])")
    notebook.step("b", "b = await asyncio.gather(*[stepwell.call(look, n) for n in range(10)])")
    notebook.step("c", "c = [look(n) for n in range(5)]")
    notebook.step("d", "d = [''.join([it async for it in pieces(w)]) for w in ('ab', 'cd')]")
    notebook.session.wait(["a", "b", "c", "d"], timeout=60)
    assert notebook.names["d"] == ["ab", "cd"]
    assert len(effects.take()) == 25
    assert most(notebook) == 2


def test_a_limit_of_one_stops_nobody_for_good(notebook: Notebook, effects: Effects) -> None:
    """Neither a limited step that calls, nor a call that calls, nor one that fails."""
    notebook.session.limit("model", concurrent=1)
    both = Policies(limit="model")
    source = "a = await asyncio.gather(*[around(n) for n in range(4)])"
    assert notebook.done("a", source, policies=both) == [0, 1, 2, 3]
    assert most(notebook) == 1
    effects.take()
    assert notebook.done("b", "b = await flaky('x')") == "x"
    assert "CallTimedOut" in fails(notebook, "c", "c = await slow('y')")
    assert notebook.done("d", "d = await ask('z')") == "z"


def test_what_is_answered_from_the_store_needs_no_turn(
    notebook: Notebook, effects: Effects
) -> None:
    """Nobody waits for what costs nothing."""
    fails(notebook, "a", "a = await ask('x')\nraise ValueError")
    notebook.session.limit("model", concurrent=1)
    notebook.step("b", "b = look('held')")
    wait_for(lambda: "held" in effects.all)
    assert notebook.done("a", "a = await ask('x')") == "x"
    effects.gate.set()
    notebook.session.wait(["b"], timeout=20)


def test_a_cancelled_step_holds_nothing(notebook: Notebook, effects: Effects) -> None:
    """Neither the one that had its turn, nor those that waited."""
    notebook.session.limit("model", concurrent=1)
    notebook.step(
        "a", "a = await asyncio.gather(*[ask(f'{n}') for n in range(1000)], around('forever'))"
    )
    wait_for(lambda: effects.all)
    notebook.session.cancel("a")
    with pytest.raises((StepCancelled, StepFailed)):
        notebook.session.wait(["a"], timeout=20)
    assert notebook.done("b", "b = await ask('after')") == "after"


def test_after_a_kill_nothing_is_held(notebook: Notebook, effects: Effects) -> None:
    """What had its turn when the process died makes its call anew; what was done stays done."""
    notebook.session.limit("model", concurrent=1)
    source = "a = [await ask('x'), *[await stepwell.call(look, n) for n in range(2)]]"
    notebook.step("a", source)
    wait_for(lambda: len(effects.all) == 2)
    again = as_if_killed(notebook, effects, MODEL)
    effects.take()
    effects.gate.set()
    again.step("a", source)
    again.session.wait(["a"], timeout=20)
    assert effects.take()[-2:] == [0, 1]
    assert len(written(again, "call_completed")) == 3
    again.session.close()


def test_a_call_that_would_stop_the_loop_it_waits_for_is_refused(notebook: Notebook) -> None:
    """With what to write instead, and nothing is remembered of it."""
    error = fails(notebook, "a", "await asyncio.sleep(0)\na = look('x')")
    assert "await stepwell.call(look" in error
    assert written(notebook, "call_failed") == []


CROSSED = """
import threading
barrier = threading.Barrier(2, timeout=20)

def crossed(retries):
    def turn(name, other):
        @stepwell.durable(name=f"{name}{retries}", limit=name, retries=retries, backoff=0.01)
        async def outer():
            if f"{name}{retries}" not in effects.all:
                effects.add(f"{name}{retries}")
                await asyncio.to_thread(barrier.wait)
            return await inner()

        @stepwell.durable(name=f"in {other}", limit=other)
        async def inner():
            return name + other
        return outer
    return turn("a", "b"), turn("b", "a")
"""


def test_limits_that_are_taken_crosswise_stop_nobody_for_ever(
    notebook: Notebook, effects: Effects
) -> None:
    """One of two is refused and told both names; where it is tried again, it goes through."""
    durable_cells(notebook, effects, CROSSED)
    for name in ("a", "b"):
        notebook.session.limit(name, concurrent=1)
    gather = "_x, _y = crossed({})\n{} = await asyncio.gather(_x(), _y())"
    said = fails(notebook, "a", gather.format(0, "a"))
    assert "LimitsCrossed" in said
    assert "'a'" in said
    assert "'b'" in said
    assert notebook.done("b", gather.format(3, "b")) == ["ab", "ba"]


def test_who_shares_a_limit_is_told(notebook: Notebook, effects: Effects) -> None:
    """Steps and calls that hold a turn, and those that wait for one."""
    shown = SessionNotebook(notebook.session, None).limit

    def said() -> str:
        return str(shown().bundle["text/plain"])

    notebook.session.limit("model", concurrent=2)
    assert said() == "model: 2 at once; no step of this notebook has it, and no call holds a turn"
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable(limit='model')\ndef hold(n):\n    effects.gate.wait(20)\n    return n\n",
    )
    limited = Policies(limit="model")
    notebook.step("a", "a = effects.gate.wait(20)", policies=limited)
    notebook.step("b", "b = await asyncio.gather(*[stepwell.call(hold, n) for n in range(4)])")
    wait_for(lambda: "waiting: hold() in b (3 times)" in said())
    assert "shared by a; now: step a, hold() in b; waiting: hold() in b (3 times)" in said()
    effects.gate.set()
    notebook.session.wait(["a", "b"], timeout=20)
    wait_for(lambda: said() == "model: 2 at once; shared by a")
