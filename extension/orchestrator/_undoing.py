"""Undoing what has been done: the newest first, each once. Parts of `apply`.

A step that undoes another one runs only for that. While some are to run, each waits for
those before it in `state.undoing`. When one has completed, what it undoes is no longer done:
it would run again if somebody asked for it.
"""

from collections.abc import Collection, Mapping

from stepwell.orchestrator._owing import owe, wait_or_ready
from stepwell.orchestrator._state import State

__all__ = ["begin_undoing", "to_be_undone"]


def to_be_undone(state: State, steps: Collection[str] = ()) -> dict[str, str]:
    """Steps that undo, and what each undoes: the newest first; of these steps, or of all."""
    place = {name: index for index, name in enumerate(state.flow.order())}
    found: list[tuple[int, int, str, str]] = []
    for definition in state.flow:
        undone = state.steps.get(definition.undo_of) if definition.undo_of else None
        if undone is None or undone.checkpoint is None or undone.is_undone:
            continue
        if undone.checkpoint.skipped or (steps and undone.name not in steps):
            continue
        found.append(
            (undone.checkpoint.at, place.get(undone.name, -1), definition.name, undone.name)
        )
    return {undo: name for _, _, undo, name in sorted(found, reverse=True)}


def begin_undoing(state: State, environments: Mapping[str, str], at: int) -> None:
    """From now on these steps, which undo others, are owed."""
    state.undo_on_failure = {}
    state.settled = ""
    for undo, name in to_be_undone(state).items():
        if undo in environments:
            state.undoing[undo] = name
    for undo in state.undoing:
        step = state.step(undo)
        step.environment = environments.get(undo, step.environment)
        step.force = True
        step.failures = step.begun = step.retry_at = 0
        step.since = at
        owe(state, step, owed=True)
        if step.running is None and not state.is_replayed:
            wait_or_ready(state, step)
