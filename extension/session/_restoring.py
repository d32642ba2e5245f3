"""`resume`: in a fresh kernel, everything back without running a cell."""

from typing import Any

from stepwell.defining import plain_code
from stepwell.errors import StepwellError, ValueProblem
from stepwell.orchestrator import State
from stepwell.session._session import Session
from stepwell.store import Digest
from stepwell.workers import describe_error
from stepwell.workers.namespace import restore

__all__ = ["bring_environment_back", "resume"]


def resume(session: Session, shell: Any, run: str = "") -> list[str]:
    """Rebuild the namespace and ask for what is pending. What could not be brought back is told.

    Setup cells run again; functions and constants come back by value, outputs from their
    checkpoints. Raises `UnknownRun`.
    """
    engine = session.engine
    if run:
        # A run that was called goes on with its caller, and never by itself.
        engine.switch(engine.top(engine.resolve(run)))
    state = engine.state
    session.agents.restore(state)
    notes = [*_run_setups(session, shell), *bring_environment_back(session, state)]
    for name, step in state.steps.items():
        if step.is_settled:
            session.bring_back(name)
    session.go_on()
    pending = [name for name in state.flow.order() if _is_pending(state, name)]
    if pending:
        try:
            session.ask(pending, by="resume")
        except StepwellError as error:
            notes.append(str(error))
    return [*notes, *session.agents.go_on(engine)]


def _is_pending(state: State, name: str) -> bool:
    if name in state.unfinished:
        return True
    # A transient output went with the old process; whoever resumes wants it back.
    return (
        bool(state.flow[name].transient)
        and state.steps[name].is_settled
        and (name not in state.live)
    )


def _run_setups(session: Session, shell: Any) -> list[str]:
    notes: list[str] = []
    for setup in sorted(session.state.setups.values(), key=lambda setup: setup.order):
        try:
            code = plain_code(setup.source, shell.transform_cell) if shell else setup.source
            session.engine.worker.execute(setup.name, code, session.namespace)
        except Exception as error:
            info = describe_error(error)
            where = f" in line {info.line}" if info.line else ""
            notes.append(f"a setup cell failed{where}: {info.type}: {info.message}")
    return notes


def bring_environment_back(session: Session, state: State, *, overwrite: bool = False) -> list[str]:
    """Functions and constants by value, the newest first; what did not come back is told.

    Names that the notebook has are left alone unless `overwrite`.
    """
    engine = session.engine
    notes: list[str] = []
    seen, done = set[str](), set[str]()
    # The newest first: of a name that had several values, the last is the one to bring back.
    for step in sorted(state.steps.values(), key=lambda step: step.since, reverse=True):
        environment = state.environments.get(step.environment)
        if environment is None or environment.environment in seen:
            continue
        seen.add(environment.environment)
        try:
            blobs = engine.store.blobs(Digest(digest) for digest in environment.values.values())
        except ValueProblem as problem:
            notes.append(str(problem))
            continue
        found = {
            name: blobs[Digest(digest)]
            for name, digest in environment.values.items()
            if Digest(digest) in blobs
        }
        restored = restore(
            {name: it for name, it in environment.bindings.items() if name not in done},
            {name: it for name, it in found.items() if name not in done},
            session.namespace,
            trust=engine.values.trust,
            overwrite=overwrite,
        )
        done |= {*environment.bindings} if overwrite else set()
        notes += [f"{name} did not come back: {why}" for name, why in restored.failures.items()]
    return list(dict.fromkeys(notes))
