"""Questions, times and messages in steps, in a session without a kernel."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from controlled import wait_for
from pydantic import BaseModel, field_validator
from sessions import Notebook

import stepwell
from stepwell.errors import ApprovalClosed, InvalidAnswer, InvalidUsage, StepFailed
from stepwell.orchestrator import MessageSent, Phase
from stepwell.session import Question
from stepwell.store import MemoryStore


class City(BaseModel):
    """What a person may type."""

    name: str
    people: int = 0

    @field_validator("name")
    @classmethod
    def has_no_digit(cls, name: str) -> str:
        """A rule that no JSON schema says."""
        if any(letter.isdigit() for letter in name):
            raise ValueError("a city's name has no digit")
        return name


class Place:
    """A notebook whose steps ask; restarted at will, as long as its store lives."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, MemoryStore()
        self.ran: list[str] = []
        self.notebook = self.restart()

    def restart(self) -> Notebook:
        """A new process on the same store: the one before is gone as a killed one is."""
        self.notebook = Notebook(self.folder, self.store)
        names = {"stepwell": stepwell, "City": City, "ran": self.ran.append}
        self.notebook.names.update(names)
        return self.notebook

    def kill(self) -> None:
        """The process is gone."""
        engine = self.notebook.session.engine
        engine.worker.close()
        engine.orchestrator.stop()

    def open(self, count: int = 1) -> list[Question]:
        """The open questions, once there are so many."""
        session = self.notebook.session
        wait_for(lambda: len(session.inbox()) == count)
        return session.inbox()

    def asked(self) -> str:
        """The only open question."""
        return self.open()[0].asked.question

    def done(self, step: str = "a") -> Any:
        """The step's output once it is done."""
        self.notebook.session.wait([step], timeout=10)
        return self.notebook.names[step]

    def fails(self, step: str = "a") -> str:
        """Why it fails."""
        with pytest.raises(StepFailed) as failed:
            self.notebook.session.wait([step], timeout=10)
        return str(failed.value)

    def send(self, name: str, topic: str, payload: object) -> None:
        """A message to the run."""
        engine = self.notebook.session.engine
        output, blob = engine.values.encode("", "message", payload)
        event = MessageSent(name, topic, output)
        engine.orchestrator.call(lambda: engine.orchestrator.post(engine.run, event, [blob]))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A notebook that nothing has happened in."""
    made = Place(tmp_path)
    yield made
    made.notebook.session.close()


def test_what_was_approved_is_what_goes_on(place: Place) -> None:
    """As it was, or as whoever approved it changed it; a wrong change is refused by field."""
    place.notebook.step("a", 'a = await stepwell.approve("Go?", {"t": 1, "u": 2}, edit=["t"])')
    assert place.open()[0].asked.edit == ("t",)
    session = place.notebook.session
    with pytest.raises(InvalidAnswer, match="t: Input should be a valid integer"):
        session.decide("a", value={"t": "x"})
    session.decide("a", value={"t": 5})
    assert place.done() == {"t": 5, "u": 2}


def test_an_answer_is_checked_by_the_code_that_asks(place: Place) -> None:
    """While it runs, its own validators say what is wrong, before anything is decided."""
    place.notebook.step("a", 'a = await stepwell.ask("Where?", City)')
    place.open()
    with pytest.raises(InvalidAnswer, match="name: Value error, a city's name has no digit"):
        place.notebook.session.decide("a", "answer", {"name": "Ulm2"})
    place.notebook.session.decide("a", "answer", {"name": "Ulm", "people": 5})
    assert place.done() == City(name="Ulm", people=5)


def test_an_answer_that_only_the_code_can_refuse_is_asked_for_again(place: Place) -> None:
    """Given while the code did not run, and found wrong when it does: the run is not dead."""
    source = 'a = await stepwell.ask("Where?", City)'
    place.notebook.step("a", source)
    place.open()
    place.kill()
    place.restart()
    place.notebook.session.decide("a", "answer", {"name": "Ulm2"})
    place.notebook.step("a", source)
    assert place.asked() == "Where? (name: Value error, a city's name has no digit)"
    place.notebook.session.decide("a", "answer", {"name": "Ulm"})
    assert place.done() == City(name="Ulm")


def test_a_rejected_step_fails_is_not_tried_again_and_is_asked_anew_when_run(place: Place) -> None:
    """The reason is kept word for word; running the cell again is a new question."""
    source = 'a = await stepwell.approve("Go?", 1)'
    place.notebook.step("a", source)
    place.open()
    place.notebook.session.decide("a", "reject", reason="don't")
    assert "ApprovalRejected: 'Go?' was rejected" in place.fails()
    assert place.notebook.view("a").phase is Phase.FAILED
    place.notebook.step("a", source)
    place.open()
    place.notebook.session.decide("a")
    assert place.done() == 1


def test_a_decision_survives_a_restart_and_a_changed_payload_voids_it(place: Place) -> None:
    """Remembered for the same payload; another payload is another question, and so is a new one."""
    place.notebook.step("a", 'a = await stepwell.approve("Go?", 1)\nran("a")\nraise ValueError')
    place.open()
    place.notebook.session.decide("a")
    place.fails()
    place.kill()
    place.restart()
    place.notebook.step("a", 'a = await stepwell.approve("Go?", 1)')
    assert place.done() == 1
    place.notebook.step("a", 'a = await stepwell.approve("Go?", 2)')
    place.open()
    place.kill()
    place.restart()
    before = place.open()[0].id
    place.notebook.step("a", 'a = await stepwell.approve("Go?", 3)')
    wait_for(lambda: [each.id for each in place.notebook.session.inbox()] not in ([], [before]))
    with pytest.raises(ApprovalClosed, match="voided"):
        place.notebook.session.decide(before)
    place.notebook.session.decide("a")
    assert place.done() == 3


def test_two_approvals_in_sequence(place: Place) -> None:
    """The second is asked when the first is decided, and neither twice."""
    place.notebook.step("a", 'a = [await stepwell.approve(t, t) for t in ("one", "two")]')
    for text in ("one", "two"):
        wait_for(lambda text=text: [q.asked.question for q in place.open()] == [text])
        place.notebook.session.decide("a")
    assert place.done() == ["one", "two"]


def test_several_questions_are_open_at_once_within_one_step(place: Place) -> None:
    """They are decided in any order, and each gets its own answer."""
    place.notebook.step(
        "a",
        "import asyncio\n"
        'a = await asyncio.gather(*(stepwell.ask("Number?", int) for _ in range(3)))',
    )
    questions = place.open(3)
    for number, question in reversed(list(enumerate(questions))):
        place.notebook.session.decide(question.id, "answer", number)
    assert sorted(place.done()) == [0, 1, 2]


def test_a_loop_of_rounds_runs_the_body_once_a_round(place: Place) -> None:
    """Approval in a loop: N rounds, the body runs N times, not N²; also over a restart."""
    source = (
        "a = 0\n"
        "for number in range(6):\n"
        "    a += await stepwell.call(work, number)\n"
        '    await stepwell.approve("Next?", a)\n'
    )

    def work(number: int) -> int:
        place.ran.append(f"round {number}")
        return number

    place.notebook.names["work"] = work
    place.notebook.step("a", source)
    for number in range(6):
        if number == 3:
            place.open()
            place.kill()
            place.restart().names["work"] = work
            place.notebook.step("a", source)
        place.open()
        place.notebook.session.decide("a")
    assert place.done() == 15
    assert place.ran == [f"round {number}" for number in range(6)]


def test_other_branches_go_on_meanwhile(place: Place) -> None:
    """A step that waits for a person stops nobody who does not read from it."""
    place.notebook.step("a", 'a = await stepwell.approve("Go?", 1)')
    place.open()
    assert place.notebook.done("b", "b = 2") == 2
    assert place.notebook.done("c", "c = b + 1") == 3
    assert place.notebook.view("a").phase is Phase.RUNNING
    place.notebook.session.decide("a")
    assert place.done() == 1


def test_inside_mapped_items(place: Place) -> None:
    """Each item asks for itself, and is named with its question."""
    from stepwell.flow import MapOver, Policies

    place.notebook.names["numbers"] = [1, 2, 3]
    over = Policies(map=MapOver(item="number", source="numbers"))
    place.notebook.step("a", 'a = await stepwell.approve(f"{number}?", number)', policies=over)
    questions = place.open(3)
    assert len({question.approval.item for question in questions}) == 3
    for question in questions:
        place.notebook.session.decide(question.id)
    assert place.done() == [1, 2, 3]


def test_a_wait_that_timed_out_is_itself_remembered(place: Place) -> None:
    """What came too late does not change what an attempt has seen already."""
    source = (
        "try:\n"
        '    a = await stepwell.receive("news", timeout=0.02)\n'
        "except TimeoutError:\n"
        '    a = "none"\n'
        'await stepwell.approve("Go?")\n'
    )
    place.notebook.step("a", source)
    place.open()
    place.send("m1", "news", "late")
    place.kill()
    place.restart()
    place.notebook.step("a", source)
    place.open()
    place.notebook.session.decide("a")
    assert place.done() == "none"


def test_a_message_is_received_once_in_order_also_one_that_came_before(place: Place) -> None:
    """Sent before the wait, while it waits, twice under one name: each is received once."""
    _ = place.notebook.session.engine
    place.send("m1", "news", 1)
    place.send("m1", "news", 1)
    place.send("m2", "news", 2)
    place.notebook.step(
        "a", 'a = [await stepwell.receive("news") for _ in range(3)]\nran("received")'
    )
    place.send("m3", "news", 3)
    assert place.done() == [1, 2, 3]


def test_a_message_that_was_received_is_given_to_the_same_call_again(place: Place) -> None:
    """A crash after it was received loses nothing and takes no further message."""
    source = 'a = await stepwell.receive("news")\nawait stepwell.approve("Go?")'
    place.notebook.step("a", source)
    place.send("m1", "news", 1)
    place.open()
    place.send("m2", "news", 2)
    place.kill()
    place.restart()
    place.notebook.step("a", source)
    place.open()
    place.notebook.session.decide("a")
    assert place.done() == 1
    assert place.notebook.done("b", 'b = await stepwell.receive("news")') == 2


def test_a_sleep_goes_on_over_a_restart(place: Place) -> None:
    """It ends when it would have ended, and is not slept again when the step runs again."""
    source = 'await stepwell.sleep("1h")\na = 1'
    place.notebook.step("a", source)
    session = place.notebook.session
    wait_for(lambda: session.state.steps["a"].awaited)
    (before,) = (session.state.steps["a"].calls or {}).values()
    place.kill()
    place.restart()
    place.notebook.step("a", source)
    session = place.notebook.session
    wait_for(lambda: session.state.steps["a"].awaited)
    (after,) = (session.state.steps["a"].calls or {}).values()
    assert (after.key, after.due) == (before.key, before.due)


def test_a_waiting_step_takes_no_slot_and_its_deadline_makes_allowance(place: Place) -> None:
    """A person may take longer than --timeout; what the code itself takes counts."""
    from stepwell.flow import Deadlines, Policies

    place.notebook.step(
        "a",
        'a = await stepwell.approve("Go?", 1)',
        policies=Policies(deadlines=Deadlines(attempt=0.2)),
    )
    place.open()
    assert place.notebook.session.state.parked == 1
    other = place.notebook.done("b", "await stepwell.sleep(0.4)\nb = 1")
    assert other == 1
    place.notebook.session.decide("a")
    assert place.done() == 1


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('await stepwell.approve("Go?", {"t": 1}, edit="u")', "edit='u': what is to be approved"),
        ('await stepwell.approve("Go?", on_timeout="no")', "on_timeout='no' is none of"),
        ('await stepwell.ask("Go?", on_timeout="suggested")', "needs an answer to be suggested"),
        ("await stepwell.sleep()", "takes a duration, or until="),
        ('await stepwell.sleep("soon")', "'soon' is not a duration"),
    ],
)
def test_what_cannot_be_meant_is_named(place: Place, source: str, says: str) -> None:
    """Before anything is asked."""
    place.notebook.step("a", f"{source}\na = 1")
    assert says in place.fails()
    assert place.notebook.session.inbox() == []


@pytest.mark.parametrize("function", ["approve", "ask", "receive"])
def test_outside_a_step_it_is_said_where_it_belongs(function: str) -> None:
    """Nobody waits in vain in an ordinary cell."""
    asks: Callable[[str], Any] = getattr(stepwell, function)
    with pytest.raises(InvalidUsage, match="has a meaning only inside a step"):
        asks("Go?").send(None)
