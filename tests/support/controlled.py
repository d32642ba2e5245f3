"""Parts under the test's control: a disk that answers when told, a worker that ends when told."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from stepwell.errors import StoreError
from stepwell.orchestrator import (
    Attempt,
    AttemptId,
    Birth,
    Call,
    Finished,
    Link,
    MessageSent,
    Note,
    Output,
    Report,
    Reserve,
    Rest,
    Sign,
)
from stepwell.store import Blob, MemoryStore, Record
from stepwell.store._port import Then


def wait_for(is_there: Callable[[], object], seconds: float = 90) -> None:
    """Return as soon as the condition holds."""
    until = time.monotonic() + seconds
    while not is_there():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.001)


class ControlledStore(MemoryStore):
    """Holds what is appended back while told to, or refuses it while there is trouble."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: StoreError | None = None
        self.refused = 0
        self._is_held = False
        self._held: list[tuple[Sequence[Record], Then | None]] = []

    @property
    def is_holding(self) -> bool:
        """Whether something is on its way to the disk."""
        return bool(self._held)

    def hold(self) -> None:
        """From now on nothing reaches the disk."""
        self._is_held = True

    def let_go(self) -> None:
        """Write what was held back, and everything after it."""
        self._is_held = False
        held, self._held = self._held, []
        for records, then in held:
            super().append(records, then)

    def append(self, records: Sequence[Record], then: Then | None = None) -> None:
        """As told."""
        if self.trouble is not None and then is not None:
            self.refused += 1
            then(self.trouble)
        elif self._is_held:
            self._held.append((records, then))
        else:
            super().append(records, then)


class StandIn:
    """A worker that runs nothing: the test says how each attempt ends."""

    def __init__(self) -> None:
        self.started: dict[AttemptId, Attempt] = {}
        self.cancelled: list[AttemptId] = []
        self.links: dict[AttemptId, Link] = {}

    def start(self, attempt: Attempt, link: Link) -> None:
        """Note it."""
        self.links[attempt.id] = link
        self.started[attempt.id] = attempt

    def cancel(self, attempt: AttemptId) -> None:
        """Note it."""
        self.cancelled.append(attempt)

    def tell(self, report: Report) -> None:
        """The attempt ends so."""
        self.links[report.id].report(report)

    def finish(self, step: str, number: int = 1, *, run: str = "r") -> None:
        """The attempt ends well; its output is named as the step is."""
        attempt = self.await_start(step, number, run=run)
        outputs = {name: Output(f"{name}{number}") for name in attempt.definition.writes}
        objects = {name: f"value of {name}" for name in outputs}
        self.tell(Finished(attempt.id, outputs, objects=objects))

    def await_start(self, step: str, number: int = 1, *, run: str = "r") -> Attempt:
        """Wait for the attempt to be started."""
        wanted = AttemptId(run, step, number)
        wait_for(lambda: wanted in self.started)
        return self.started[wanted]


class Heard:
    """A link that only listens: what a worker reports and notes, in order."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.notes: list[Note] = []
        self.signs: list[Sign] = []
        self.time = 0

    def report(self, report: Report) -> None:
        """Keep it."""
        self.reports.append(report)

    def note(self, attempt: AttemptId, event: Note, blobs: Sequence[Blob] = ()) -> Future[None]:
        """Keep it; it is durable at once."""
        self.notes.append(event)
        answer: Future[None] = Future()
        answer.set_result(None)
        return answer

    def begin(self, attempt: AttemptId, call: str, birth: Birth) -> Future[None]:
        """Nothing begins."""
        return Future()

    def reserve(self, attempt: AttemptId, call: str, wanted: Reserve) -> Future[None]:
        """There is enough of everything."""
        answer: Future[None] = Future()
        answer.set_result(None)
        return answer

    def permit(self, attempt: AttemptId, call: str, limit: str) -> Future[None]:
        """There is room for everybody."""
        permit: Future[None] = Future()
        permit.set_result(None)
        return permit

    def hand_back(self, attempt: AttemptId, permit: Future[None]) -> None:
        """There is room anyway."""

    def pause(self, attempt: AttemptId, call: str, due: int) -> Future[None]:
        """It is time at once."""
        answer: Future[None] = Future()
        answer.set_result(None)
        return answer

    def rest(self, attempt: AttemptId, how: Rest) -> None:
        """Nobody keeps its time."""

    def wait(self, attempt: AttemptId, call: str) -> Future[Call]:
        """Nobody answers."""
        return Future()

    def send(
        self,
        attempt: AttemptId,
        call: str,
        run: str,
        event: MessageSent,
        blobs: Sequence[Blob] = (),
    ) -> Future[None]:
        """Keep it, as a note."""
        return self.note(attempt, event, blobs)

    def now(self) -> int:
        """As the test says."""
        return self.time

    def sign(self, attempt: AttemptId, sign: Sign) -> None:
        """Keep it."""
        self.signs.append(sign)
