"""What is going on: the events of a run, the pure core that folds them and decides, and the
thread that writes them and acts.

It knows steps, attempts and the store. It does not know notebooks, widgets, or how a
step's code is executed: a `Worker` does that, and whoever wants to show something listens.
"""

from stepwell.orchestrator._apply import apply
from stepwell.orchestrator._decide import (
    CancelAttempt,
    Command,
    Reuse,
    Settle,
    StartAttempt,
    current_inputs,
    decide,
    is_current,
)
from stepwell.orchestrator._events import (
    AttemptCompleted,
    AttemptFailed,
    AttemptInterrupted,
    AttemptStarted,
    EnvironmentCaptured,
    ErrorInfo,
    Event,
    Output,
    RunCancelled,
    RunSettled,
    RunStarted,
    SetupDefined,
    StepForgotten,
    StepRenamed,
    StepReused,
    StepsDefined,
    StepsRequested,
)
from stepwell.orchestrator._history import decode, load, runs
from stepwell.orchestrator._port import (
    Attempt,
    AttemptId,
    Clock,
    Failed,
    Finished,
    Happened,
    Listener,
    Report,
    Stopped,
    Worker,
)
from stepwell.orchestrator._references import references
from stepwell.orchestrator._request import closure, interrupted, recover, request
from stepwell.orchestrator._shell import Orchestrator, system_clock
from stepwell.orchestrator._snapshot import is_stuck, phase_of, run_view, status_of, step_view
from stepwell.orchestrator._state import Checkpoint, Running, State, StepState
from stepwell.orchestrator._views import Phase, RunView, StepView

__all__ = [
    "Attempt",
    "AttemptCompleted",
    "AttemptFailed",
    "AttemptId",
    "AttemptInterrupted",
    "AttemptStarted",
    "CancelAttempt",
    "Checkpoint",
    "Clock",
    "Command",
    "EnvironmentCaptured",
    "ErrorInfo",
    "Event",
    "Failed",
    "Finished",
    "Happened",
    "Listener",
    "Orchestrator",
    "Output",
    "Phase",
    "Report",
    "Reuse",
    "RunCancelled",
    "RunSettled",
    "RunStarted",
    "RunView",
    "Running",
    "Settle",
    "SetupDefined",
    "StartAttempt",
    "State",
    "StepForgotten",
    "StepRenamed",
    "StepReused",
    "StepState",
    "StepView",
    "StepsDefined",
    "StepsRequested",
    "Stopped",
    "Worker",
    "apply",
    "closure",
    "current_inputs",
    "decide",
    "decode",
    "interrupted",
    "is_current",
    "is_stuck",
    "load",
    "phase_of",
    "recover",
    "references",
    "request",
    "run_view",
    "runs",
    "status_of",
    "step_view",
    "system_clock",
]
