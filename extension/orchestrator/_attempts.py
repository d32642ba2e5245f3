"""What running attempts say and want, as long as anybody wants them.

An attempt that was given up is refused here, whatever it comes with: that is the fence. On
the orchestrator's thread alone.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from stepwell.errors import AttemptGivenUp, StepwellError, StoreError
from stepwell.orchestrator._answers import Answers, deny, give
from stepwell.orchestrator._call_events import CallCompleted, MessageSent
from stepwell.orchestrator._children import Children
from stepwell.orchestrator._events import Event
from stepwell.orchestrator._journal import Effect
from stepwell.orchestrator._link import (
    Awaited,
    Begun,
    Noted,
    Paused,
    Posted,
    Reserving,
    Rested,
    Shown,
    Waits,
)
from stepwell.orchestrator._mail import FromAttempt
from stepwell.orchestrator._port import (
    NOTHING,
    AttemptId,
    Expanded,
    Finished,
    Happened,
    Report,
    Rest,
    SignListener,
)
from stepwell.orchestrator._purse import Purse
from stepwell.orchestrator._reports import as_event
from stepwell.orchestrator._sealing import Sealed, Seals, refused, undo_tables
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import Unit
from stepwell.orchestrator._waiting import rest
from stepwell.store import Blob

__all__ = ["Attempts"]


class Runs(Protocol):
    """What is needed of the orchestrator."""

    @property
    def children(self) -> Children:
        """Runs that attempts have called."""
        ...

    def state(self, run: str) -> State:
        """Of an adopted run."""
        ...

    def is_advancing(self, run: str) -> bool:
        """Whether the run was adopted."""
        ...

    def now(self) -> int:
        """Microseconds UTC."""
        ...

    def record(
        self,
        run: str,
        event: Event,
        *,
        step: str = "",
        item: str = "",
        attempt: int = 0,
        blobs: Sequence[Blob] = (),
        objects: Mapping[str, object] = NOTHING,
    ) -> None:
        """Write an event."""
        ...

    def post(self, run: str, event: MessageSent, blobs: Sequence[Blob] = ()) -> None:
        """Give a message to a run."""
        ...


class Attempts:
    """Of an orchestrator: those that run, with what they wait for."""

    def __init__(
        self,
        runs: Runs,
        purse: Purse,
        seals: Seals,
        answers: Answers,
        *,
        after: Callable[[Effect], None],
        show: SignListener,
    ) -> None:
        self._runs = runs
        self._purse = purse
        self._seals = seals
        self._answers = answers
        self._after = after
        self._show = show
        self._waits = Waits()

    def follow(self, state: State, event: Event, step: str, item: str) -> None:
        """This has happened: who waited for it is answered when it is on disk."""
        if not self._waits:
            return
        for answer, call in self._waits.closed_by(state, event, step, item):
            self._after(partial(give, answer, call))

    def refuse(self, error: BaseException) -> None:
        """Nobody waits any longer: there is only this to say."""
        self._waits.refuse(error)

    def ring(self) -> None:
        """The time may have come for somebody who waits for it."""
        for attempt in self._waits.ring(self._runs.now()):
            self._rest(attempt, "")

    @property
    def next_due(self) -> int:
        """When somebody goes on by the time alone; 0 for never."""
        return self._waits.next_due

    def report(self, report: Report) -> None:
        """An attempt has ended, or found its items."""
        attempt = report.id
        unit = self._unit_of(attempt)
        if not isinstance(report, Expanded):
            if self._waits:
                self._waits.give_up(attempt)
            self._purse.give_up(attempt)
        # The late result of an attempt that was given up is not even written.
        if unit is None:
            undo_tables(report)
            return
        state = self._runs.state(attempt.run)
        event, blobs, objects = as_event(state, unit, report, now=self._runs.now())
        if isinstance(report, Finished) and report.tables is not None:
            self._seals.commit(state, report, event, blobs)
            return
        self._note(attempt, event, blobs, objects)

    def unseal(self, sealed: Sealed) -> Happened | None:
        """A result was committed together with tables, and has happened; or it was refused."""
        self._seals.release(self._runs.state(sealed.report.id.run), sealed)
        if isinstance(sealed.answer, StoreError):
            self.report(refused(sealed.report, sealed.answer))
            return None
        return sealed.happened

    def serve(self, mail: FromAttempt) -> None:
        """What a running attempt says or wants."""
        match mail:
            case Noted(id=attempt, event=event, blobs=blobs):
                self._write_for(attempt, mail.answer, partial(self._note, attempt, event, blobs))
            case Begun(id=attempt, call=key, birth=birth):
                begin = partial(self._runs.children.begin, attempt, key, birth)
                self._write_for(attempt, mail.answer, begin)
            case Reserving():
                self._reserve(mail)
            case Awaited():
                if (call := self._waits.add(mail, self._unit_of(mail.id))) is not None:
                    self._after(partial(give, mail.answer, call))
            case Paused():
                self._waits.pause(mail, self._unit_of(mail.id))
                self.ring()
            case Rested(id=attempt, how=how):
                self._rest(attempt, how)
            case Posted():
                self._write_for(mail.id, mail.answer, partial(self._post, mail))
            case Shown():
                if self._unit_of(mail.id) is not None:
                    self._show(mail.id, mail.sign)

    def _rest(self, attempt: AttemptId, how: Rest) -> None:
        if (unit := self._unit_of(attempt)) is not None:
            rest(self._runs.state(attempt.run), unit, how, self._runs.now())

    def _unit_of(self, attempt: AttemptId) -> Unit | None:
        """What the attempt is at, unless it was given up."""
        if not self._runs.is_advancing(attempt.run):
            return None
        state = self._runs.state(attempt.run)
        return state.tried(attempt.step, attempt.item, attempt.attempt)

    def _note(
        self,
        by: AttemptId,
        event: Event,
        blobs: Sequence[Blob] = (),
        objects: Mapping[str, object] = NOTHING,
    ) -> None:
        self._runs.record(
            by.run,
            event,
            step=by.step,
            item=by.item,
            attempt=by.attempt,
            blobs=blobs,
            objects=objects,
        )

    def _write_for(
        self, attempt: AttemptId, answer: "Future[None]", work: Callable[[], None]
    ) -> None:
        """What a running attempt wants written; it is told when it is, or why it is not."""
        if self._unit_of(attempt) is None:
            deny(answer, AttemptGivenUp(attempt.step, attempt.attempt))
            return
        try:
            work()
        except StepwellError as error:
            deny(answer, error)
            return
        self._answers.expect(answer)
        self._after(partial(give, answer, None))

    def _reserve(self, mail: Reserving) -> None:
        if self._unit_of(mail.id) is None:
            deny(mail.answer, AttemptGivenUp(mail.id.step, mail.id.attempt))
        else:
            self._purse.reserve(mail.id, mail.call, mail.wanted, mail.answer, self._runs.now())

    def _post(self, posted: Posted) -> None:
        self._runs.post(posted.run, posted.event, posted.blobs)
        self._note(posted.id, CallCompleted(posted.call, f"send {posted.event.topic}"))
