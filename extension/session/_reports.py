"""What the session can tell about itself, as tables."""

import time
from collections.abc import Mapping, Sequence

from stepwell.errors import StoreError
from stepwell.flow import Change, Environment, Fingerprint, changes
from stepwell.orchestrator import (
    RunStarted,
    State,
    StepView,
    current_inputs,
    is_current,
    load,
    phase_of,
    run_view,
    runs,
    status_of,
    step_view,
)
from stepwell.session._session import Session
from stepwell.session._staleness import too_few
from stepwell.session._surroundings import Alike
from stepwell.store import Store
from stepwell.widgets import (
    RunRow,
    ShownView,
    View,
    run_table,
    runs_table,
)

__all__ = [
    "all_runs",
    "now",
    "reasons",
    "run_ids",
    "run_list",
    "status",
    "view_with_reasons",
]


MOST_RUNS = 500

Known = tuple[str, int, RunStarted]
"""A run's id, when it started, and how."""


def now() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


# -- why a result is stale ----------------------------------------------------------------


def reasons(session: Session, name: str, alike: Alike | None = None) -> tuple[Change, ...]:
    """Why the step's stored result no longer matches; empty when it does, or there is none.

    Those who ask for many steps at once share `alike`, see `Surroundings.capture`.
    """
    state = session.state
    step, definition = state.steps[name], state.flow[name]
    checkpoint = step.checkpoint
    if checkpoint is None:
        return ()
    environment, captured = session.capture(name, alike)
    inputs = current_inputs(state, definition)
    if is_current(checkpoint, definition, inputs, environment):
        return ()
    before = Fingerprint(
        checkpoint.code, checkpoint.inputs, _environment(state, checkpoint.environment)
    )
    after = Fingerprint(definition.digest, inputs, captured.bindings)
    writers = {read: writer.name for read in inputs if (writer := state.flow.writer_of(read))}
    return too_few(checkpoint, definition) + changes(
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
    alike: Alike = {}
    stale = {
        name: tuple(change.summary for change in reasons(session, name, alike))
        for name in session.names()
    }
    engine = session.engine
    path = str(engine.store.path or "memory")
    try:
        view = engine.orchestrator.call(
            lambda: run_view(engine.state, store=path, stale=stale, find=engine.find)
        )
    except StoreError as trouble:
        # What is on disk can still be told; that it goes no further must be.
        view = run_view(session.load_run(engine.run), store=path, stale=stale)
        notes = [str(trouble), *notes]
    unread = [line for step in engine.state.flow for line in engine.outputs.problems(step.writes)]
    note = "\n".join([*engine.store.notes, *unread, *notes])
    if not session.window.is_attended:
        return run_table(view, now=now(), note=note)
    shown = run_table(view, now=now(), note=note, is_anchored=True)
    return ShownView(shown.bundle, session.window.show)


def all_runs(session: Session) -> View:
    """Every run in the store, the current one marked; those that were called below callers."""
    engine = session.engine
    advancing = {state.run: state for state in engine.orchestrator.states()}
    return run_list(engine.store, advancing, engine.run)


def run_list(opened: Store, advancing: Mapping[str, State], current: str = "") -> View:
    """Every run in the store; `advancing` are those that somebody advances, by id."""
    known = runs(opened)
    listed = _as_tree(known)[:MOST_RUNS]
    states = {run: advancing.get(run) or load(opened, run) for run, _, _ in listed}
    rows = [
        _run_row(it, states, is_advancing=it[0] in advancing, is_current=it[0] == current)
        for it in listed
    ]
    left_out = len(known) - len(rows)
    note = f"… and {left_out:,} more; %stepwell sql select * from runs" if left_out else ""
    return runs_table(rows, now=now(), note=note)


def _as_tree(known: Sequence[Known]) -> list[Known]:
    """Each run followed by those that it called, oldest first."""
    ids = {run for run, _, _ in known}
    below: dict[str, list[Known]] = {}
    for it in known:
        below.setdefault(it[2].parent if it[2].parent in ids else "", []).append(it)
    found: list[Known] = []
    pending = below.pop("", [])[::-1]
    while pending:
        it = pending.pop()
        found.append(it)
        pending += below.pop(it[0], [])[::-1]
    return found


def _run_row(
    known: Known, states: Mapping[str, State], *, is_advancing: bool, is_current: bool
) -> RunRow:
    run, started, event = known
    state = states[run]
    phases = [phase_of(step).value for step in state.steps.values()]
    status = status_of(state, states.get)
    return RunRow(
        run=run,
        # Nothing runs in a run that nobody advances: it was cut off.
        status="interrupted" if status == "running" and not is_advancing else status,
        flow=event.flow,
        started=started,
        steps=len(phases),
        done=phases.count("done"),
        seconds_spent=sum(
            step.checkpoint.seconds for step in state.steps.values() if step.checkpoint
        ),
        notebook=event.notebook,
        is_current=is_current,
        depth=event.depth,
        called_by=event.step,
    )


def run_ids(session: Session) -> list[str]:
    """The runs in the store, newest first."""
    return [run for run, _, _ in reversed(runs(session.engine.store))]
