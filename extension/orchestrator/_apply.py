"""`apply`: one event into the state. Pure and total: any recorded history can be applied.

Rule: nothing is decided here. An event that no longer concerns anybody (the late result
of an attempt that was given up) is recognised by its attempt number and changes nothing:
that is the fence.
"""

from stepwell.orchestrator._apply_calls import apply_call
from stepwell.orchestrator._apply_items import expand, item_attempt
from stepwell.orchestrator._apply_steps import request, skip, step_attempt
from stepwell.orchestrator._budget import BudgetSet
from stepwell.orchestrator._call_events import CallEvent
from stepwell.orchestrator._deadlines import SECOND
from stepwell.orchestrator._events import (
    AgentDefined,
    AttemptCompleted,
    AttemptFailed,
    AttemptInterrupted,
    AttemptsStarted,
    AttemptStarted,
    CheckpointShared,
    EnvironmentCaptured,
    Event,
    HeartbeatKept,
    ItemsExpanded,
    LimitSet,
    RunCancelled,
    RunContinued,
    RunHeld,
    RunPaused,
    RunReleased,
    RunSettled,
    RunStarted,
    SetupDefined,
    StepForgotten,
    StepRenamed,
    StepReused,
    StepsDefined,
    StepSkipped,
    StepsRequested,
    UndoRequested,
)
from stepwell.orchestrator._flow_events import define, forget, rename
from stepwell.orchestrator._owing import answered, cancel
from stepwell.orchestrator._sharing import share
from stepwell.orchestrator._state import State
from stepwell.orchestrator._timers import Timer
from stepwell.orchestrator._undoing import begin_undoing

__all__ = ["apply"]

_ATTEMPT = (AttemptStarted, AttemptCompleted, AttemptFailed, AttemptInterrupted)


def apply(  # noqa: PLR0912, PLR0915 - one branch to an event, none of them with a thought of its own
    state: State, event: Event, *, step: str = "", item: str = "", attempt: int = 0, at: int = 0
) -> State:
    """The state after `event`. The state passed in is used up; go on with the answer.

    `step`, `item`, `attempt` and `at` (microseconds, UTC) are the columns it was stored with.
    """
    if isinstance(event, _ATTEMPT):
        if (known := state.steps.get(step)) is not None:
            if item:
                item_attempt(state, known, item, event, attempt=attempt, at=at)
            else:
                step_attempt(state, known, event, attempt, at)
        return state
    if isinstance(event, AttemptsStarted):
        for one in event.starts:
            apply(state, one.event, step=one.step, item=one.item, attempt=one.attempt, at=one.at)
        return state
    if isinstance(event, CallEvent):
        apply_call(state, event, step=step, item=item, attempt=attempt, at=at)
        return state
    if isinstance(event, UndoRequested):
        if event.on_failure:
            state.undo_on_failure = event.environments
        else:
            begin_undoing(state, event.environments, at)
        return state
    match event:
        case StepReused():
            if (known := state.steps.get(step)) is not None:
                known.restored = not state.is_replayed and step not in state.live
                answered(state, known, at)
        case ItemsExpanded():
            if (known := state.steps.get(step)) is not None:
                expand(state, known, event, attempt, at)
        case StepSkipped():
            if (known := state.steps.get(step)) is not None:
                skip(state, known, event, attempt, at)
        case CheckpointShared():
            share(state, event, state.step(step), item, attempt)
        case HeartbeatKept():
            _heard(state, event, step=step, item=item, attempt=attempt, at=at)
        case StepsRequested():
            request(state, event, at)
        case StepsDefined():
            define(state, event.steps)
        case StepForgotten():
            forget(state, step, event.flow)
        case StepRenamed():
            rename(state, step, event.to)
        case EnvironmentCaptured():
            state.environments[event.environment] = event
        case AgentDefined():
            state.declared[event.name] = event
        case SetupDefined():
            state.setups[event.name] = event
        case RunStarted():
            state.started, state.started_at = event, at
        case RunCancelled():
            cancel(state, event.steps, at)
        case BudgetSet():
            _allow(state, event, at)
        case RunPaused():
            state.is_paused = True
        case RunContinued():
            state.is_paused = False
        case RunHeld():
            state.held = "refused" if event.is_refused else "asked"
        case RunReleased():
            state.held = ""
        case LimitSet():
            pass  # shared by all runs of the process: see `_limits`
        case RunSettled():
            state.settled = event.status
    return state


def _allow(state: State, event: BudgetSet, at: int) -> None:
    state.budget, state.budget_since = event.budget, event.since or at
    state.budget_base = event.base or event.budget
    if event.budget.seconds is not None:
        due = state.budget_since + round(event.budget.seconds * SECOND)
        state.timers.set(Timer(due, "budget", ""))


def _heard(
    state: State, event: HeartbeatKept, *, step: str, item: str, attempt: int, at: int
) -> None:
    unit = state.unit(step, item)
    if unit is None or unit.running is None or unit.running.attempt != attempt:
        return
    unit.heard = at
    if event.details is not None:
        unit.heartbeat = event.details
