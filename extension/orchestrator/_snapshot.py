"""From the state to what people are shown."""

from collections.abc import Mapping

from stepwell.flow import Step
from stepwell.orchestrator._decide import current_inputs
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import StepState
from stepwell.orchestrator._views import Phase, RunView, StepView

__all__ = ["phase_of", "run_view", "step_view"]


def phase_of(step: StepState) -> Phase:
    """Where the step stands."""
    if step.running is not None:
        return Phase.RUNNING
    if step.owed:
        return Phase.WAITING
    if step.error is not None:
        return Phase.FAILED
    if step.cancelled:
        return Phase.CANCELLED
    if step.checkpoint is None:
        return Phase.DEFERRED
    return Phase.SKIPPED if step.checkpoint.skipped else Phase.COMPLETED


def step_view(
    state: State, name: str, *, stale: tuple[str, ...] = (), diff: str = "", note: str = ""
) -> StepView:
    """One step as it stands. Raises `UnknownStep`."""
    definition, step = state.flow[name], state.step(name)
    checkpoint = step.checkpoint
    waiting = tuple(sorted(step.waiting)) if step.owed and step.running is None else ()
    phase = phase_of(step)
    stored = checkpoint.at if checkpoint is not None and phase is Phase.COMPLETED else 0
    return StepView(
        name=name,
        run=state.run,
        phase=phase,
        since=stored or step.since,
        attempt=step.attempts,
        seconds=checkpoint.seconds if checkpoint else 0.0,
        reads=_reads(state, definition),
        writes=definition.writes,
        outputs=dict(checkpoint.outputs) if checkpoint else {},
        error=step.error,
        waiting_for=waiting,
        blocked_by=tuple(other for other in waiting if is_stuck(state, other)),
        restored=step.restored,
        stale=stale,
        diff=diff,
        note=note,
        source=definition.source,
    )


def _reads(state: State, definition: Step) -> tuple[tuple[str, str], ...]:
    inputs = current_inputs(state, definition)
    pairs = ((name, state.flow.writer_of(name)) for name in definition.reads)
    return tuple((name, writer.name if writer and name in inputs else "") for name, writer in pairs)


def is_stuck(state: State, name: str) -> bool:
    """Whether the step cannot come to an end without somebody mending something."""
    pending, seen = [name], {name}
    while pending:
        step = state.steps.get(pending.pop())
        if step is None or not (step.owed or step.running or step.is_settled):
            return True
        if step.owed and step.running is None:
            new = step.waiting - seen
            seen |= new
            pending += new
    return False


def run_view(
    state: State, *, store: str = "", stale: Mapping[str, tuple[str, ...]] | None = None
) -> RunView:
    """The run as it stands, steps in the order in which they were defined."""
    started = state.started
    steps = tuple(
        step_view(state, step.name, stale=(stale or {}).get(step.name, ())) for step in state.flow
    )
    return RunView(
        run=state.run,
        flow=started.flow if started else "",
        status=status_of(state),
        started=state.started_at,
        notebook=started.notebook if started else "",
        store=store,
        steps=steps,
        seconds_spent=sum(view.seconds for view in steps),
        seconds_saved=sum(view.seconds for view in steps if view.restored),
    )


def status_of(state: State) -> str:
    """The run's status in one word."""
    if state.running:
        return "running"
    if state.owed and not state.settled:
        return "running"
    return state.settled or "idle"
