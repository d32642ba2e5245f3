"""Everything that can happen to a run. A run *is* the sequence of its events.

Events are written to the store before anything acts on them, and a released event is
never changed: fields may be added with a default, that is all. `kind` in the store is
the event's tag; run, step, item, attempt and time have columns of their own.
"""

from typing import Literal

import msgspec

from stepwell.flow import Binding, Step
from stepwell.orchestrator._base import BaseEvent, ErrorInfo, Output
from stepwell.orchestrator._budget import BudgetSet
from stepwell.orchestrator._call_events import CallEvent

__all__ = [
    "AgentDefined",
    "AttemptCompleted",
    "AttemptFailed",
    "AttemptInterrupted",
    "AttemptStarted",
    "AttemptsStarted",
    "CheckpointShared",
    "EnvironmentCaptured",
    "ErrorInfo",
    "Event",
    "HeartbeatKept",
    "ItemsExpanded",
    "LimitSet",
    "Output",
    "RunCancelled",
    "RunContinued",
    "RunHeld",
    "RunPaused",
    "RunReleased",
    "RunSettled",
    "RunStarted",
    "SetupDefined",
    "Start",
    "StepForgotten",
    "StepRenamed",
    "StepReused",
    "StepSkipped",
    "StepsDefined",
    "StepsRequested",
    "UndoRequested",
]


class RunStarted(BaseEvent, frozen=True, tag="run_started"):
    """A run exists from here on."""

    flow: str = ""
    """The agent it is a run of; empty for the notebook's own flow."""
    parent: str = ""
    """The run that called it."""
    notebook: str = ""
    user: str = ""
    host: str = ""
    forked_from: str = ""
    """The run whose results it began with."""
    root: str = ""
    """The run that nobody called, under which all this happens; empty where it is this one."""
    depth: int = 0
    """How many runs it is below that."""
    step: str = ""
    item: str = ""
    call: str = ""
    """Where in the parent: the call that waits for this run; empty where a cell called it."""
    parameters: dict[str, Output] = {}
    outputs: tuple[str, ...] = ()
    """The names that are its result."""


class StepsDefined(BaseEvent, frozen=True, tag="steps_defined"):
    """These steps are new or read differently than before."""

    steps: tuple[Step, ...]


class SetupDefined(BaseEvent, frozen=True, tag="setup_defined"):
    """A cell to be run again wherever the flow is rebuilt; `order` sorts them."""

    name: str
    source: str
    order: int = 0


class AgentDefined(BaseEvent, frozen=True, tag="agent_defined"):
    """An agent was declared, or is declared differently than before; its steps come apart."""

    name: str
    signature: str
    """As it was typed: parameters with types and defaults, and the outputs' names."""
    max_depth: int = 10
    cell: str = ""


class EnvironmentCaptured(BaseEvent, frozen=True, tag="environment_captured"):
    """What steps find around them, besides other steps' outputs; written once per content."""

    environment: str
    """Digest of names, kinds and digests; equal means that nothing a result depends on differs."""
    bindings: dict[str, Binding] = {}
    values: dict[str, str] = {}
    """Name → digest of the stored value that brings it back."""


class StepsRequested(BaseEvent, frozen=True, tag="steps_requested"):
    """Somebody wants these steps up to date; from now on they are owed."""

    environments: dict[str, str]
    """Step → the environment it is to run in."""
    by: str = ""
    """`cell`, `run`, `resume`, `rerun`."""
    force: tuple[str, ...] = ()
    """Of these, the ones that are to run even if nothing has changed."""
    failed_only: bool = False
    """Of what is to run all the same, the items that are done are kept."""
    goes_on: tuple[str, ...] = ()
    """Of these, the ones that the end of a process had cut off: their failures count on."""


class AttemptStarted(BaseEvent, frozen=True, tag="attempt_started"):
    """An attempt is about to be handed to a worker."""

    key: str = ""
    """Idempotency key: the same for every attempt at the same work."""
    code: str = ""
    inputs: dict[str, str] = {}
    """Input name → digest of its value."""
    environment: str = ""
    worker: str = "kernel"
    fresh: bool = False
    """Of a mapped step: nothing that its items did before is reused."""
    streams: str = ""
    """Of a mapped step: the step whose items it takes as they are done."""
    limit: str = ""
    """The limit under which it counts."""


class Start(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One of the attempts of an `AttemptsStarted`, with what a record of its own would have."""

    step: str
    item: str
    attempt: int
    at: int
    event: AttemptStarted


class AttemptsStarted(BaseEvent, frozen=True, tag="attempts_started"):
    """Several attempts are about to be handed to a worker, in this order.

    A way of writing: to whoever hears what happens, each of them begins by itself.
    """

    starts: tuple[Start, ...]


class AttemptCompleted(BaseEvent, frozen=True, tag="attempt_completed"):
    """The step is done; this record is the checkpoint."""

    outputs: dict[str, Output] = {}
    seconds: float = 0.0
    log: str = ""
    """Digest of what it printed and displayed; empty for nothing."""
    inputs: dict[str, str] | None = None
    """What it has read, where that was not known when it started."""
    share: float = 1.0
    """Of a mapped step: so large a share of its items was done."""


class AttemptFailed(BaseEvent, frozen=True, tag="attempt_failed"):
    """The attempt ended with an error."""

    error: ErrorInfo
    seconds: float = 0.0
    log: str = ""
    retry_at: int = 0
    """When it is tried again, microseconds UTC; 0 for never."""


class AttemptInterrupted(BaseEvent, frozen=True, tag="attempt_interrupted"):
    """The process died, or somebody stopped the attempt: it may or may not have had an effect."""

    reason: Literal["process_died", "cancelled", "worker_lost", "source_ended"] = "process_died"


class ItemsExpanded(BaseEvent, frozen=True, tag="items_expanded"):
    """The items of a mapped step, in order: key and digest of each."""

    items: tuple[tuple[str, str], ...] = ()
    environment: str = ""
    """What each of them finds around it besides itself; empty: what the step finds."""


class StepSkipped(BaseEvent, frozen=True, tag="step_skipped"):
    """The step does not apply: its condition is false, or what it reads from was skipped.

    Stands for a checkpoint without outputs, made from what is given here.
    """

    reason: str
    code: str = ""
    inputs: dict[str, str] = {}
    environment: str = ""


class HeartbeatKept(BaseEvent, frozen=True, tag="heartbeat"):
    """The attempt is alive, and its next one shall know this."""

    details: Output | None = None


class StepReused(BaseEvent, frozen=True, tag="step_reused"):
    """Asked for and found unchanged: answered from its checkpoint."""


class CheckpointShared(BaseEvent, frozen=True, tag="checkpoint_shared"):
    """The step, or an item of it, begins with the result it has in another run."""

    origin: str
    """The other run."""
    made: int
    """When it was stored there, microseconds UTC; the record's attempt is the one there, too."""
    outputs: dict[str, Output] = {}
    seconds: float = 0.0
    log: str = ""
    code: str = ""
    inputs: dict[str, str] = {}
    environment: str = ""
    skipped: str = ""
    given: tuple[str, ...] = ()
    """Of the outputs, those that somebody has put in the place of what was made there."""
    digest: str = ""
    """Of an item's element."""
    index: int = 0
    share: float = 1.0
    """Of a mapped step: so large a share of its items was done."""


class StepForgotten(BaseEvent, frozen=True, tag="step_forgotten"):
    """The step is no longer part of the flow. Its history is kept."""

    flow: str = ""
    """The agent it is a step of, in the run that declares that; empty for the run's own flow."""


class StepRenamed(BaseEvent, frozen=True, tag="step_renamed"):
    """The step's cell was given another name; what it has done goes with it."""

    to: str


class RunCancelled(BaseEvent, frozen=True, tag="run_cancelled"):
    """Nothing further of these steps is started; what is owed is no longer owed."""

    steps: tuple[str, ...] = ()
    """Empty for all of the run's."""


class RunPaused(BaseEvent, frozen=True, tag="run_paused"):
    """Nothing further is started until the run is continued."""


class RunContinued(BaseEvent, frozen=True, tag="run_continued"):
    """The run is no longer paused."""


class RunHeld(BaseEvent, frozen=True, tag="run_held"):
    """The time is over that the run, or one above it, may take: nothing further is started."""

    is_refused: bool = False
    """A person has said that it gets no more: what was to come is not wanted."""


class RunReleased(BaseEvent, frozen=True, tag="run_released"):
    """The run has more time, or does not need any."""


class LimitSet(BaseEvent, frozen=True, tag="limit_set"):
    """Attempts and calls that share this limit are no more than so many, in all runs together."""

    name: str
    concurrent: int = 0
    """At once; 0 for any number."""
    rate: int = 0
    """Begun within `per` seconds; 0 for any number."""
    per: float = 0.0


class UndoRequested(BaseEvent, frozen=True, tag="undo_requested"):
    """What has been done is to be undone, the newest first; or is to be if the run fails."""

    environments: dict[str, str]
    """Step that undoes → the environment it is to run in."""
    on_failure: bool = False


class RunSettled(BaseEvent, frozen=True, tag="run_settled"):
    """Nothing is running and nothing can be started."""

    status: Literal["completed", "failed", "cancelled"]


Event = (
    RunStarted
    | StepsDefined
    | SetupDefined
    | AgentDefined
    | EnvironmentCaptured
    | StepsRequested
    | AttemptStarted
    | AttemptsStarted
    | AttemptCompleted
    | AttemptFailed
    | AttemptInterrupted
    | ItemsExpanded
    | StepSkipped
    | HeartbeatKept
    | StepReused
    | CheckpointShared
    | StepForgotten
    | StepRenamed
    | RunCancelled
    | LimitSet
    | UndoRequested
    | RunPaused
    | RunContinued
    | RunHeld
    | RunReleased
    | RunSettled
    | BudgetSet
    | CallEvent
)
