"""What is going on."""

from stepwell.orchestrator._events import ErrorInfo, Event, Output
from stepwell.orchestrator._views import Phase, RunView, StepView

__all__ = ["ErrorInfo", "Event", "Output", "Phase", "RunView", "StepView"]
