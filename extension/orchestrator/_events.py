"""Everything that can happen to a run. A run *is* the sequence of its events.

Events are written to the store before anything acts on them, and a released event is
never changed: fields may be added with a default, that is all. `kind` in the store is
the event's tag; run, step, item, attempt and time have columns of their own.
"""

from typing import Literal

import msgspec

from stepwell.flow import Binding, Step

__all__ = [
    "AttemptCompleted",
    "AttemptFailed",
    "AttemptInterrupted",
    "AttemptStarted",
    "EnvironmentCaptured",
    "ErrorInfo",
    "Event",
    "Output",
    "RunCancelled",
    "RunSettled",
    "RunStarted",
    "SetupDefined",
    "StepForgotten",
    "StepRenamed",
    "StepReused",
    "StepsDefined",
    "StepsRequested",
]


class Output(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One output of a completed step."""

    digest: str
    type: str = ""
    size: int = 0
    preview: str = ""
    codec: str = ""
    stored: bool = True
    """False for a transient output: the digest then says what it was made from."""


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An error as it can be kept and shown: never the exception object itself."""

    type: str
    message: str = ""
    traceback: str = ""
    """Plain text, the cell's own frames first to last, ours left out."""
    line: int = 0
    """The line of the cell, counted from 1; 0 when unknown."""
    is_user_code: bool = True
    """False when the step's code was not at fault: an unstorable value, a missing input."""


class _Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", gc=False):
    """Common to all: nothing but the way they are encoded."""


class RunStarted(_Event, frozen=True, tag="run_started"):
    """A run exists from here on."""

    flow: str = ""
    parent: str = ""
    notebook: str = ""
    user: str = ""
    host: str = ""


class StepsDefined(_Event, frozen=True, tag="steps_defined"):
    """These steps are new or read differently than before."""

    steps: tuple[Step, ...]


class SetupDefined(_Event, frozen=True, tag="setup_defined"):
    """A cell to be run again wherever the flow is rebuilt; `order` sorts them."""

    name: str
    source: str
    order: int = 0


class EnvironmentCaptured(_Event, frozen=True, tag="environment_captured"):
    """What steps find around them, besides other steps' outputs; written once per content."""

    environment: str
    """Digest of names, kinds and digests; equal means that nothing a result depends on differs."""
    bindings: dict[str, Binding] = {}
    values: dict[str, str] = {}
    """Name → digest of the stored value that brings it back."""


class StepsRequested(_Event, frozen=True, tag="steps_requested"):
    """Somebody wants these steps up to date; from now on they are owed."""

    environments: dict[str, str]
    """Step → the environment it is to run in."""
    by: str = ""
    """`cell`, `run`, `resume`, `rerun`."""
    force: tuple[str, ...] = ()
    """Of these, the ones that are to run even if nothing has changed."""


class AttemptStarted(_Event, frozen=True, tag="attempt_started"):
    """An attempt is about to be handed to a worker."""

    key: str = ""
    """Idempotency key: the same for every attempt at the same work."""
    code: str = ""
    inputs: dict[str, str] = {}
    """Input name → digest of its value."""
    environment: str = ""
    worker: str = "kernel"


class AttemptCompleted(_Event, frozen=True, tag="attempt_completed"):
    """The step is done; this record is the checkpoint."""

    outputs: dict[str, Output] = {}
    seconds: float = 0.0
    log: str = ""
    """Digest of what it printed and displayed; empty for nothing."""


class AttemptFailed(_Event, frozen=True, tag="attempt_failed"):
    """The attempt ended with an error."""

    error: ErrorInfo
    seconds: float = 0.0
    log: str = ""


class AttemptInterrupted(_Event, frozen=True, tag="attempt_interrupted"):
    """The process died, or somebody stopped the attempt: it may or may not have had an effect."""

    reason: Literal["process_died", "cancelled", "worker_lost"] = "process_died"


class StepReused(_Event, frozen=True, tag="step_reused"):
    """Asked for and found unchanged: answered from its checkpoint."""


class StepForgotten(_Event, frozen=True, tag="step_forgotten"):
    """The step is no longer part of the flow. Its history is kept."""


class StepRenamed(_Event, frozen=True, tag="step_renamed"):
    """The step's cell was given another name; what it has done goes with it."""

    to: str


class RunCancelled(_Event, frozen=True, tag="run_cancelled"):
    """Nothing further of these steps is started; what is owed is no longer owed."""

    steps: tuple[str, ...] = ()
    """Empty for all of the run's."""


class RunSettled(_Event, frozen=True, tag="run_settled"):
    """Nothing is running and nothing can be started."""

    status: Literal["completed", "failed", "cancelled"]


Event = (
    RunStarted
    | StepsDefined
    | SetupDefined
    | EnvironmentCaptured
    | StepsRequested
    | AttemptStarted
    | AttemptCompleted
    | AttemptFailed
    | AttemptInterrupted
    | StepReused
    | StepForgotten
    | StepRenamed
    | RunCancelled
    | RunSettled
)
