"""What the orchestrator asks of a worker, and what it hears back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from stepwell.flow import Step
from stepwell.orchestrator._events import ErrorInfo, Event, Output
from stepwell.store import Blob

__all__ = [
    "Attempt",
    "AttemptId",
    "Clock",
    "Failed",
    "Finished",
    "Happened",
    "Listener",
    "Report",
    "Stopped",
    "Worker",
]

Clock = Callable[[], int]
"""Microseconds since 1970-01-01 UTC."""


class AttemptId(msgspec.Struct, frozen=True, gc=False):
    """One try at one step of one run. A report that names another attempt changes nothing."""

    run: str
    step: str
    attempt: int


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


class Finished(msgspec.Struct, frozen=True, gc=False):
    """The code ran to its end and every output could be written down."""

    id: AttemptId
    outputs: dict[str, Output]
    blobs: Sequence[Blob] = ()
    objects: Mapping[str, object] = {}
    """The outputs as they are in this process, for the notebook's namespace."""
    seconds: float = 0.0
    log: Blob | None = None


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The attempt ended with an error."""

    id: AttemptId
    error: ErrorInfo
    seconds: float = 0.0
    log: Blob | None = None


class Stopped(msgspec.Struct, frozen=True, gc=False):
    """The attempt was stopped before its end."""

    id: AttemptId
    reason: Literal["cancelled", "worker_lost"] = "cancelled"


Report = Finished | Failed | Stopped


class Worker(Protocol):
    """Where attempts run. Both methods return at once and may be called from any thread."""

    def start(self, attempt: Attempt, report: Callable[[Report], None]) -> None:
        """Try the step. `report` is called exactly once, from any thread."""
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
    objects: Mapping[str, object] = {}


Listener = Callable[[Sequence[Happened]], None]
"""Called on the orchestrator's thread with what has become durable, in order.

With nothing when the store cannot be written: see `Orchestrator.trouble`.
"""
