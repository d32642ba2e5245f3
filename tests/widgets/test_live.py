"""The live layer: snapshots, changes and answers, over a link that remembers."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from controlled import wait_for

from stepwell.errors import InvalidUsage
from stepwell.orchestrator import Phase, RunView, StepView
from stepwell.widgets import Live, Message, Spans
from stepwell.widgets import _live as module


class Wire:
    """A link that keeps what was said, and when."""

    def __init__(self) -> None:
        self.said: list[tuple[float, Message]] = []
        self.is_closed = False
        self._more = threading.Condition()

    def send(self, message: Message) -> None:
        """Keep it."""
        with self._more:
            self.said.append((time.monotonic(), message))
            self._more.notify_all()

    def display(self) -> dict[str, object]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """No more."""
        self.is_closed = True

    def of(self, kind: str) -> list[Message]:
        """All messages of a kind."""
        return [message for _, message in self.said if message["kind"] == kind]

    def wait(self, is_there: Callable[[], Any]) -> None:
        """Until something has been said."""
        with self._more:
            assert self._more.wait_for(is_there, 10)


class Desk:
    """A source with steps of the test's making."""

    def __init__(self) -> None:
        self.views: dict[str, StepView] = {}
        self.kept = 0
        self.cut_off = False
        self.promised: Future[str] = Future()

    def set(self, name: str, phase: Phase, attempt: int = 1) -> None:
        """A step as it stands."""
        self.views[name] = StepView(name=name, run="r", phase=phase, attempt=attempt)

    def run(self) -> RunView:
        """All of it."""
        return RunView(run="r", flow="", status="running", steps=tuple(self.views.values()))

    def steps(self, names: Iterable[str]) -> tuple[RunView, list[StepView]]:
        """Some of it."""
        views = [self.views[name] for name in names if name in self.views]
        return RunView(run="r", flow="", status="running"), views

    def spans(self) -> Spans:
        """No attempts."""
        return Spans()

    def is_cut_off(self) -> bool:
        """As the test says."""
        return self.cut_off

    def verbs(self) -> list[str]:
        """One."""
        return ["run"]

    def answer(self, kind: str, message: Message) -> object:
        """Whatever the test wants."""
        if kind == "refused":
            raise InvalidUsage("not like this")
        if kind == "broken":
            raise ZeroDivisionError("oh")
        return self.promised if kind == "later" else {"kind": kind, "got": message.get("what")}

    def keep(self) -> None:
        """Count."""
        self.kept += 1


@pytest.fixture
def desk() -> Desk:
    """Two steps."""
    made = Desk()
    made.set("a", Phase.RUNNING)
    made.set("b", Phase.WAITING, 0)
    return made


@pytest.fixture
def wire() -> Wire:
    """The link."""
    return Wire()


@pytest.fixture
def live(desk: Desk, wire: Wire) -> Iterator[Live]:
    """An open view."""
    made = Live(desk, lambda hear: wire)
    made.open()
    yield made
    made.close()
    assert wire.is_closed


def test_who_comes_is_told_everything(live: Live, wire: Wire) -> None:
    """A snapshot answers hello, with what can be done."""
    live.hear({"kind": "hello"})
    wire.wait(lambda: wire.of("snapshot"))
    [said] = wire.of("snapshot")
    assert said["run"] == {"id": "r", "status": "running"}
    assert [step["name"] for step in said["steps"]] == ["a", "b"]
    assert said["verbs"] == ["run"]


def test_changes_are_whole_states_numbered_without_gaps(live: Live, wire: Wire, desk: Desk) -> None:
    """What has not changed is not told; numbers show what was lost."""
    live.hear({"kind": "hello"})
    wire.wait(lambda: wire.of("snapshot"))
    desk.set("a", Phase.COMPLETED)
    live.changed(["a", "b"])
    wire.wait(lambda: wire.of("changes"))
    [said] = wire.of("changes")
    assert said["steps"] == [{"name": "a", "state": "done", "attempt": 1}]
    assert said["number"] == wire.of("snapshot")[0]["number"] + 1


def test_no_more_than_ten_messages_a_second(live: Live, wire: Wire, desk: Desk) -> None:
    """However fast things change; and the last state is always told."""
    live.hear({"kind": "hello"})
    wire.wait(lambda: wire.of("snapshot"))
    began = time.monotonic()
    attempt = 1
    while time.monotonic() - began < 1.0:
        attempt += 1
        desk.set("a", Phase.RUNNING, attempt)
        live.changed(["a"])
        time.sleep(0.001)

    def is_told() -> bool:
        return any(
            step["attempt"] == attempt for said in wire.of("changes") for step in said["steps"]
        )

    wire.wait(is_told)
    assert attempt > 100
    assert len(wire.of("changes")) <= 12


def test_requests_are_answered_or_refused(live: Live, wire: Wire) -> None:
    """Each by its id, our refusals in their own words, mistakes of ours by their type."""
    live.hear({"kind": "echo", "id": "1", "what": "x"})
    live.hear({"kind": "refused", "id": "2"})
    live.hear({"kind": "broken", "id": "3"})
    wire.wait(lambda: len(wire.of("answer")) == 3)
    assert wire.of("answer") == [
        {"kind": "answer", "id": "1", "value": {"kind": "echo", "got": "x"}},
        {"kind": "answer", "id": "2", "error": "not like this", "type": "InvalidUsage"},
        {
            "kind": "answer",
            "id": "3",
            "error": "ZeroDivisionError: oh",
            "type": "ZeroDivisionError",
        },
    ]


def test_what_takes_long_holds_nobody_up(live: Live, wire: Wire, desk: Desk) -> None:
    """A promise is answered when it is kept, others in the meantime."""
    live.hear({"kind": "later", "id": "1"})
    live.hear({"kind": "echo", "id": "2"})
    wire.wait(lambda: wire.of("answer"))
    assert [said["id"] for said in wire.of("answer")] == ["2"]
    desk.promised.set_result("done")
    wire.wait(lambda: len(wire.of("answer")) == 2)
    assert wire.of("answer")[1]["value"] == "done"


def test_cells_follow_while_nobody_has_a_live_view(live: Live, wire: Wire, desk: Desk) -> None:
    """Without a front end that answers, what stands in the cells is kept up to date."""
    live.changed(["a"])
    end = time.monotonic() + 60
    while not desk.kept:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert wire.said == []


def test_a_long_run_is_told_in_parts(live: Live, wire: Wire, desk: Desk) -> None:
    """Ten thousand steps come in messages of a thousand, all under one number."""
    for number in range(9_998):
        desk.set(f"s{number}", Phase.COMPLETED)
    live.hear({"kind": "hello"})
    wire.wait(lambda: len(wire.said) == 10)
    parts = [message for _, message in wire.said]
    assert [part["kind"] for part in parts] == ["snapshot"] + ["more"] * 9
    assert {part["number"] for part in parts} == {1}
    assert sum(len(part["steps"]) for part in parts) == 10_000


def test_cells_follow_at_once_when_another_run_goes_on(live: Live, wire: Wire, desk: Desk) -> None:
    """After a fork what stands in the cells is the run that is looked at."""
    live.hear({"kind": "hello"})
    end = time.monotonic() + 10
    while not desk.kept:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_page_that_could_not_ask_is_told_of_a_new_widget(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a cell computes and nobody answers; not while somebody does, or nobody needs it."""
    monkeypatch.setattr(module, "SILENT", 0.05)
    monkeypatch.setattr(module, "ANSWER", 0.1)
    wires: list[Wire] = []

    def connect(hear: Callable[[Message], None]) -> Wire:
        wires.append(Wire())
        return wires[-1]

    live = Live(desk, connect)
    live.open()
    wait_for(lambda: bool(wires) and len(wires[0].of("there?")) > 1)
    assert len(wires) == 1
    desk.cut_off = True
    wait_for(lambda: len(wires) > 1 and wires[0].is_closed)
    desk.cut_off = False
    asked = len(wires[-1].of("there?"))
    live.hear({"kind": "here"})
    wait_for(lambda: len(wires[-1].of("there?")) > asked)
    live.close()
    assert wires[-1].is_closed
