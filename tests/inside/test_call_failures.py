"""Calls that fail: tried again, given up, remembered, raised as what they were."""

import pytest
from controlled import wait_for
from effects import Effects, as_if_killed, durable_cells, fails, written
from sessions import Notebook

FLAKY = """
class Busy(Exception):
    def __init__(self, service, *, seconds):
        super().__init__(f"{service} is busy")
        self.service, self.seconds = service, seconds

class Limited(Exception):
    status_code = 429

@stepwell.durable(retries=3, backoff=0.001)
async def flaky(times):
    effects.add(times)
    if len(effects.all) <= times:
        raise Limited("slow down")
    return len(effects.all)

@stepwell.durable(retries=3, backoff=0.001)
def flaky_here(times):
    effects.add(times)
    if len(effects.all) <= times:
        raise ConnectionError("gone")
    return len(effects.all)

@stepwell.durable
def book(service):
    effects.add(service)
    raise Busy(service, seconds=3)
"""


@pytest.fixture(autouse=True)
def tools(notebook: Notebook, effects: Effects) -> None:
    """Services that fail."""
    durable_cells(notebook, effects, FLAKY)


@pytest.mark.parametrize("line", ["a = await flaky(2)", "a = flaky_here(2)"])
def test_what_is_likely_to_pass_is_tried_again(
    notebook: Notebook, effects: Effects, line: str
) -> None:
    """Within the call: the step notices nothing."""
    assert notebook.done("a", line) == 3
    assert notebook.view("a").attempt == 1
    (done,) = written(notebook, "call_completed")
    assert done["attempts"] == 3


@pytest.mark.parametrize("line", ["a = await flaky(9)", "a = flaky_here(9)"])
def test_after_so_many_retries_it_has_failed(
    notebook: Notebook, effects: Effects, line: str
) -> None:
    """One try and as many retries as were allowed."""
    assert "slow down" in (said := fails(notebook, "a", line)) or "gone" in said
    assert effects.take() == [9, 9, 9, 9]
    (failed,) = written(notebook, "call_failed")
    assert failed["attempts"] == 4


def test_a_mistake_is_not_tried_again(notebook: Notebook, effects: Effects) -> None:
    """Trying again does not mend a `ValueError`."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable(retries=5, backoff=0)\n"
        "def wrong(): effects.add('wrong'); raise ValueError('no')\n"
        "@stepwell.durable(retries=5, backoff=0)\n"
        "def over(): effects.add('over'); raise stepwell.TerminalError('never')\n"
        "@stepwell.durable(retries=2, backoff=0, retry_on=KeyError)\n"
        "def told(): effects.add('told'); raise KeyError('k')\n",
    )
    fails(notebook, "a", "wrong()")
    fails(notebook, "b", "over()")
    fails(notebook, "c", "told()")
    assert effects.take() == ["wrong", "over", "told", "told", "told"]


HANGING = """
@stepwell.durable(retries=3, backoff=0.001)
def hanging():
    effects.add('try')
    if len(effects.all) == 3 and not effects.gate.is_set():
        effects.add('hangs')
        effects.gate.wait(60)
        raise SystemExit
    raise ConnectionError('gone')
"""


def test_a_crash_during_retries_leaves_the_remaining_attempts(
    notebook: Notebook, effects: Effects
) -> None:
    """Two tries before the kill and two after it: no more than were allowed."""
    durable_cells(notebook, effects, HANGING)
    notebook.step("a", "hanging()")
    wait_for(lambda: "hangs" in effects.all)
    again = as_if_killed(notebook, effects, HANGING)
    effects.gate.set()
    effects.take()
    fails(again, "a", "hanging()")
    assert effects.take() == ["try", "try"]
    again.session.close()


# -- failures that are remembered --------------------------------------------------------------

CAUTIOUS = """
try:
    a = [book("hotel")]
except Busy as error:
    a = [type(error).__name__, error.service, error.seconds, str(error)]
effects.add("went on")
effects.gate.wait(60)
"""


def test_a_final_failure_is_raised_again_as_it_was(notebook: Notebook, effects: Effects) -> None:
    """A custom exception with required arguments: its type, its attributes, its words."""
    notebook.step("a", CAUTIOUS)
    wait_for(lambda: "went on" in effects.all)
    again = as_if_killed(notebook, effects, FLAKY)
    effects.gate.set()
    assert effects.take() == ["hotel", "went on"]
    assert again.done("a", CAUTIOUS) == ["Busy", "hotel", 3, "hotel is busy"]
    assert effects.take() == ["went on"]
    again.session.close()


def test_an_error_that_cannot_be_stored_keeps_type_and_message(
    notebook: Notebook, effects: Effects
) -> None:
    """One that holds a connection comes back as `CallFailed`."""
    source = (
        "import threading\n"
        "class Holding(Exception): pass\n"
        "def hold(): effects.add('hold'); raise Holding('it holds', threading.Lock())\n"
    )
    durable_cells(notebook, effects, source)
    cell = (
        "try: await stepwell.call(hold)\n"
        "except Exception as error: a = [type(error).__name__, 'it holds' in str(error)]\n"
        "effects.add('went on')\n"
        "await asyncio.to_thread(effects.gate.wait, 20)\n"
    )
    notebook.step("a", cell)
    wait_for(lambda: "went on" in effects.all)
    again = as_if_killed(notebook, effects, source)
    effects.gate.set()
    effects.take()
    assert again.done("a", cell) == ["CallFailed", True]
    assert effects.take() == ["went on"]
    again.session.close()


def test_a_checkpointed_failure_can_be_tried_again(notebook: Notebook, effects: Effects) -> None:
    """Whoever runs a failed step again does not get the old error from the store."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable\n"
        "def pay():\n"
        "    effects.add('pay')\n"
        "    if not effects.gate.is_set(): raise ValueError('no money')\n"
        "    return 'paid'\n",
    )
    fails(notebook, "a", "a = [read('x'), pay()]")
    effects.gate.set()
    assert notebook.done("a", "a = [read('x'), pay()]") == [1, "paid"]
    assert effects.take() == ["x", "pay", "pay"]


# -- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["a = await slow()", "a = await stepwell.call(slow_here)", "a = slow_here()"],
)
def test_a_try_that_takes_too_long_is_given_up(
    notebook: Notebook, effects: Effects, line: str
) -> None:
    """It counts as a failure that may pass; the error is a `TimeoutError`, too."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable(timeout=0.02, retries=1, backoff=0)\n"
        "async def slow(): effects.add('slow'); await asyncio.sleep(20)\n"
        # A thread has to have begun by then, however busy the machine is.
        "@stepwell.durable(timeout=0.5, retries=1, backoff=0)\n"
        "def slow_here(): effects.add('slow'); effects.gate.wait(60)\n",
    )
    cell = f"try: {line}\nexcept TimeoutError as error: a = str(error)"
    assert "longer than 0." in notebook.done("a", cell)
    assert effects.take() == ["slow", "slow"]


def test_a_cancelled_call_leaves_nothing_behind(notebook: Notebook, effects: Effects) -> None:
    """Another task's failure cancels it: made again next time, not remembered as failed."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable\n"
        "async def waits():\n"
        "    effects.add('waits')\n"
        "    if not effects.gate.is_set(): await asyncio.sleep(20)\n"
        "    return 1\n"
        "async def breaks():\n"
        "    await asyncio.sleep(0)\n"
        "    if not effects.gate.is_set(): raise ValueError\n"
        "    return 2\n",
    )
    cell = (
        "async with asyncio.TaskGroup() as _g:\n"
        "    _one, _two = _g.create_task(waits()), _g.create_task(breaks())\n"
        "a = [_one.result(), _two.result()]"
    )
    fails(notebook, "a", cell)
    assert written(notebook, "call_completed", "call_failed") == []
    effects.gate.set()
    assert notebook.done("a", cell) == [1, 2]


def test_an_attempt_that_was_given_up_makes_no_further_calls(
    notebook: Notebook, effects: Effects
) -> None:
    """Its next call ends it: what it would do from there on is not kept."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable\n"
        "def first(): effects.add('first'); effects.gate.wait(60)\n"
        "@stepwell.durable\n"
        "def second(): effects.add('second')\n",
    )
    notebook.step("a", "first()\nsecond()")
    wait_for(lambda: effects.all == ["first"])
    notebook.session.cancel(["a"])
    effects.gate.set()
    wait_for(lambda: not at_work(notebook))
    assert effects.all == ["first"]


def at_work(notebook: Notebook) -> bool:
    """Whether a thread of the worker still runs a step."""
    tasks: dict[object, object] = vars(notebook.session.engine.worker)["_tasks"]
    return bool(tasks)


def test_the_idempotency_key_is_the_calls_own(notebook: Notebook, effects: Effects) -> None:
    """The same for every try at the call, another one for every other call."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable(retries=2, backoff=0)\n"
        "def pay(who):\n"
        "    effects.add(stepwell.current().idempotency_key)\n"
        "    if len(effects.all) == 1: raise ConnectionError\n",
    )
    notebook.done("a", "pay('x'); pay('y'); a = stepwell.current().idempotency_key")
    first, again, other = effects.take()
    assert first == again != other
    assert notebook.names["a"] not in (first, other)
