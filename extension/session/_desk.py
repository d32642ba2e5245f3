"""Where people's decisions arrive: what is open in a store's runs, decided and sent from here.

Any thread may call, the one that a click arrives on too. A run that is not being advanced
is looked up in the store; a decision about it is written down and found when it goes on.
"""

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast

from stepwell.errors import (
    ApprovalClosed,
    InvalidAnswer,
    InvalidUsage,
    UnknownApproval,
    near_misses,
)
from stepwell.inside import ABSENT, check_json, live_forms
from stepwell.orchestrator import (
    Approval,
    ApprovalDecided,
    ApprovalRequested,
    Event,
    Expire,
    MessageSent,
    Orchestrator,
    Output,
    RunStarted,
    State,
    closing,
    load,
    settled_by,
)
from stepwell.store import Blob, Store
from stepwell.workers import Values

__all__ = ["ABSENT", "Desk", "Question"]

Answer = TypeVar("Answer")
"""Instead of a value, where None may be one."""


@dataclass(frozen=True, slots=True)
class Question:
    """An open question, with the run that asks it."""

    run: str
    approval: Approval
    parent: str = ""
    """Of a child run: the run that started it."""
    notebook: str = ""
    """Where the run was started."""
    agent: str = ""
    """Of a child run: whose it is."""

    @property
    def id(self) -> str:
        """The question's id."""
        return self.approval.id

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called: its id, its step, and where an item of that asks, the item;
        of a child run also with the run or its agent before the step."""
        step = self.approval.step
        below = (f"{self.agent}/{step}", f"{self.run}/{step}") if self.parent else ()
        return (self.id, step, self.approval.place, *below)

    @property
    def asked(self) -> ApprovalRequested:
        """The question as it was asked."""
        return self.approval.request


class Desk:
    """One store's questions. `user` is who decides where nobody else is named."""

    def __init__(
        self, orchestrator: Orchestrator, store: Store, values: Values, *, user: str = ""
    ) -> None:
        self._orchestrator = orchestrator
        self._store = store
        self._values = values
        self._user = user
        # A run that is in memory for the sake of one decision is there once.
        self._lock = threading.Lock()

    # -- what is open ---------------------------------------------------------------------

    def inbox(self) -> list[Question]:
        """Everything that waits for a person, in all runs of the store, the oldest first."""
        found = [*self._at_hand(), *self.elsewhere()]
        return sorted(found, key=lambda question: question.approval.at)

    def elsewhere(self) -> list[Question]:
        """What waits in runs that nobody advances here."""
        advancing = self._orchestrator.look(
            lambda: {state.run for state in self._orchestrator.states()}
        )
        query = "SELECT DISTINCT run FROM approvals WHERE status = 'pending'"
        found = [run for (run,) in self._store.sql(query).fetchall() if run not in advancing]
        return [question for run in found for question in _open(load(self._store, run))]

    def approval(self, name: str) -> Approval:
        """A question of any run, by its whole id, decided or not. Raises `UnknownApproval`."""

        def look() -> Approval | None:
            known = (state.approvals.get(name) for state in self._orchestrator.states())
            return next((approval for approval in known if approval is not None), None)

        if (found := self._orchestrator.look(look)) is not None:
            return found
        query = "SELECT run FROM approvals WHERE approval = ?"
        for (run,) in self._store.sql(query, [name]).fetchall():
            if name in (known := load(self._store, run).approvals):
                return known[name]
        raise UnknownApproval(name)

    def _at_hand(self) -> list[Question]:
        """What waits in the runs that are being advanced; the store need not be asked."""
        return self._orchestrator.look(
            lambda: [each for state in self._orchestrator.states() for each in _open(state)]
        )

    def find(self, which: str = "", *, run: str = "") -> Question:
        """The open question an id, the beginning of one, or a step's name means; `STEP[ITEM]`
        where items of the step ask.

        Where several runs ask for the step's sake, `run` decides; nothing means the only
        one there is. Raises `UnknownApproval`, `InvalidUsage` where several are meant, and
        `ApprovalClosed` for one that has been decided.
        """
        if which and (found := _plainly(self._at_hand(), which, run)) is not None:
            return found
        everything = self.inbox()
        if not which:
            return self._only(everything, "more than one question is open")
        mine = [each for each in everything if which in each.names]
        mine = mine or [each for each in everything if each.id.startswith(which)]
        here = [each for each in mine if each.run == run]
        if mine:
            return self._only(here or mine, f"{which!r} may mean more than one question")
        self._refuse_decided(which, run)
        known = [name for each in everything for name in reversed(each.names) if name]
        raise UnknownApproval(which, near_misses(which, known))

    def _only(self, questions: list[Question], trouble: str) -> Question:
        if not questions:
            raise UnknownApproval("anybody")
        if len(questions) > 1:
            listed = "; ".join(
                f"{each.id} ({each.approval.place or 'the run'}: {each.asked.question:.60})"
                for each in questions[:5]
            )
            raise InvalidUsage(f"{trouble}; name one by its id: {listed}")
        return questions[0]

    def _refuse_decided(self, which: str, run: str) -> None:
        query = """
            SELECT approval, run FROM approvals
            WHERE approval = $1 OR (run = $2 AND $1 IN (step, step || '[' || item || ']'))
        """
        rows = self._store.sql(query, [which, run]).fetchall()
        if rows:
            name, its_run = rows[-1]
            self._within(its_run, lambda state: _refuse_closed(state.approvals[name]))

    def now(self) -> int:
        """The time by which questions expire, microseconds UTC."""
        return self._orchestrator.now()

    # -- deciding -------------------------------------------------------------------------

    def decide(
        self,
        which: str,
        decision: str = "approve",
        value: object = ABSENT,
        reason: str = "",
        *,
        by: str = "",
        channel: str = "python",
        always: bool = False,
        run: str = "",
    ) -> ApprovalDecided:
        """Decide a question: `approve` it, `reject` it, `edit` what it is about, or `answer` it.

        With `always` the decision holds for every further call of the same tool in the run.
        Returns when the decision is on disk. Raises `ApprovalClosed` if somebody was first,
        `InvalidAnswer` for a value of the wrong form (the question stays open), and as `find`.
        """
        question = self.find(which, run=run)
        asked = question.asked
        if always and not asked.tool:
            raise InvalidUsage("`always` is about the calls of a tool, and this asks about none")
        made = settled_by(asked, decision, has_value=value is not ABSENT)
        output, blobs = asked.payload if made == "answered" else None, list[Blob]()
        outputs: dict[str, Output] = {}
        if asked.form == "in_doubt":
            outputs, blobs = self._results(question, value)
        elif value is not ABSENT:
            output, blobs = self._checked(question, value)

        def work(state: State) -> ApprovalDecided:
            approval = state.approvals[question.id]
            self._expire(state, approval)
            _refuse_closed(approval)
            event = ApprovalDecided(
                approval.id,
                made,
                asked.call,
                output if made in {"edited", "answered"} else None,
                by or self._user,
                channel,
                reason,
                asked.payload.digest if asked.payload is not None else "",
                always,
                outputs,
            )
            self._record(state, approval, event, blobs)
            return event

        return self._within(question.run, work)

    def send(self, run: str, topic: str, payload: object) -> None:
        """Send a message to a run, by its whole id. Raises `UnknownRun`, `ValueNotStorable`."""
        output, blob = self._values.encode("", f"the message on {topic!r}", payload)
        event = MessageSent(secrets.token_hex(8), topic, output, self._user)
        self._orchestrator.call(lambda: self._orchestrator.post(run, event, [blob]))

    def _results(self, question: Question, value: object) -> tuple[dict[str, Output], list[Blob]]:
        """What a step in doubt has made, by the names of its outputs. Raises `InvalidAnswer`."""
        names, step = question.asked.edit, question.approval.step
        if value is ABSENT or not names:
            return {}, []
        given = {names[0]: value} if len(names) == 1 else value
        if not isinstance(given, dict) or set(cast("dict[object, object]", given)) != set(names):
            raise InvalidAnswer([("", f"give all results by name: {', '.join(names)}")])
        found = {
            name: self._values.encode(step, name, each)
            for name, each in cast("dict[str, object]", given).items()
        }
        return {name: it for name, (it, _) in found.items()}, [blob for _, blob in found.values()]

    def _checked(self, question: Question, value: object) -> tuple[Output, list[Blob]]:
        asked = question.asked
        if asked.schema:
            value = _plain(value)
        _check_names(asked, value)
        check = live_forms.get(question.id)
        if check is not None:
            check(value)
        else:
            check_json(asked.schema, value)
        step = question.approval.step
        output, blob = self._values.encode(step, "the answer", value)
        return output, [blob]

    def _expire(self, state: State, approval: Approval) -> None:
        """A question whose time was up before anybody came to decide it is decided by that."""
        due = approval.request.due
        if approval.is_pending and due and self._orchestrator.now() >= due:
            event, *_ = closing(state, Expire(approval.id))
            self._record(state, approval, event, [])

    def _record(
        self, state: State, approval: Approval, event: Event, blobs: Iterable[Blob]
    ) -> None:
        self._orchestrator.record(
            state.run,
            event,
            step=approval.step,
            item=approval.item,
            attempt=approval.attempt,
            blobs=tuple(blobs),
        )

    def _within(self, run: str, work: Callable[[State], Answer]) -> Answer:
        """Do something about a run, on the orchestrator's thread, whether it is advanced or not."""
        orchestrator = self._orchestrator

        # Looked at in the same breath: a run may just be taken up, or let go of.
        def at_hand() -> tuple[Answer] | None:
            state = orchestrator.find(run)
            return (work(state),) if state is not None else None

        def briefly() -> Answer:
            if (done := at_hand()) is not None:
                return done[0]
            orchestrator.adopt(loaded)
            try:
                return work(loaded)
            finally:
                orchestrator.release(run)

        with self._lock:
            if (done := orchestrator.call(at_hand)) is not None:
                return done[0]
            loaded = load(self._store, run)
            return orchestrator.call(briefly)


def _open(state: State) -> list[Question]:
    started = state.started or RunStarted()
    return [
        Question(state.run, state.approvals[name], started.parent, started.notebook, started.flow)
        for name in state.pending
    ]


def _plainly(questions: list[Question], which: str, run: str) -> Question | None:
    """The one with this whole id, or the only one that the step asks in this very run.

    Nothing that other runs ask could make it another.
    """
    by_id = [each for each in questions if each.id == which]
    by_step = [each for each in questions if each.run == run and which in each.names[1:]]
    found = by_id if by_id and not by_step else by_step if not by_id else []
    return found[0] if len(found) == 1 else None


def _plain(value: object) -> object:
    """A model's data; the code that asked makes a model of it again."""
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else value


def _check_names(asked: ApprovalRequested, value: object) -> None:
    """Of what may be edited, this is some. Raises `InvalidAnswer`."""
    if asked.form == "ask" or asked.edit == ("payload",):
        return
    listed = ", ".join(asked.edit)
    if not isinstance(value, dict):
        raise InvalidAnswer([("", f"give the changed values by name; may be changed: {listed}")])
    names = map(str, cast("dict[object, object]", value))
    if wrong := [name for name in names if name not in asked.edit]:
        raise InvalidAnswer([(name, f"may not be changed here (only {listed})") for name in wrong])


def _refuse_closed(approval: Approval) -> None:
    decided = approval.decided
    if decided is None:
        return
    when = datetime.fromtimestamp(approval.decided_at / 1_000_000).astimezone()
    raise ApprovalClosed(
        approval.request.question,
        decided.decision,
        by=decided.by,
        when=f"at {when:%Y-%m-%d %H:%M:%S}",
        note=decided.note,
    )
