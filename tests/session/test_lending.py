"""A limit that callers and the agents they call share: nobody waits for himself."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sessions import Notebook

import stepwell
from stepwell.flow import Policies
from stepwell.store import MemoryStore

MODEL = Policies(limit="model")


class Counter:
    """How many are at work at once, at most."""

    def __init__(self) -> None:
        self.most = self._now = 0
        self._lock = threading.Lock()

    async def work(self) -> None:
        """Some, for a moment."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        await asyncio.sleep(0.01)
        with self._lock:
            self._now -= 1


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """One at a time may ask the model."""
    made = Notebook(tmp_path, MemoryStore())
    made.names |= {"__name__": "__main__", "stepwell": stepwell, "asyncio": asyncio}
    made.names["counter"] = Counter()
    made.session.limit("model", concurrent=1)
    made.session.define_agent("helper(n: int) -> made", max_depth=5)
    yield made
    made.session.close()


def most(notebook: Notebook) -> int:
    """How many were at work at once."""
    counter: Any = notebook.names["counter"]
    return int(counter.most)


ALL = "whole = await asyncio.gather(*(helper(n) for n in range(4)))"


def test_agents_of_a_limited_step_take_turns_under_it(notebook: Notebook) -> None:
    """Their steps need the same limit: one at a time goes under their caller's."""
    notebook.step("make", "await counter.work()\nmade = n", flow="helper", policies=MODEL)
    assert notebook.done("whole", ALL, policies=MODEL) == [0, 1, 2, 3]
    assert most(notebook) == 1


def test_so_do_the_calls_that_agents_make(notebook: Notebook) -> None:
    """A call in an agent's step, too, is below the step that has called the agent."""
    notebook.names["work"] = stepwell.durable(limit="model")(notebook.names["counter"].work)
    notebook.step("make", "await work()\nmade = n", flow="helper")
    assert notebook.done("whole", ALL, policies=MODEL) == [0, 1, 2, 3]
    assert most(notebook) == 1


def test_so_do_agents_called_within_a_limited_call(notebook: Notebook) -> None:
    """What is around the run is the call that waits for it."""

    async def ask(n: int) -> Any:
        return await notebook.names["helper"](n)

    notebook.names["ask"] = stepwell.durable(limit="model")(ask)
    notebook.step("make", "await counter.work()\nmade = n", flow="helper", policies=MODEL)
    whole = "whole = await asyncio.gather(*(ask(n) for n in range(3)))"
    assert notebook.done("whole", whole) == [0, 1, 2]
    assert most(notebook) == 1


def test_so_do_agents_of_agents(notebook: Notebook) -> None:
    """However deep: each lends its turn to the next below."""
    source = "await counter.work()\nmade = n if n == 0 else await helper(n - 1)"
    notebook.step("make", source, flow="helper", policies=MODEL)
    assert notebook.done("whole", "whole = await helper(3)", policies=MODEL) == 0
    assert most(notebook) == 1
