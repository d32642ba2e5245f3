"""A namespace as it stood after a step: that step's outputs, what it read, what was around it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from stepwell.errors import InvalidUsage, StepwellError, UnknownStep, ValueProblem, near_misses
from stepwell.orchestrator import Checkpoint, EnvironmentCaptured, Output, State, load_at
from stepwell.session._session import Session
from stepwell.store import Digest, Store
from stepwell.store.values import Signer, Trust
from stepwell.widgets import Column, View, table
from stepwell.workers import Values
from stepwell.workers.namespace import restore

__all__ = ["Brought", "StepNamespace", "bring", "namespace_after", "restore_step"]


class StepNamespace:
    """Names as attributes: `then.report`. Functions in it see each other, not the notebook's."""

    # In a slot, so that `vars` holds the names and nothing else.
    __slots__ = ("__dict__", "__moment")

    def __init__(self, step: str, run: str) -> None:
        self.__moment = f"after step {step!r} of run {run}"

    def __repr__(self) -> str:
        names = ", ".join(sorted(name for name in vars(self) if not name.startswith("_")))
        return f"<{self.__moment}: {names}>"


@dataclass(slots=True)
class Brought:
    """What came back, and what did not."""

    names: dict[str, str] = field(default_factory=dict[str, str])
    """Name → the step that wrote it; "" for a name of the environment."""
    failures: dict[str, str] = field(default_factory=dict[str, str])
    """Name → why it did not come back."""


def bring(
    state: State, step: str, store: Store, values: Values, namespace: dict[str, Any]
) -> Brought:
    """Fill the namespace as it stood after the step in `state`. Never raises for one name.

    What it and its ancestors found around them comes first, then the outputs of its
    ancestors, as they were when it read them, then its own. Raises `InvalidUsage` for a step
    without a result.
    """
    result = state.steps[step].checkpoint if step in state.steps else None
    if result is None:
        raise InvalidUsage(
            f"step {step!r} has no result in run {state.run}, so there is nothing to go back to. "
            f"%stepwell history {step} lists the runs in which it has one"
        )
    brought = Brought()
    for digest in _environments(state, step):
        _bring_environment(state.environments[digest], store, values.trust, namespace, brought)
    for writer, name, digest, is_stored in _outputs(state, step, result):
        if not is_stored and not values.is_live(digest):
            brought.failures[name] = f"it was not stored; step {writer!r} makes it again"
            continue
        try:
            namespace[name] = values.load(digest)
        except StepwellError as error:
            brought.failures[name] = str(error)
        else:
            brought.names[name] = writer
    return brought


def _environments(state: State, step: str) -> list[str]:
    """Of the step and its ancestors, in the order in which they count: its own last."""
    found = [
        checkpoint.environment
        for name in (*state.flow.ancestors(step), step)
        if name in state.steps and (checkpoint := state.steps[name].checkpoint) is not None
    ]
    last = {digest: at for at, digest in enumerate(found)}
    return [digest for digest in sorted(last, key=last.__getitem__) if digest in state.environments]


def _bring_environment(
    known: EnvironmentCaptured,
    store: Store,
    trust: Trust,
    namespace: dict[str, Any],
    brought: Brought,
) -> None:
    try:
        blobs = store.blobs(Digest(digest) for digest in known.values.values())
    except ValueProblem as problem:
        brought.failures["(environment)"] = str(problem)
        return
    found = {name: blobs[Digest(digest)] for name, digest in known.values.items()}
    restored = restore(known.bindings, found, namespace, trust=trust, overwrite=True)
    brought.names |= dict.fromkeys(restored.names, "")
    brought.failures |= restored.failures


def _outputs(state: State, step: str, result: Checkpoint) -> Iterator[tuple[str, str, str, bool]]:
    """Writer, name, digest and whether it is stored, ancestors first."""
    for writer in (*state.flow.ancestors(step), step):
        checkpoint = state.steps[writer].checkpoint if writer in state.steps else None
        for name, output in (checkpoint.outputs if checkpoint else {}).items():
            # What the step itself has read counts, also where its writer has run since.
            digest = result.inputs.get(name) or output.digest
            yield writer, name, digest, output.stored


def restore_step(session: Session, step: str, run: str = "", *, into: str = "") -> View:
    """Bring back the namespace as it stood after the step's present result was stored.

    With `into`, as a namespace of its own under that name; otherwise into the notebook,
    over what is there. Nothing is run, and no result changes. Raises `UnknownRun`,
    `UnknownStep`, `InvalidUsage`.
    """
    chosen, state = _at(session, step, run)
    if not into:
        engine = session.engine
        brought = bring(state, step, engine.store, engine.values, session.namespace)
        return _told(state, step, brought, "")
    if not into.isidentifier():
        raise InvalidUsage(f"--into takes a name as Python has them, not {into!r}")
    made, brought = _apart(session, state, step, chosen)
    session.namespace[into] = made
    return _told(state, step, brought, into)


def namespace_after(session: Session, step: str, run: str) -> StepNamespace:
    """The names as they stood then, and nothing of it in the notebook. Raises as `restore_step`."""
    chosen, state = _at(session, step, run)
    return _apart(session, state, step, chosen)[0]


def _at(session: Session, step: str, run: str) -> tuple[str, State]:
    engine = session.engine
    chosen = engine.resolve(run) if run else engine.run
    state = load_at(engine.store, chosen, step)
    if step not in state.flow:
        raise UnknownStep(step, near_misses(step, [it.name for it in state.flow]))
    return chosen, state


def _apart(session: Session, state: State, step: str, run: str) -> tuple[StepNamespace, Brought]:
    engine, made = session.engine, StepNamespace(step, run)
    target = vars(made)
    values = Values(engine.store, Signer.of_user(), engine.values.trust, resolve=target.get)
    return made, bring(state, step, engine.store, values, target)


def _told(state: State, step: str, brought: Brought, into: str) -> View:
    rows = [
        (f"{into}.{name}" if into else name, writer, _shown(state, writer, name))
        for name, writer in brought.names.items()
    ]
    notes = [f"{name} did not come back: {why}" for name, why in brought.failures.items()]
    columns = [
        Column("name", is_code=True, is_short=True),
        Column("from step"),
        Column("value", is_code=True, at_most=120),
    ]
    title = f"as it stood after step {step!r} of run {state.run}"
    return table(columns, rows, title=title, note="\n".join(notes), empty="nothing came back")


def _shown(state: State, writer: str, name: str) -> str:
    if not writer:
        return ""
    checkpoint = state.steps[writer].checkpoint
    output: Output | None = checkpoint.outputs.get(name) if checkpoint else None
    return output.preview if output else ""
