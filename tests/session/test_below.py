"""Verbs that reach the runs of agents, and their steps."""

from pathlib import Path
from typing import Any

import pytest

from stepwell.errors import InvalidUsage, StepFailed, UnknownStep
from stepwell.flow import Policies, Retry
from stepwell.orchestrator import load, runs
from stepwell.session._below import find_below, names_below
from stepwell.session._diffing import history
from stepwell.session._recalling import rerun_below
from stepwell.store import MemoryStore
from tests.support.controlled import wait_for
from tests.support.sessions import Notebook

TICK = """
def tick(what):
    with open(place, "a") as file:
        file.write(what + " ")
    with open(place) as file:
        return len(file.read().split())
"""


class Cells(Notebook):
    """A notebook with an agent that calls another, and notes what runs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, MemoryStore())
        self.noted = folder / "ran"
        self.names |= {"place": str(self.noted), "__name__": "__main__", "naps": 0.0}
        exec(TICK, self.names)
        session = self.session
        session.define_agent("reader(topic: str) -> notes", max_depth=10)
        self.step("look", "seen = tick('look')", flow="reader")
        source = "import asyncio\ntick('read')\nawait asyncio.sleep(naps)\nnotes = f'{topic}{seen}'"
        self.step("read", source, flow="reader")
        session.define_agent("editor(topic: str) -> text", max_depth=10)
        self.step("plan", "tick('plan')\nwanted = topic", flow="editor")
        self.step("edit", "tick('edit')\ntext = await reader(wanted)", flow="editor")

    def ran(self) -> list[str]:
        """What has run."""
        return self.noted.read_text().split() if self.noted.exists() else []

    def run_of(self, agent: str, nth: int = 0) -> str:
        """The id of its run."""
        store = self.session.engine.store
        return [run for run, _, event in runs(store) if event.flow == agent][nth]

    def settled(self, agent: str, nth: int = 0) -> str:
        """How it has ended."""
        return load(self.session.engine.store, self.run_of(agent, nth)).settled


@pytest.fixture
def notebook(tmp_path: Path) -> Any:
    """In memory."""
    made = Cells(tmp_path)
    yield made
    made.session.close()


@pytest.mark.parametrize("way", ["reader", "reader/read", "RUN", "RUN/read"])
def test_a_child_is_cancelled_alone(notebook: Cells, way: str) -> None:
    """Its caller's call fails and says so, and is not tried again; a sibling goes on."""
    notebook.names["naps"] = 60.0
    notebook.session.define_agent("quick(n: int) -> out", max_depth=10)
    notebook.step("nap", "out = n", flow="quick")
    source = (
        "import asyncio\nboth = (quick(1), editor('ice'))\n"
        "a = [str(it) for it in await asyncio.gather(*both, return_exceptions=True)]"
    )
    trying = Policies(retry=Retry(retries=2, backoff=0.01))
    notebook.step("a", source, outputs=["a"], policies=trying)
    wait_for(lambda: notebook.ran().count("read") == 1)
    notebook.session.cancel([way.replace("RUN", notebook.run_of("reader"))])
    notebook.session.wait(["a"], timeout=20)
    one, two = notebook.names["a"]
    assert one == "1"
    assert (
        "agent 'editor' failed at its step 'edit': AgentFailed: agent 'reader' was cancelled" in two
    )
    assert (notebook.settled("reader"), notebook.settled("editor")) == ("cancelled", "failed")
    assert notebook.ran().count("read") == 1


def test_what_was_cancelled_alone_goes_on_when_its_caller_is_asked_for_again(
    notebook: Cells,
) -> None:
    """The same runs; what was done is not done again."""
    notebook.names["naps"] = 60.0
    notebook.step("a", "a = await editor('ice')")
    wait_for(lambda: notebook.ran().count("read") == 1)
    notebook.session.cancel(["reader"])
    with pytest.raises(StepFailed, match="agent 'editor' failed at its step 'edit'"):
        notebook.session.wait(["a"], timeout=20)
    notebook.names["naps"] = 0.0
    assert notebook.done("a", "a = await editor('ice')") == "ice3"
    assert len(runs(notebook.session.engine.store)) == 3
    assert notebook.ran().count("look") == 1


def test_a_step_of_a_run_below_runs_again(notebook: Cells) -> None:
    """With who has called it, for its sake; nothing else of them does, nor is a run begun."""
    assert notebook.done("a", "tick('a')\na = await editor('ice')") == "ice4"
    rerun_below(notebook.session, "reader/look")
    notebook.session.wait(["a"], timeout=20)
    assert notebook.names["a"] == "ice8"
    again = notebook.ran()[6:]
    assert notebook.ran()[:5] == ["a", "plan", "edit", "look", "read"]
    assert notebook.ran()[5:7] == ["a", "edit"]
    assert sorted(again) == ["edit", "look", "read"]
    assert len(runs(notebook.session.engine.store)) == 3


def test_a_step_of_a_run_that_a_cell_has_called_runs_again(notebook: Cells) -> None:
    """At once: nobody has to ask for it."""
    session = notebook.session
    session.start_agent(notebook.names["reader"], ("ice",), {})
    session.wait(timeout=20)
    rerun_below(session, f"{notebook.run_of('reader')[:8]}/read")
    session.wait(timeout=20)
    assert notebook.ran() == ["look", "read", "read"]


def test_a_run_that_is_going_on_is_not_made_to_run_again(notebook: Cells) -> None:
    """Nor a whole run, nor one that an item has called: each says what to do."""
    notebook.names["naps"] = 60.0
    notebook.step("a", "a = await reader('ice')")
    wait_for(lambda: notebook.ran() == ["look", "read"])
    with pytest.raises(InvalidUsage, match="is going on; wait for it"):
        rerun_below(notebook.session, "reader/look")
    with pytest.raises(InvalidUsage, match="'reader' is a run; name the step of it"):
        rerun_below(notebook.session, "reader")
    with pytest.raises(UnknownStep, match="there is no step 'lost'"):
        rerun_below(notebook.session, "lost")


def test_the_past_of_an_agents_step_is_its_own(notebook: Cells) -> None:
    """In all of its runs, or in one; a step of the notebook's of that name is another."""
    notebook.step("look", "mine = 1")
    notebook.done("a", "a = [await reader('a'), await reader('b')]")
    first, second = notebook.run_of("reader"), notebook.run_of("reader", 1)
    shown = [
        str(history(notebook.session, f"{where}/look").bundle["text/plain"])
        for where in ("reader", first[:9])
    ]
    assert [(first in it, second in it) for it in shown] == [(True, True), (True, False)]
    assert not any(notebook.session.engine.run in it for it in shown)
    notebook.session.begin_fresh()
    notebook.done("a", "a = await reader('c')")
    assert first in str(history(notebook.session, "reader/look").bundle["text/plain"])


def test_an_agents_step_is_forgotten(notebook: Cells) -> None:
    """Who calls it next calls what is left; what its runs have done stays."""
    notebook.done("a", "a = await reader('a')")
    notebook.step("read", "notes = 'new ' + topic", flow="reader")
    notebook.session.forget("reader/look")
    assert [step.name for step in notebook.session.state.agents["reader"]] == ["read"]
    assert notebook.done("a", "a = await reader('a')") == "new a"
    assert list(names_below(notebook.session.engine)) == [
        "reader/read",
        "editor/plan",
        "editor/edit",
    ]
    with pytest.raises(UnknownStep, match="'reader/lok'"):
        notebook.session.forget("reader/lok")


def test_a_name_that_may_mean_several_runs_lists_them(notebook: Cells) -> None:
    """With what each was called with."""
    notebook.done("a", "a = [await reader('a'), await reader('b')]")
    engine = notebook.session.engine
    with pytest.raises(InvalidUsage, match="may mean 2 runs; name one") as caught:
        find_below(engine, "reader/look")
    assert f'{notebook.run_of("reader")}/look (topic="a")' in str(caught.value)
    with pytest.raises(UnknownStep, match=r"'reader/lok'\. Did you mean 'reader/look'"):
        find_below(engine, "reader/lok")
    with pytest.raises(InvalidUsage, match="nothing of 'reader' is going on"):
        notebook.session.cancel(["reader"])
    with pytest.raises(InvalidUsage, match="agent 'editor' has not been called in this run"):
        find_below(engine, "editor")
    assert find_below(engine, "nobody") is None


def test_a_group_of_errors_says_the_first_of_them(notebook: Cells) -> None:
    """Of a child that was cancelled among others, in a task group."""
    notebook.names["naps"] = 60.0
    source = (
        "import asyncio\nasync with asyncio.TaskGroup() as group:\n"
        "    one = group.create_task(reader('ice'))\na = one.result()"
    )
    notebook.step("a", source, outputs=["a"])
    wait_for(lambda: notebook.ran() == ["look", "read"])
    with pytest.raises(UnknownStep, match="Did you mean 'reader'"):
        notebook.session.cancel(["redaer"])
    notebook.session.cancel(["reader"])
    with pytest.raises(StepFailed, match=r"\): AgentFailed: agent 'reader' was cancelled"):
        notebook.session.wait(["a"], timeout=20)
