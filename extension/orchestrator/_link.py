"""What running attempts say, on its way to the orchestrator; and answers they wait for.

`Link` may be used by any thread; the registry of waits is the orchestrator's own.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from heapq import heappop, heappush
from itertools import count
from typing import Any

import msgspec

from stepwell.errors import AttemptGivenUp
from stepwell.orchestrator._answers import deny, give
from stepwell.orchestrator._budget import Reserve
from stepwell.orchestrator._call_events import MessageSent
from stepwell.orchestrator._calls import Call
from stepwell.orchestrator._events import Event
from stepwell.orchestrator._permits import PermitMail
from stepwell.orchestrator._port import AttemptId, Birth, Note, Report, Rest, Sign
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import Unit
from stepwell.store import Blob

__all__ = [
    "Awaited",
    "Begun",
    "Noted",
    "Paused",
    "Posted",
    "Reserving",
    "Rested",
    "Shown",
    "ToOrchestrator",
    "Waits",
]


class Noted(msgspec.Struct, frozen=True, gc=False):
    """To be written down on behalf of a running attempt."""

    id: AttemptId
    event: Note
    blobs: Sequence[Blob]
    answer: "Future[None]"


class Begun(msgspec.Struct, frozen=True, gc=False):
    """A running attempt calls an agent."""

    id: AttemptId
    call: str
    birth: Birth
    answer: "Future[None]"


class Reserving(msgspec.Struct, frozen=True, gc=False):
    """A running attempt is about to make a call, in a run that has a budget."""

    id: AttemptId
    call: str
    wanted: Reserve
    answer: "Future[None]"


class Awaited(msgspec.Struct, frozen=True, gc=False):
    """A running attempt waits for this call's answer."""

    id: AttemptId
    call: str
    answer: "Future[Call]"


class Posted(msgspec.Struct, frozen=True, gc=False):
    """A message from a running attempt to a run."""

    id: AttemptId
    call: str
    run: str
    event: MessageSent
    blobs: Sequence[Blob]
    answer: "Future[None]"


class Paused(msgspec.Struct, frozen=True, gc=False):
    """A running attempt waits until this time before it tries a call again."""

    id: AttemptId
    call: str
    due: int
    answer: "Future[None]"


class Rested(msgspec.Struct, frozen=True, gc=False):
    """A running attempt only waits from now on, or works."""

    id: AttemptId
    how: Rest


class Shown(msgspec.Struct, frozen=True, gc=False):
    """Something to be shown."""

    id: AttemptId
    sign: Sign


class ToOrchestrator:
    """See `Link`."""

    def __init__(
        self,
        put: Callable[
            [
                Report
                | Noted
                | Begun
                | Reserving
                | PermitMail
                | Awaited
                | Paused
                | Posted
                | Rested
                | Shown
            ],
            None,
        ],
        now: Callable[[], int],
        is_limiting: Callable[[], bool],
    ) -> None:
        self._put = put
        self._now = now
        self._is_limiting = is_limiting

    def report(self, report: Report) -> None:
        """The attempt's end."""
        self._put(report)

    def note(self, attempt: AttemptId, event: Note, blobs: Sequence[Blob] = ()) -> "Future[None]":
        """Write this down."""
        answer: Future[None] = Future()
        self._put(Noted(attempt, event, blobs, answer))
        return answer

    def begin(self, attempt: AttemptId, call: str, birth: Birth) -> "Future[None]":
        """Begin this run."""
        answer: Future[None] = Future()
        self._put(Begun(attempt, call, birth, answer))
        return answer

    def reserve(self, attempt: AttemptId, call: str, wanted: Reserve) -> "Future[None]":
        """Whether the call may be made."""
        answer: Future[None] = Future()
        if self._is_limiting():
            self._put(Reserving(attempt, call, wanted, answer))
        else:
            answer.set_result(None)
        return answer

    def permit(self, attempt: AttemptId, call: str, limit: str) -> "Future[None]":
        """Whether it is the call's turn."""
        permit: Future[None] = Future()
        self._put(PermitMail(attempt, permit, call, limit))
        return permit

    def hand_back(self, attempt: AttemptId, permit: "Future[None]") -> None:
        """It is not needed any more."""
        self._put(PermitMail(attempt, permit))

    def pause(self, attempt: AttemptId, call: str, due: int) -> "Future[None]":
        """Until then."""
        answer: Future[None] = Future()
        self._put(Paused(attempt, call, due, answer))
        return answer

    def rest(self, attempt: AttemptId, how: Rest) -> None:
        """It does this now."""
        self._put(Rested(attempt, how))

    def wait(self, attempt: AttemptId, call: str) -> "Future[Call]":
        """The call's answer."""
        answer: Future[Call] = Future()
        self._put(Awaited(attempt, call, answer))
        return answer

    def send(
        self,
        attempt: AttemptId,
        call: str,
        run: str,
        event: MessageSent,
        blobs: Sequence[Blob] = (),
    ) -> "Future[None]":
        """Give the message to the run."""
        answer: Future[None] = Future()
        self._put(Posted(attempt, call, run, event, blobs, answer))
        return answer

    def now(self) -> int:
        """The time."""
        return self._now()

    def sign(self, attempt: AttemptId, sign: Sign) -> None:
        """Show this."""
        self._put(Shown(attempt, sign))


class Waits:
    """Who waits inside which attempt for which call. On the orchestrator's thread alone."""

    def __init__(self) -> None:
        self._waiting: dict[AttemptId, dict[str, list[Future[Any]]]] = {}
        # Those among them that wait for a time; whoever was given up meanwhile is left in it.
        self._pauses: list[tuple[int, int, Paused]] = []
        self._number = count()

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def add(self, wait: Awaited, unit: Unit | None) -> Call | None:
        """Somebody waits, unless the call is closed: then it is the answer.

        Without a unit the attempt was given up, and is told so.
        """
        if unit is None:
            deny(wait.answer, AttemptGivenUp(wait.id.step, wait.id.attempt))
            return None
        call = unit.calls.get(wait.call) if unit.calls else None
        if call is not None and call.is_closed:
            return call
        mine = self._waiting.setdefault(wait.id, {})
        mine.setdefault(wait.call, []).append(wait.answer)
        return None

    def pause(self, wait: Paused, unit: Unit | None) -> None:
        """Somebody waits until a certain time."""
        if unit is None:
            deny(wait.answer, AttemptGivenUp(wait.id.step, wait.id.attempt))
            return
        self._waiting.setdefault(wait.id, {}).setdefault(wait.call, []).append(wait.answer)
        heappush(self._pauses, (wait.due, next(self._number), wait))

    def ring(self, now: int) -> Iterator[AttemptId]:
        """It is so late: who waited for that goes on."""
        while self._pauses and self._pauses[0][0] <= now:
            wait = heappop(self._pauses)[2]
            yield wait.id
            give(wait.answer, None)

    @property
    def next_due(self) -> int:
        """When somebody goes on by the time alone; 0 for never."""
        while self._pauses and self._pauses[0][2].answer.done():
            heappop(self._pauses)
        return self._pauses[0][0] if self._pauses else 0

    def take(self, attempt: AttemptId, call: str) -> "list[Future[Any]]":
        """Those who waited for this call: it has been answered."""
        return self._waiting.get(attempt, {}).pop(call, [])

    def closed_by(
        self, state: State, event: Event, step: str, item: str
    ) -> "Iterator[tuple[Future[Any], Call]]":
        """Those who waited for a call that this event has closed: to be told when it is on disk."""
        key: str = getattr(event, "call", "")
        unit = state.unit(step, item) if key else None
        if unit is None or unit.running is None or not unit.calls:
            return
        call = unit.calls.get(key)
        if call is not None and call.is_closed:
            for answer in self.take(AttemptId(state.run, step, unit.running.attempt, item), key):
                yield answer, call

    def give_up(self, attempt: AttemptId) -> None:
        """Nobody wants the attempt's result: whoever waits inside it hears so."""
        waiting = self._waiting.pop(attempt, None)
        if waiting is None:
            return
        error = AttemptGivenUp(attempt.step, attempt.attempt)
        for answers in waiting.values():
            for answer in answers:
                deny(answer, error)

    def refuse(self, error: BaseException) -> None:
        """The orchestrator ends."""
        waiting, self._waiting = self._waiting, {}
        for calls in waiting.values():
            for answers in calls.values():
                for answer in answers:
                    deny(answer, error)
