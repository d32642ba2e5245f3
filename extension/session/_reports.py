"""What the session can tell about itself, as tables."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from stepwell.errors import StoreError
from stepwell.flow import Change, Environment, Fingerprint, changes
from stepwell.orchestrator import (
    AttemptCompleted,
    AttemptFailed,
    AttemptInterrupted,
    AttemptStarted,
    State,
    StepView,
    current_inputs,
    decode,
    is_current,
    phase_of,
    run_view,
    runs,
    status_of,
    step_view,
)
from stepwell.session._session import Session
from stepwell.widgets import (
    HistoryRow,
    PlanRow,
    RunRow,
    View,
    history_table,
    plan_table,
    run_table,
    runs_table,
)

__all__ = [
    "all_runs",
    "history",
    "now",
    "plan",
    "reasons",
    "run_ids",
    "status",
    "view_with_reasons",
]


def now() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


# -- why a result is stale ----------------------------------------------------------------


def reasons(session: Session, name: str) -> tuple[Change, ...]:
    """Why the step's stored result no longer matches; empty when it does, or there is none."""
    state = session.state
    step, definition = state.steps[name], state.flow[name]
    checkpoint = step.checkpoint
    if checkpoint is None:
        return ()
    environment, captured = session.capture(name)
    inputs = current_inputs(state, definition)
    if is_current(checkpoint, definition, inputs, environment):
        return ()
    before = Fingerprint(
        checkpoint.code, checkpoint.inputs, _environment(state, checkpoint.environment)
    )
    after = Fingerprint(definition.digest, inputs, captured.bindings)
    writers = {read: writer.name for read in inputs if (writer := state.flow.writer_of(read))}
    return changes(
        before,
        after,
        source_before=state.sources.get(checkpoint.code, ""),
        source_after=definition.source,
        writers=writers,
    )


def _environment(state: State, digest: str) -> Environment:
    known = state.environments.get(digest)
    return known.bindings if known is not None else {}


def view_with_reasons(session: Session, name: str) -> StepView:
    """The step with why it is stale, if it is."""
    found = reasons(session, name)
    return step_view(
        session.state,
        name,
        stale=tuple(change.summary for change in found),
        diff="\n".join(change.diff for change in found if change.diff),
    )


# -- tables ---------------------------------------------------------------------------------


def status(session: Session, *, notes: Sequence[str] = ()) -> View:
    """The current run, step by step, as far as it is on disk."""
    stale = {
        name: tuple(change.summary for change in reasons(session, name)) for name in session.names()
    }
    engine = session.engine
    path = str(engine.store.path or "memory")
    try:
        view = engine.orchestrator.call(lambda: run_view(engine.state, store=path, stale=stale))
    except StoreError as trouble:
        # What is on disk can still be told; that it goes no further must be.
        view = run_view(session.load_run(engine.run), store=path, stale=stale)
        notes = [str(trouble), *notes]
    return run_table(view, now=now(), note="\n".join([*engine.store.notes, *notes]))


def plan(session: Session, names: Collection[str] = ()) -> View:
    """Per step, what bringing it up to date would do, and how long that took before."""
    state = session.state
    rows: list[PlanRow] = []
    running: set[str] = set()
    for definition in (state.flow[name] for name in state.flow.order()):
        name = definition.name
        if names and name not in {*names, *state.flow.ancestors(names)}:
            continue
        row = _plan_row(session, name, [up for up in state.flow.upstream(name) if up in running])
        if row.action != "reuse":
            running.add(name)
        rows.append(row)
    return plan_table(rows)


def _plan_row(session: Session, name: str, above: Sequence[str]) -> PlanRow:
    state = session.state
    step = state.steps[name]
    after = state.flow.upstream(name)
    seconds = step.checkpoint.seconds if step.checkpoint else None
    if step.running is not None:
        return PlanRow(step=name, action="run", why=("is running",), seconds=seconds, after=after)
    if why := _must_run(state, name):
        return PlanRow(step=name, action="run", why=why, seconds=seconds, after=after)
    found = reasons(session, name)
    if found:
        why = tuple(change.summary for change in found)
        diff = "\n".join(change.diff for change in found if change.diff)
        return PlanRow(step=name, action="stale", why=why, diff=diff, seconds=seconds, after=after)
    why = tuple(f"unless the result of {up} changes" for up in above)
    return PlanRow(step=name, action="reuse", why=why, seconds=seconds, after=after)


def _must_run(state: State, name: str) -> tuple[str, ...]:
    step, definition = state.steps[name], state.flow[name]
    if step.checkpoint is None or step.error is not None:
        return _never_ran(state, name)
    if definition.always:
        return ("always",)
    if definition.transient and name not in state.live:
        return (f"{', '.join(definition.transient)} is not stored and is made again",)
    return ()


def _never_ran(state: State, name: str) -> tuple[str, ...]:
    step = state.steps[name]
    if step.error is not None:
        return (f"failed: {step.error.type}: {step.error.message}".splitlines()[0],)
    if name in state.unfinished:
        return ("was interrupted",)
    return ("cancelled",) if step.cancelled else ("has not run",)


def all_runs(session: Session) -> View:
    """Every run in the store, the current one marked."""
    engine = session.engine
    rows: list[RunRow] = []
    for run, started, event in runs(engine.store):
        state = engine.state if run == engine.run else session.load_run(run)
        phases = [phase_of(step).value for step in state.steps.values()]
        rows.append(
            RunRow(
                run=run,
                status=status_of(state),
                flow=event.flow,
                started=started,
                steps=len(phases),
                done=phases.count("done"),
                seconds_spent=sum(
                    step.checkpoint.seconds for step in state.steps.values() if step.checkpoint
                ),
                notebook=event.notebook,
                is_current=run == engine.run,
            )
        )
    return runs_table(rows, now=now())


def run_ids(session: Session) -> list[str]:
    """The runs in the store, newest first."""
    return [run for run, _, _ in reversed(runs(session.engine.store))]


@dataclass(slots=True)
class _Past:
    """What is being read of one attempt."""

    started: AttemptStarted | None = None
    at: int = 0


def history(session: Session, name: str) -> View:
    """Every attempt at a step in every run: when, with which code, from what, to what end."""
    engine = session.engine
    attempts: dict[tuple[str, int], _Past] = {}
    rows: list[HistoryRow] = []
    users = {run: event.user for run, _, event in runs(engine.store)}
    for row in engine.store.rows():
        if row.step != name or row.kind == "value":
            continue
        event = decode(row)
        past = attempts.setdefault((row.run, row.attempt), _Past())
        if isinstance(event, AttemptStarted):
            past.started, past.at = event, row.at
        elif isinstance(event, AttemptCompleted | AttemptFailed | AttemptInterrupted):
            rows.append(_history_row(row.run, row.attempt, past, event, users.get(row.run, "")))
    if not rows:
        session.check_names([name])
    changed = (
        [
            replace(later, code_changed=later.code != earlier.code)
            for earlier, later in pairwise([rows[0], *rows])
        ]
        if rows
        else []
    )
    return history_table(changed, now=now(), step=name)


def _history_row(
    run: str,
    attempt: int,
    past: _Past,
    event: AttemptCompleted | AttemptFailed | AttemptInterrupted,
    who: str,
) -> HistoryRow:
    started = past.started or AttemptStarted()
    row = HistoryRow(
        when=past.at,
        attempt=attempt,
        outcome="done",
        run=run,
        code=started.code,
        inputs=dict(started.inputs),
        who=who,
    )
    match event:
        case AttemptCompleted():
            outputs = {name: output.preview for name, output in event.outputs.items()}
            return replace(row, outputs=outputs, seconds=event.seconds)
        case AttemptFailed():
            error = f"{event.error.type}: {event.error.message}"
            return replace(row, outcome="failed", error=error, seconds=event.seconds)
        case AttemptInterrupted():
            outcome = "cancelled" if event.reason == "cancelled" else "interrupted"
            return replace(row, outcome=outcome)
