"""What the orchestrator asks of a worker, and what it hears back."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any, Literal, Protocol

import msgspec

from stepwell.flow import Step
from stepwell.orchestrator._base import ErrorInfo, Output
from stepwell.orchestrator._budget import Reserve
from stepwell.orchestrator._call_events import CallEvent, MessageSent
from stepwell.orchestrator._calls import Call, Calls
from stepwell.orchestrator._deadlines import Failure
from stepwell.orchestrator._events import EnvironmentCaptured, Event, HeartbeatKept, RunStarted
from stepwell.store import Blob, Tables

__all__ = [
    "NOTHING",
    "Attempt",
    "AttemptId",
    "Birth",
    "Expanded",
    "Failed",
    "Finished",
    "Gathered",
    "Happened",
    "ItemRef",
    "Link",
    "Listener",
    "Note",
    "Report",
    "Sign",
    "SignListener",
    "Skipped",
    "Stopped",
    "Worker",
]


NOTHING: Mapping[Any, Any] = MappingProxyType({})
"""Where there are no objects, inputs or digests to speak of. One for all: there are many."""


class AttemptId(msgspec.Struct, frozen=True, gc=False):
    """One try at one step of one run. A report that names another attempt changes nothing."""

    run: str
    step: str
    attempt: int
    item: str = ""
    """The item's key; empty for a step that is not mapped, and for a mapped step's own attempt."""


class ItemRef(msgspec.Struct, frozen=True, gc=False):
    """Which element of a mapped step's input an attempt is for."""

    key: str
    index: int
    digest: str
    """Of the element's value."""
    of_pass: int
    """The attempt of the step that the element was expanded for."""
    is_stored: bool = False
    """Whether the value is in the store under that digest: an item's output, streamed."""


class Gathered(msgspec.Struct, frozen=True, gc=False):
    """One element's outputs, to be put together; None for one that failed."""

    key: str
    outputs: Mapping[str, Output] | None


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """Everything a worker needs to know to try a step."""

    id: AttemptId
    definition: Step
    key: str
    """Idempotency key, the same for every attempt at the same work."""
    inputs: Mapping[str, str]
    """Input name → digest of its value."""
    environment: str
    derived: Mapping[str, str]
    """Transient output → the digest it goes by."""
    number: int = 1
    """How many times the code has been tried for this piece of work, this one included."""
    item: ItemRef | None = None
    calls: "Calls | None" = None
    """What calls of earlier attempts came to, by key; None where there were none."""
    heartbeat: Output | None = None
    """What the last heartbeat of an earlier attempt said."""
    gathered: Sequence[Gathered] | None = None
    """For a mapped step's second part: the elements' outputs, in order."""

    @property
    def is_whole(self) -> bool:
        """Whether it is at the step itself, from its beginning: not an element, not gathering."""
        return self.item is None and self.gathered is None


class Birth(msgspec.Struct, frozen=True, gc=False):
    """Everything that is needed to begin a run of an agent, or to go on with one."""

    started: RunStarted
    """The agent's name, its parameters and outputs."""
    version: str
    """Of the agent: its signature, its steps, and what these find around them."""
    steps: tuple[Step, ...]
    environment_of: Mapping[str, str]
    """Step → the environment it is to run in."""
    environments: Sequence[tuple[EnvironmentCaptured, Sequence[Blob]]] = ()
    blobs: Sequence[Blob] = ()
    """The parameters' values."""
    shown: str = ""
    """The parameters, for people."""
    max_depth: int = 10
    """How many runs, one called by the other, there may be above it."""


class Finished(msgspec.Struct, frozen=True, gc=False):
    """The code ran to its end and every output could be written down."""

    id: AttemptId
    outputs: dict[str, Output]
    blobs: Sequence[Blob] = ()
    objects: Mapping[str, object] = NOTHING
    """The outputs as they are in this process, for the notebook's namespace."""
    seconds: float = 0.0
    log: Blob | None = None
    tables: Tables | None = None
    """What the code has written to the user's tables: commits together with the result."""


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The attempt ended with an error."""

    id: AttemptId
    error: ErrorInfo
    seconds: float = 0.0
    log: Blob | None = None
    failure: Failure = Failure()


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """The step's condition is false: its code was not run."""

    id: AttemptId
    reason: str


class Expanded(msgspec.Struct, frozen=True, gc=False):
    """The elements of a mapped step's input: key and digest of each, in order."""

    id: AttemptId
    items: Sequence[tuple[str, str]]
    environment: str = ""
    """What each of them finds around it besides itself; empty: what the step finds."""


class Stopped(msgspec.Struct, frozen=True, gc=False):
    """The attempt was stopped before its end."""

    id: AttemptId
    reason: Literal["cancelled", "worker_lost"] = "cancelled"


Report = Finished | Failed | Stopped | Skipped | Expanded

Note = CallEvent | HeartbeatKept
"""What can be written down while an attempt runs."""


class Sign(msgspec.Struct, frozen=True, gc=False):
    """Something to be shown while an attempt runs, and not kept."""

    kind: Literal["progress", "piece"]
    text: str = ""
    """A word about it; or the newest of what has come, its end where that is long."""
    done: float = 0.0
    """So much, or so many pieces."""
    total: float = 0.0
    """Of so much; of pieces once there are no more to come. 0 when it is not known."""
    subject: str = ""
    """The call's key."""
    name: str = ""
    """What the call is known by."""


Rest = Literal["", "pause", "wait"]
"""Whether an attempt works, or only waits: for the time of a call's next try, or for a turn."""


class Link(Protocol):
    """How a worker speaks of its attempts. Any thread may call; every method returns at once."""

    def report(self, report: Report) -> None:
        """The attempt's end; `Expanded` is the end of a mapped step's first part."""
        ...

    def note(self, attempt: AttemptId, event: Note, blobs: Sequence[Blob] = ()) -> "Future[None]":
        """Write this down; the answer comes when it is on disk.

        The answer is `AttemptGivenUp` when nobody waits for the attempt any more: then
        nothing was written, and the attempt should end.
        """
        ...

    def begin(self, attempt: AttemptId, call: str, birth: Birth) -> "Future[None]":
        """Have this call answered by a run of its own; the answer comes when that is on disk.

        Raises, through the answer, `AgentTooDeep`, `FlowError`, and `AttemptGivenUp` as above.
        """
        ...

    def reserve(self, attempt: AttemptId, call: str, wanted: Reserve) -> "Future[None]":
        """Ask before a call is made whether the run's budget allows it.

        The answer comes when it does, perhaps after a person was asked; it is
        `BudgetExceeded` if the call is not to be made, or `AttemptGivenUp` as above. Answered
        at once where there is no budget. The end of the call, or of the attempt, frees what was
        set aside.
        """
        ...

    def permit(self, attempt: AttemptId, call: str, limit: str) -> "Future[None]":
        """Ask before each try at a call whether there is room for it under this limit.

        The answer comes in order of asking, as room appears; at once for a limit that is not
        set. It is `AttemptGivenUp` as above. Must be handed back, whether it has come or not;
        the end of the attempt hands back what is left.
        """
        ...

    def hand_back(self, attempt: AttemptId, permit: "Future[None]") -> None:
        """The try has ended, or is not to be made."""
        ...

    def pause(self, attempt: AttemptId, call: str, due: int) -> "Future[None]":
        """Wait until that time, microseconds UTC, before the next try at a call.

        The answer comes then; or it is `AttemptGivenUp` as above.
        """
        ...

    def rest(self, attempt: AttemptId, how: Rest) -> None:
        """From now on the attempt does this, as far as its calls tell."""
        ...

    def wait(self, attempt: AttemptId, call: str) -> "Future[Call]":
        """The call's answer, once it is closed and that is on disk; `AttemptGivenUp` as above."""
        ...

    def send(
        self,
        attempt: AttemptId,
        call: str,
        run: str,
        event: MessageSent,
        blobs: Sequence[Blob] = (),
    ) -> "Future[None]":
        """Give a message to a run, and close the attempt's call of that key with the same commit.

        The answer comes when both are on disk. It is `UnknownRun` where the store has no such
        run, and `AttemptGivenUp` as above; then nothing was written.
        """
        ...

    def now(self) -> int:
        """The time by the clock that timers go by, microseconds UTC."""
        ...

    def sign(self, attempt: AttemptId, sign: Sign) -> None:
        """Show this to whoever looks."""
        ...


class Worker(Protocol):
    """Where attempts run. Both methods return at once and may be called from any thread."""

    def start(self, attempt: Attempt, link: Link) -> None:
        """Try the step. `link.report` is called exactly once, from any thread."""
        ...

    def cancel(self, attempt: AttemptId) -> None:
        """Stop the attempt if it can be stopped; if not, it runs on and reports when it ends."""
        ...


class Happened(msgspec.Struct, frozen=True, gc=False):
    """An event that is on disk."""

    run: str
    step: str
    attempt: int
    at: int
    event: Event
    objects: Mapping[str, object] = NOTHING
    item: str = ""


Listener = Callable[[Sequence[Happened]], None]
"""Called on the orchestrator's thread with what has become durable, in order.

With nothing when the store cannot be written: see `Orchestrator.trouble`.
"""

SignListener = Callable[[AttemptId, Sign], None]
"""Called on the orchestrator's thread with what running attempts show. Not kept, may be missed."""
