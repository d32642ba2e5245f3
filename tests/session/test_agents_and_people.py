"""Questions that agents ask: in the same inbox, over restarts, at whatever depth."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stepwell
from stepwell.errors import NeedsPerson, StepFailed
from stepwell.flow import Approve, Deadlines, Policies
from stepwell.orchestrator import load, runs
from stepwell.session import Question
from stepwell.session._desk import ABSENT
from stepwell.store import MemoryStore
from stepwell.testing import VirtualClock
from tests.support.controlled import wait_for
from tests.support.sessions import Notebook

NOTE = """
def note(what):
    with open(place, "a") as file:
        file.write(what + " ")
"""


class Place:
    """A notebook whose agents ask; restarted at will, as long as its store lives."""

    def __init__(self, folder: Path, clock: VirtualClock | None = None) -> None:
        self.folder, self.store = folder, MemoryStore()
        self.clock = clock
        self.notebook = self.start()

    def start(self) -> Notebook:
        """A process on the store, with all cells run but the one that calls."""
        notebook = self.notebook = Notebook(self.folder, self.store, clock=self.clock)
        notebook.names.update(__name__="__main__", stepwell=stepwell, place=str(self.noted))
        exec(NOTE, notebook.names)
        notebook.session.define_agent("publisher(text: str) -> url", max_depth=10)
        notebook.step("draft", "note('draft')\ndraft = text.title()", flow="publisher")
        source = (
            "one = await stepwell.approve('Publish?', draft)\n"
            "two = await stepwell.ask('Where to?', str)\n"
            "url = f'{two}/{one}'"
        )
        notebook.step("publish", source, flow="publisher")
        notebook.session.define_agent("editor(text: str) -> spot", max_depth=10)
        notebook.step("edit", "note('edit')\nspot = await publisher(text)", flow="editor")
        return notebook

    @property
    def noted(self) -> Path:
        """What has run, outside of the store."""
        return self.folder / "ran"

    def kill(self) -> None:
        """The process is gone."""
        engine = self.notebook.session.engine
        engine.worker.close()
        engine.orchestrator.stop()

    def question(self) -> Question:
        """The only open one, once there is one."""
        session = self.notebook.session
        wait_for(lambda: len(session.inbox()) == 1)
        return session.inbox()[0]

    def decide(self, decision: str, value: object = ABSENT) -> None:
        """By its id."""
        self.notebook.session.desk.decide(self.question().id, decision, value)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """In memory."""
    made = Place(tmp_path)
    yield made
    made.notebook.session.close()


@pytest.fixture
def clock() -> VirtualClock:
    """Moved by hand."""
    return VirtualClock(auto=False)


@pytest.fixture
def timed(tmp_path: Path, clock: VirtualClock) -> Iterator[Place]:
    """One in which time passes as it is told."""
    made = Place(tmp_path, clock)
    yield made
    made.notebook.session.close()


def test_an_agent_within_an_agent_asks_a_person_twice(place: Place) -> None:
    """Each question once; the second comes after the first was decided."""
    place.notebook.step("a", "a = await editor('ice')")
    first = place.question()
    assert (first.asked.question, first.approval.step) == ("Publish?", "publish")
    # Whoever looks at the card of the step that waits for it all sees the question there.
    wait_for(lambda: place.notebook.pane.says("a: needs a person", "Publish?"))
    desk = place.notebook.session.desk
    assert desk.find("publisher/publish") == desk.find(f"{first.run}/publish") == first
    parents = {run: event.parent for run, _, event in runs(place.store)}
    assert parents[first.parent] == place.notebook.session.engine.run
    place.decide("approve")
    wait_for(lambda: place.question().asked.question == "Where to?")
    place.decide("answer", "here")
    place.notebook.session.wait(["a"], timeout=20)
    assert place.notebook.names["a"] == "here/Ice"
    assert place.noted.read_text().split() == ["edit", "draft"]


def test_what_an_agent_has_asked_survives_a_restart(place: Place) -> None:
    """Open before anything runs again, and decided then or after; nothing is done twice."""
    place.notebook.step("a", "a = await editor('ice')")
    asked = place.question().id
    place.kill()
    place.start()
    assert place.question().id == asked
    place.decide("approve")
    place.notebook.step("a", "a = await editor('ice')")
    wait_for(lambda: place.question().asked.question == "Where to?")
    place.kill()
    place.start().step("a", "a = await editor('ice')")
    place.decide("answer", "there")
    place.notebook.session.wait(["a"], timeout=20)
    assert place.notebook.names["a"] == "there/Ice"
    # The step that waited for its child runs again; what the child had completed does not.
    assert place.noted.read_text().split().count("draft") == 1
    assert len(runs(place.store)) == 3


def test_what_a_person_refuses_fails_all_the_way_up(place: Place) -> None:
    """With the reason; and stays so until somebody asks again."""
    place.notebook.step("a", "a = await editor('ice')")
    place.notebook.session.desk.decide(place.question().id, "reject", reason="too cold")
    with pytest.raises(StepFailed, match="agent 'editor' failed at its step 'edit'"):
        place.notebook.session.wait(["a"], timeout=20)
    states = [load(place.store, run) for run, _, _ in runs(place.store)]
    said = [step.error.message for state in states for step in state.steps.values() if step.error]
    assert any("too cold" in text for text in said)


def test_cancelling_takes_an_agents_question_away(place: Place) -> None:
    """Nobody is to answer for nothing."""
    place.notebook.step("a", "a = await editor('ice')")
    place.question()
    place.notebook.session.cancel(["a"])
    wait_for(lambda: place.notebook.session.inbox() == [])


def test_a_person_says_who_speaks_next(place: Place) -> None:
    """A conversation led from the inbox."""
    notebook = place.notebook
    exec(
        "from stepwell.patterns import manual\n"
        "def ann(turns):\n    return f'ann after {turns[-1].said}'\n"
        "def bob(turns):\n    return 'bob'\n",
        notebook.names,
    )
    notebook.step("talk", "talk = await manual('go', [ann, bob])")
    for name, after in (("bob", "user: go"), ("ann", "bob: bob"), ("stop", "ann: ann after bob")):
        wait_for(lambda after=after: place.question().asked.question.startswith(after))
        place.decide("answer", name)
    notebook.session.wait(["talk"], timeout=20)
    talk: Any = notebook.names["talk"]
    assert talk.speakers == ["bob", "ann"]


def test_a_step_of_an_agent_asks_before_it_runs(place: Place) -> None:
    """With its own inputs, which may be edited; over a restart as well."""

    def cells() -> Notebook:
        notebook = place.notebook
        notebook.session.define_agent("mailer(text: str) -> sent", max_depth=10)
        asks = Policies(approve=Approve(text="Send {text}?", edit=("text",)))
        notebook.step("send", "sent = 'sent ' + text", flow="mailer", policies=asks)
        notebook.step("b", "b = await mailer('ice')")
        return notebook

    cells()
    question = place.question()
    assert (question.asked.question, question.approval.step) == ("Send ice?", "send")
    place.kill()
    place.start()
    notebook = cells()
    notebook.session.desk.decide(place.question().id, "edit", {"text": "snow"})
    notebook.session.wait(["b"], timeout=20)
    assert notebook.names["b"] == "sent snow"


def test_a_cell_that_calls_an_agent_is_told_that_it_needs_a_person(place: Place) -> None:
    """At once, with what to type; run again, it goes on with the same run."""
    session, agent = place.notebook.session, place.notebook.names["publisher"]
    with pytest.raises(NeedsPerson, match="step 'publish' needs a person: Publish"):
        asyncio.run(session.call_agent(agent, ("ice",), {}))
    with pytest.raises(NeedsPerson, match="%stepwell approve publish"):
        session.wait(timeout=20)
    place.decide("approve")
    wait_for(lambda: place.question().asked.question == "Where to?")
    place.decide("answer", "here")
    assert asyncio.run(session.call_agent(agent, ("ice",), {})) == "here/Ice"
    assert len(runs(place.store)) == 2


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_callers_times_stand_still_while_its_agent_waits_for_a_person(
    timed: Place, clock: VirtualClock, is_killed: bool
) -> None:
    """Three days at two depths, with a restart between; what is worked afterwards counts."""
    hasty = Policies(deadlines=Deadlines(attempt=60.0, total=60.0, stall=60.0))
    timed.notebook.step("a", "a = await editor('ice')", policies=hasty)
    timed.question()
    clock.advance("3d")
    if is_killed:
        timed.kill()
        timed.start().step("a", "a = await editor('ice')", policies=hasty)
        wait_for(lambda: timed.notebook.session.state.patient)
        clock.advance("3d")
    timed.decide("approve")
    wait_for(lambda: timed.question().asked.question == "Where to?")
    clock.advance("3d")
    timed.decide("answer", "here")
    timed.notebook.session.wait(["a"], timeout=20)
    assert timed.notebook.names["a"] == "here/Ice"


def test_a_callers_times_stand_still_while_its_agent_sleeps_durably(
    timed: Place, clock: VirtualClock
) -> None:
    """Or waits for a message; a child that works for too long is too long."""
    notebook = timed.notebook
    notebook.session.define_agent("napper(days: int) -> word", max_depth=10)
    source = "await stepwell.sleep(f'{days}d')\nword = await stepwell.receive('wake')"
    notebook.step("nap", source, flow="napper")
    hasty = Policies(deadlines=Deadlines(attempt=60.0))
    notebook.step("a", "a = await napper(2)", policies=hasty)
    wait_for(lambda: notebook.session.state.patient)
    clock.advance("2d")
    child = runs(timed.store)[-1][0]
    wait_for(lambda: notebook.session.engine.orchestrator.state(child).receivers)
    clock.advance("1h")
    notebook.session.send(child, "wake", "up")
    notebook.session.wait(["a"], timeout=20)
    assert notebook.names["a"] == "up"
