"""Questions of running attempts, decided from outside."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest
from controlled import ControlledStore, StandIn, wait_for
from simulation import make_step

from stepwell.errors import ApprovalClosed, InvalidAnswer, InvalidUsage, UnknownApproval
from stepwell.orchestrator import (
    ApprovalRequested,
    Call,
    Happened,
    Orchestrator,
    Output,
    RunStarted,
    State,
    StepsDefined,
    interrupted,
    load,
    request,
)
from stepwell.session import Desk
from stepwell.store.values import Signer, Trust
from stepwell.workers import Values

SCHEMA = '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 1_000_000

    def now(self) -> int:
        """As set."""
        return self.time

    def wake_at(self, due: int, wake: object, *, is_idle: bool = False) -> None:
        """Nobody is woken."""


class Office:
    """A run whose steps wait, and the desk on which decisions about it are made."""

    def __init__(self, store: ControlledStore | None = None) -> None:
        self.store = store or ControlledStore()
        self.worker, self.clock = StandIn(), Hand()
        self.orchestrator = Orchestrator(self.store, self.worker, clock=self.clock)
        self.heard: list[Happened] = []
        self.orchestrator.listen(self.heard.extend)
        self.orchestrator.start()
        signer = Signer(b"k" * 32)
        values = Values(self.store, signer, Trust(signer))
        self.desk = Desk(self.orchestrator, self.store, values, user="ana")

    def begin(self, *names: str) -> None:
        """A run of these steps, all of them under way."""
        steps = tuple(make_step(name, []) for name in names)

        def work() -> None:
            self.orchestrator.adopt(State("r"))
            self.orchestrator.record("r", RunStarted(notebook="n.ipynb"))
            self.orchestrator.record("r", StepsDefined(steps))
            state = self.orchestrator.state("r")
            wish = request(state, names, dict.fromkeys(names, "env"), by="cell")
            self.orchestrator.record("r", wish)

        self.orchestrator.call(work)

    def ask(self, step: str, approval: str, **more: object) -> Future[Call]:
        """The step's code asks and waits."""
        attempt = self.worker.await_start(step)
        link = self.worker.links[attempt.id]
        more.setdefault("question", "Publish?")
        event = ApprovalRequested(approval, call=f"call {approval}", **more)  # type: ignore[arg-type]
        link.note(attempt.id, event).result(5)
        return link.wait(attempt.id, f"call {approval}")

    @property
    def state(self) -> State:
        """Of the run."""
        return self.orchestrator.state("r")

    def open(self) -> Sequence[str]:
        """Ids of what is open."""
        return [question.id for question in self.desk.inbox()]


@pytest.fixture
def office() -> Iterator[Office]:
    """One with nothing going on."""
    made = Office()
    yield made
    made.orchestrator.stop()


def test_the_first_valid_decision_wins_and_the_second_is_told_of_it(office: Office) -> None:
    """Who, when, how, from where and about what is kept, and whoever waits goes on."""
    office.begin("a")
    answer = office.ask("a", "q1", payload=Output("d1"))
    made = office.desk.decide("a", "reject", reason="too long", channel="magic")
    assert (made.decision, made.by, made.channel, made.note, made.payload) == (
        "rejected",
        "ana",
        "magic",
        "too long",
        "d1",
    )
    assert answer.result(5).status == "rejected"
    for which in ("q1", "a"):
        with pytest.raises(ApprovalClosed, match=r"rejected before by ana, at .*\(too long\)"):
            office.desk.decide(which, "approve", run="r")
    assert office.open() == []
    row = office.store.sql("select status, decided_by, note, channel from approvals").fetchall()
    assert row == [("rejected", "ana", "too long", "magic")]


def test_an_answer_of_the_wrong_form_is_refused_field_by_field(office: Office) -> None:
    """Nothing is decided by it: the question stays open, and the next answer counts."""
    office.begin("a")
    answer = office.ask("a", "q1", form="ask", schema=SCHEMA, question="Where?")
    with pytest.raises(InvalidAnswer, match="city: 5 is not of type 'string'") as refused:
        office.desk.decide("q1", "answer", {"city": 5})
    assert refused.value.problems == (("city", "5 is not of type 'string'"),)
    with pytest.raises(InvalidAnswer, match="wants an answer"):
        office.desk.decide("q1", "approve")
    assert office.open() == ["q1"]
    assert office.desk.decide("q1", "answer", {"city": "Ulm"}).decision == "answered"
    assert answer.result(5).is_closed


def test_only_what_may_be_edited_is(office: Office) -> None:
    """Without names an edit is refused; with names, any other."""
    office.begin("a", "b")
    office.ask("a", "q1")
    office.ask("b", "q2", edit=("title",))
    with pytest.raises(InvalidAnswer, match="approved or rejected, and not be changed"):
        office.desk.decide("q1", "edit", {"title": "x"})
    with pytest.raises(InvalidAnswer, match=r"url: may not be changed here \(only title\)"):
        office.desk.decide("q2", "approve", {"url": "x"})
    assert office.desk.decide("q2", "approve", {"title": "x"}).decision == "edited"


def test_a_question_nobody_waits_for_any_more_disappears(office: Office) -> None:
    """When its step ends, by whatever way, it leaves the inbox and is voided in the store."""
    office.begin("a", "b")
    office.ask("a", "q1")
    office.ask("b", "q2")
    office.worker.finish("a")
    wait_for(lambda: office.open() == ["q2"])
    with pytest.raises(ApprovalClosed, match=r"voided before, at .*the step is done"):
        office.desk.decide("q1")
    office.orchestrator.call(lambda: office.orchestrator.interrupt("r", "b"))
    assert office.open() == []


def test_questions_are_found_by_what_people_call_them(office: Office) -> None:
    """By id, the beginning of one, the step, or nothing where one is open; else it is said how."""
    office.begin("a", "b")
    office.ask("a", "1abc")
    assert office.desk.find().id == "1abc"
    office.ask("b", "2abc")
    assert office.desk.find("2a").id == office.desk.find("b").id == "2abc"
    with pytest.raises(InvalidUsage, match=r"more than one question is open; .*1abc \(a: Publish"):
        office.desk.find()
    with pytest.raises(UnknownApproval, match=r"'bb'.* Did you mean 'b'"):
        office.desk.find("bb")


def test_its_time_counts_from_when_it_was_stored(office: Office) -> None:
    """A question whose time was up before somebody came is decided by that, whoever looks."""
    office.begin("a")
    office.ask("a", "q1", due=office.clock.time + 10, on_timeout="approve")
    office.clock.time += 10
    with pytest.raises(ApprovalClosed, match="approved before by timeout"):
        office.desk.decide("q1", "reject")
    assert office.state.approvals["q1"].decided is not None


def test_a_decision_made_before_the_run_goes_on_is_found_when_it_does() -> None:
    """The run is not being advanced: it is asked about and decided in the store alone."""
    before = Office()
    before.begin("a")
    before.ask("a", "q1")
    before.orchestrator.stop()
    after = Office(before.store)
    try:
        assert after.open() == ["q1"]
        after.desk.decide("a", "approve")
        assert not after.orchestrator.look(lambda: after.orchestrator.is_advancing("r"))
        state = load(after.store, "r")
        assert not state.pending
        assert [step for step, *_ in interrupted(state)] == ["a"]
        calls = state.steps["a"].calls
        assert calls is not None
        assert calls["call q1"].status == "approved"
        with pytest.raises(ApprovalClosed):
            after.desk.decide("q1")
    finally:
        after.orchestrator.stop()


def test_always_holds_for_every_call_of_the_tool_in_the_run(office: Office) -> None:
    """Those that are open, and those that come; a remark of another tool is asked as ever."""
    office.begin("a", "b", "c")
    answers = [office.ask("a", "q1", tool="mail"), office.ask("b", "q2", tool="mail")]
    office.desk.decide("q1", "reject", reason="no mail", always=True)
    answers.append(office.ask("c", "q3", tool="mail"))
    assert [answer.result(5).status for answer in answers] == ["rejected"] * 3
    office.ask("c", "q4", tool="fax")
    assert office.open() == ["q4"]
    decided = office.state.approvals["q3"].decided
    assert decided is not None
    assert (decided.by, decided.channel, decided.note) == ("ana", "policy", "no mail")
    office.ask("a", "q5")
    with pytest.raises(InvalidUsage, match="calls of a tool"):
        office.desk.decide("q5", always=True)
