"""`fork`: a run of its own that begins with the results of another, save what is changed."""

import ast
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from stepwell.errors import InvalidUsage, near_misses
from stepwell.orchestrator import Checkpoint, Output, State, inherited, load
from stepwell.session._restoring import bring_environment_back
from stepwell.session._session import Session
from stepwell.store import Blob
from stepwell.store.values import MASK, SECRETS

__all__ = ["fork", "understood"]

_NO_LITERAL = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def understood(settings: Iterable[str], names: Mapping[str, object]) -> dict[str, object]:
    """NAME=VALUE words as values: a Python literal, a name of the notebook, or else the text."""
    given: dict[str, object] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip().isidentifier():
            raise InvalidUsage(f"--set {setting!r} is not understood; write it as NAME=VALUE")
        given[name.strip()] = _value(text.strip(), names)
    return given


def _value(text: str, names: Mapping[str, object]) -> object:
    try:
        return ast.literal_eval(text)
    except _NO_LITERAL:
        return names[text] if text.isidentifier() and text in names else text


@dataclass(slots=True)
class _Change:
    """What is to be different in the fork."""

    outputs: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    """Step → its outputs that are given, by name."""
    constants: dict[str, object] = field(default_factory=dict[str, object])
    again: tuple[str, ...] = ()
    """Steps that have no result in the fork."""
    concerned: tuple[str, ...] = ()
    """Steps that may have to run, because of what they read."""


def fork(
    session: Session, run: str, *, start: str = "", given: Mapping[str, object] | None = None
) -> list[str]:
    """Begin a run with what `run` has, go on in it, and have what is changed run again.

    `start` and every step that reads from it have no result in the fork. `given` are other
    values, for constants of the notebook or for outputs of steps. Answers what people should
    know; returns at once. Raises `UnknownRun`, `UnknownStep`, `InvalidUsage`; then nothing
    has changed.
    """
    engine = session.engine
    origin = engine.resolve(run)
    parent = _state(session, origin)
    change = _understand(parent, start, given or {})
    _refuse_globals(session, parent, change.constants)
    outputs, blobs = _encoded(session, change.outputs)

    def fill(forked: str) -> None:
        record = engine.orchestrator.record
        for it in inherited(parent, without=change.again, given=outputs):
            carried = blobs.get(it.step, ()) if not it.item else ()
            record(forked, it.event, step=it.step, item=it.item, attempt=it.attempt, blobs=carried)

    is_past = origin != engine.run
    at_hand = [step for step in engine.state.flow if step.kind == "function"]
    engine.begin(forked_from=origin, fill=fill)
    notes = bring_environment_back(session, session.state, overwrite=True) if is_past else []
    # A function is not kept: it is the one that is at hand that would run.
    session.define([step for step in at_hand if step.name in session.state.flow])
    for name, value in change.constants.items():
        if SECRETS.is_marked(name):
            SECRETS.keep(name, value)
        session.namespace[name] = value
    for name, step in session.state.steps.items():
        if step.is_settled:
            session.bring_back(name)
    wanted = [name for name in change.concerned if _had_begun(parent, name, start)]
    if wanted:
        session.ask(wanted, by="fork")
    return [_told(session.state, origin, wanted), *_said(change.constants), *notes]


def _state(session: Session, run: str) -> State:
    return session.engine.find(run) or load(session.engine.store, run)


def _had_begun(parent: State, name: str, start: str) -> bool:
    """A step that nobody has asked for there is not asked for here."""
    step = parent.steps.get(name)
    return name == start or (
        step is not None and (step.checkpoint is not None or bool(step.attempts))
    )


# -- what is to be different ------------------------------------------------------------------


def _understand(parent: State, start: str, given: Mapping[str, object]) -> _Change:
    flow, change = parent.flow, _Change()
    if start:
        change.again = (start, *flow.descendants(start))
    for name, value in given.items():
        if (writer := flow.writer_of(name)) is not None:
            change.outputs.setdefault(writer.name, {})[name] = value
        else:
            change.constants[name] = value
    readers = {reader for name in change.constants for reader in _readers(parent, name)}
    begun = {*change.again, *readers}
    begun |= {reader for writer in change.outputs for reader in flow.descendants(writer)}
    change.concerned = flow.order(begun | set(flow.descendants(begun)))
    for step, outputs in change.outputs.items():
        _check_given(parent, step, outputs, change.concerned)
    return change


def _readers(parent: State, name: str) -> list[str]:
    """The steps that find this name around them, also by way of a helper."""
    found = [step.name for step in parent.flow if name in _surroundings(parent, step.name)]
    if not found:
        known = {
            it for step in parent.flow for it in (*step.writes, *_surroundings(parent, step.name))
        }
        raise InvalidUsage(
            f"--set names {name!r}, which no step of run {parent.run} reads or writes."
            f"{near_misses(name, known)}"
        )
    return found


def _refuse_globals(session: Session, parent: State, constants: Iterable[str]) -> None:
    """A function finds in its module what is there, whatever the fork is given."""
    for name in constants:
        for step in map(parent.flow.__getitem__, _readers(parent, name)):
            if step.kind != "function" or name in step.reads:
                continue
            if "." in name or not session.surroundings.is_at_home(step):
                raise InvalidUsage(
                    f"{name!r} cannot be given: the function of step {step.name!r} reads it where "
                    f"it was defined. Change it there, or make it a parameter"
                )


def _surroundings(parent: State, name: str) -> set[str]:
    flow = parent.flow
    names = {read for read in flow[name].reads if flow.writer_of(read) is None}
    checkpoint = parent.steps[name].checkpoint if name in parent.steps else None
    known = parent.environments.get(checkpoint.environment) if checkpoint else None
    return names | ({*known.bindings} if known is not None else set[str]())


def _check_given(
    parent: State, writer: str, outputs: Collection[str], concerned: Collection[str]
) -> None:
    listed = ", ".join(outputs)
    if writer in concerned:
        raise InvalidUsage(
            f"{listed} is made by step {writer!r}, which runs again because of what else is to be "
            "changed. Fork once for that, then fork the new run"
        )
    if transient := [name for name in outputs if name in parent.flow[writer].transient]:
        raise InvalidUsage(
            f"{', '.join(transient)} of step {writer!r} is transient: it is never stored, so "
            "another value for it would not last"
        )
    if _result(parent, writer) is None:
        raise InvalidUsage(
            f"{listed} is made by step {writer!r}, which has no result in run {parent.run} that "
            f"could be replaced. Run it first: %stepwell run {writer}"
        )


def _result(parent: State, name: str) -> Checkpoint | None:
    step = parent.steps.get(name)
    return step.checkpoint if step is not None else None


def _encoded(
    session: Session, given: Mapping[str, Mapping[str, object]]
) -> tuple[dict[str, dict[str, Output]], dict[str, list[Blob]]]:
    outputs: dict[str, dict[str, Output]] = {}
    blobs: dict[str, list[Blob]] = {}
    for step, named in given.items():
        for name, value in named.items():
            output, blob = session.engine.values.encode(step, name, value)
            outputs.setdefault(step, {})[name] = output
            blobs.setdefault(step, []).append(blob)
    return outputs, blobs


# -- what people are told ---------------------------------------------------------------------


def _told(state: State, origin: str, wanted: Collection[str]) -> str:
    shared = sum(step.checkpoint is not None for step in state.steps.values())
    asked = f"asked for: {', '.join(wanted)}" if wanted else "nothing has to run again"
    return f"run {state.run} is a fork of {origin}: {shared} results shared; {asked}"


def _said(constants: Mapping[str, object]) -> list[str]:
    return [
        f"{name} is now {MASK if SECRETS.is_marked(name) else SECRETS.masked(repr(value))[:200]} "
        "in this notebook"
        for name, value in constants.items()
    ]
