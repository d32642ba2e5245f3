"""From the state to what people are shown."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TypedDict

from stepwell.flow import Step
from stepwell.orchestrator._budget import Spent
from stepwell.orchestrator._calls import Approval, Call
from stepwell.orchestrator._decide import current_inputs
from stepwell.orchestrator._owing import is_about_doubt
from stepwell.orchestrator._parked import Find, is_parked, nobody
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import StepState, Unit
from stepwell.orchestrator._views import (
    ApprovalView,
    ChildView,
    ItemsView,
    Phase,
    RunView,
    StepView,
)

__all__ = [
    "NEEDS_PERSON",
    "approval_view",
    "calls_of",
    "items_view",
    "phase_of",
    "run_head",
    "run_view",
    "step_view",
]


NEEDS_PERSON = "needs a person"
"""The status of a run that is parked: nothing goes on in it before somebody has decided."""
FIRST_FAILED = 3
"""Items whose errors are shown; the others are counted."""


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
    if step.checkpoint is None or step.is_undone:
        return Phase.UNDONE if step.is_undone else Phase.DEFERRED
    return Phase.SKIPPED if step.checkpoint.skipped else Phase.COMPLETED


def step_view(
    state: State, name: str, *, stale: tuple[str, ...] = (), diff: str = "", note: str = ""
) -> StepView:
    """One step as it stands. Raises `UnknownStep`."""
    definition, step = state.flow[name], state.step(name)
    checkpoint = step.checkpoint
    waiting = tuple(sorted(step.waiting)) if step.owed and step.running is None else ()
    phase = phase_of(step)
    asked = [it for key in state.pending if (it := state.approvals[key]).step == name]
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
        items=items_view(step),
        approval=approval_view(asked[0]) if asked else None,
        questions=len(asked),
        children=_children(step),
        **_standing(state, definition, step),
        **_consumed(step.spent),
    )


class _Standing(TypedDict, total=False):
    retry_at: int
    retry: int
    retries: int
    held: str
    skipped: str


def _standing(state: State, definition: Step, step: StepState) -> _Standing:
    """Why it does not go on, or is over without a result."""
    phase = phase_of(step)
    if phase is Phase.SKIPPED and step.checkpoint is not None:
        return {"skipped": step.checkpoint.skipped}
    if phase is not Phase.WAITING:
        return {}
    if held := _held(state, definition, step):
        return {"held": held}
    if step.retry_at and definition.retry is not None:
        retries = definition.retry.retries
        return {"retry_at": step.retry_at, "retry": step.failures, "retries": retries}
    return {}


def items_view(step: StepState) -> ItemsView | None:
    """How far a mapped step has come; None for other steps. Costs the same however many."""
    items = step.items
    if items is None or not items.order:
        return None
    return ItemsView(
        total=len(items.order),
        done=len(items.done),
        failed=len(items.failed),
        running=len(items.running),
        reused=items.reused,
        since=step.running.at if step.running is not None else 0,
        first_failed=tuple(
            (key, error)
            for key in islice(items.failed, FIRST_FAILED)
            if (error := items.by_key[key].error) is not None
        ),
    )


def approval_view(approval: Approval) -> ApprovalView:
    """A question as it stands."""
    request, decided = approval.request, approval.decided
    return ApprovalView(
        id=approval.id,
        step=approval.step,
        item=approval.item,
        question=request.question,
        form=request.form,
        payload=request.payload,
        schema=request.schema,
        edit=request.edit,
        tool=request.tool,
        requested=approval.at,
        due=request.due,
        on_timeout=request.on_timeout,
        status=decided.decision if decided is not None else "pending",
        decided=approval.decided_at,
        decided_by=decided.by if decided is not None else "",
        channel=decided.channel if decided is not None else "",
        note=decided.note if decided is not None else "",
    )


def _open_questions(state: State) -> tuple[ApprovalView, ...]:
    return tuple(approval_view(state.approvals[key]) for key in state.pending)


def _children(step: StepState) -> tuple[ChildView, ...]:
    return tuple(
        ChildView(
            run=call.subject,
            agent=call.agent,
            status=call.status or "running",
            parameters=call.parameters,
        )
        for call in calls_of(step)
        if call.form == "child"
    )


class _Consumed(TypedDict):
    calls: int
    tokens: int
    cost: float


def _consumed(spent: Spent | None) -> _Consumed:
    calls, tokens, cost = spent.total({}) if spent is not None else (0, 0, 0.0)
    return {"calls": calls, "tokens": tokens, "cost": cost}


def calls_of(step: StepState) -> Iterator[Call]:
    """Every call that its attempts, and those of its items, have made."""
    units: list[Unit] = [step]
    if step.items is not None:
        units += [step.items.by_key[key] for key in step.items.callers]
    for unit in units:
        yield from (unit.calls or {}).values()


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
            new = step.waiting.keys() - seen
            seen |= new
            pending += new
    return False


def run_view(
    state: State,
    *,
    store: str = "",
    stale: Mapping[str, tuple[str, ...]] | None = None,
    find: Find = nobody,
) -> RunView:
    """The run as it stands, steps in the order in which they were defined."""
    started = state.started
    steps = tuple(
        step_view(state, step.name, stale=(stale or {}).get(step.name, ())) for step in state.flow
    )
    return RunView(
        run=state.run,
        flow=started.flow if started else "",
        status=status_of(state, find),
        is_paused=state.is_paused,
        started=state.started_at,
        notebook=started.notebook if started else "",
        store=store,
        steps=steps,
        seconds_spent=sum(view.seconds for view in steps),
        seconds_saved=sum(view.seconds for view in steps if view.restored),
        approvals=_open_questions(state),
        budget=state.budget,
        **_consumed(state.spent),
    )


def run_head(state: State, *, store: str = "", find: Find = nobody) -> RunView:
    """The run without its steps, at a price that does not grow with what they hold."""
    started = state.started
    done = [step for step in state.steps.values() if step.checkpoint is not None]
    return RunView(
        run=state.run,
        flow=started.flow if started else "",
        status=status_of(state, find),
        is_paused=state.is_paused,
        started=state.started_at,
        notebook=started.notebook if started else "",
        store=store,
        seconds_spent=sum(step.checkpoint.seconds for step in done if step.checkpoint),
        seconds_saved=sum(
            step.checkpoint.seconds for step in done if step.checkpoint and step.restored
        ),
        approvals=_open_questions(state),
        budget=state.budget,
        **_consumed(state.spent),
    )


def status_of(state: State, find: Find = nobody) -> str:
    """The run's status in a few words. `find` knows the runs that it has called."""
    is_open = bool(state.running or (state.owed and not state.settled))
    if (is_open or state.settled == "interrupted") and is_parked(state, find):
        return NEEDS_PERSON
    return "running" if is_open else state.settled or "idle"


def _held(state: State, definition: Step, step: StepState) -> str:
    if step.doubt is not None:
        return "it may have happened when the process ended: see %stepwell inbox"
    if is_about_doubt(state, step.name):
        return f"{definition.undo_of!r} may have happened: see %stepwell inbox"
    if state.is_paused:
        return "the run is paused; %stepwell resume goes on"
    if state.held:
        return "the run's time is over: see %stepwell inbox"
    if definition.name in state.limited.get(definition.limit, ()):
        return f"waits for its turn under the limit {definition.limit!r}"
    return ""
