"""What people are shown: snapshots of a step and of a run, with no way to change either."""

from dataclasses import dataclass, field
from enum import Enum

from stepwell.orchestrator._budget import Budget
from stepwell.orchestrator._events import ErrorInfo, Output

__all__ = [
    "ApprovalView",
    "ChildView",
    "ItemsView",
    "Phase",
    "ProgressView",
    "RunView",
    "StepView",
    "StreamView",
]


class Phase(Enum):
    """Where a step stands. The value is the word people are shown."""

    DEFERRED = "not run"
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsView:
    """How far a mapped step has come."""

    total: int = 0
    done: int = 0
    failed: int = 0
    running: int = 0
    reused: int = 0
    """Of `done`, those answered from an earlier pass."""
    since: int = 0
    """When work at them began: with what is done since, the pace. 0 when none is going on."""
    first_failed: tuple[tuple[str, ErrorInfo], ...] = ()
    """Of the first few that failed the key and why."""

    @property
    def waiting(self) -> int:
        """Not begun, or between two attempts."""
        return self.total - self.done - self.failed - self.running


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressView:
    """What a step says of its own progress."""

    done: float = 0.0
    total: float = 0.0
    """0 when it is not known."""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamView:
    """A durable call whose result comes in pieces, as far as it has come. Not kept."""

    call: str
    """The call's key: the same for as long as it goes on."""
    name: str = ""
    """What the call is known by."""
    item: str = ""
    """The element it belongs to, in a mapped step."""
    step: str = ""
    """The step that makes it, where that is one of a child run."""
    text: str = ""
    """The end of what has come; pieces that are no text stand in lines of their own."""
    is_cut: bool = False
    """Whether more has come before that."""
    pieces: int = 0
    is_over: bool = False
    """No more is to come: the latest one stays until another begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """A question to a person. Times are microseconds since 1970 UTC."""

    id: str
    step: str = ""
    item: str = ""
    """Of a mapped step, whose question it is."""
    question: str = ""
    form: str = "approve"
    """`approve`, `ask`, `in_doubt`, `budget`."""
    payload: Output | None = None
    schema: str = ""
    """JSON schema of what an edit, or an answer, must be."""
    edit: tuple[str, ...] = ()
    """Names that may be edited."""
    tool: str = ""
    """What is to be called, where a decision can hold for all its calls."""
    requested: int = 0
    due: int = 0
    """When its time is up; 0 for never."""
    on_timeout: str = "reject"
    status: str = "pending"
    """`pending`, or the decision: `approved`, `rejected`, `edited`, `answered`, `expired`,
    `voided`."""
    decided: int = 0
    decided_by: str = ""
    channel: str = ""
    note: str = ""
    """The reason, word for word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildView:
    """A run of an agent that a step started."""

    run: str
    agent: str = ""
    status: str = "running"
    parameters: str = ""
    """What it was called with, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step of one run, as of one moment. Times are microseconds since 1970 UTC."""

    name: str
    run: str
    phase: Phase
    since: int = 0
    """When it came into this phase; for a completed step, when its result was stored."""
    attempt: int = 0
    """Number of the latest attempt, from 1; 0 when there has been none."""
    seconds: float = 0.0
    """How long the latest finished attempt took."""
    reads: tuple[tuple[str, str], ...] = ()
    """Name and the step that writes it, or "" for a name of the environment."""
    writes: tuple[str, ...] = ()
    outputs: dict[str, Output] = field(default_factory=dict[str, Output])
    error: ErrorInfo | None = None
    waiting_for: tuple[str, ...] = ()
    """Steps that must be done first."""
    blocked_by: tuple[str, ...] = ()
    """Of those, the ones that failed or were cancelled: it cannot start before they are mended."""
    restored: bool = False
    """Answered from the store in this process; `seconds` is then the time that was saved."""
    stale: tuple[str, ...] = ()
    """Why the stored result no longer matches, one line per reason; empty when it does."""
    diff: str = ""
    """Unified diff of the code, where that is a reason."""
    note: str = ""
    """One more line people must know: opaque inputs, a full disk, a changed input."""
    source: str = ""
    items: ItemsView | None = None
    """Of a mapped step."""
    progress: ProgressView | None = None
    streams: tuple[StreamView, ...] = ()
    """Results that are coming in pieces now: the few that began first, in that order."""
    more_streams: int = 0
    """How many besides these."""
    approval: ApprovalView | None = None
    """The question it waits for, or the latest that was decided."""
    questions: int = 0
    """How many are open; of a mapped step several items may ask."""
    children: tuple[ChildView, ...] = ()
    retry_at: int = 0
    """When it is tried again after a failed attempt; 0 when it is not."""
    retry: int = 0
    """Number of that retry, of `retries`."""
    retries: int = 0
    held: str = ""
    """Why it does not go on, where that is not for other steps: a pause, a limit."""
    skipped: str = ""
    """Why it was skipped."""
    cost: float = 0.0
    """What its durable calls have consumed, as far as it is known, in all its attempts."""
    tokens: int = 0
    calls: int = 0
    """How many there were; those answered from the store do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run, as of one moment."""

    run: str
    flow: str
    status: str
    """`running`, `completed`, `cancelled`, `idle`; `needs a person`: nothing goes on before
    somebody has decided; `failed`: a step failed, nothing is lost."""
    is_paused: bool = False
    """Nothing further is started until somebody resumes."""
    started: int = 0
    notebook: str = ""
    store: str = ""
    steps: tuple[StepView, ...] = ()
    seconds_spent: float = 0.0
    """Sum over all attempts that ran."""
    seconds_saved: float = 0.0
    """Sum over steps restored in this process."""
    approvals: tuple[ApprovalView, ...] = ()
    """Questions that are open, the oldest first, whatever step asked them."""
    cost: float = 0.0
    """With what the runs it has started consumed."""
    tokens: int = 0
    calls: int = 0
    budget: Budget | None = None
