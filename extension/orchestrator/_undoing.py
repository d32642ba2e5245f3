"""Undoing what has been done: the newest first, each once. Parts of `apply`.

A step that undoes another one runs only for that. While some are to run, each waits for
those before it in `state.undoing`. When one has completed, what it undoes is no longer done:
it would run again if somebody asked for it. Of a mapped step the items are undone, one by one.
"""

from collections.abc import Collection, Mapping

from stepwell.orchestrator._owing import doubts, owe, release_reader, wait_or_ready
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import ItemState, StepState

__all__ = ["after_doubt", "begin_undoing", "done_items", "item_undone", "to_be_undone"]


def to_be_undone(state: State, steps: Collection[str] = ()) -> dict[str, str]:
    """Steps that undo, and what each undoes: the newest first; of these steps, or of all.

    Of a step of which nobody knows whether it has happened, what undoes it is among them: it
    waits until somebody has said.
    """
    place = {name: index for index, name in enumerate(state.flow.order())}
    found: list[tuple[int, int, str, str]] = []
    for definition in state.flow:
        undone = state.steps.get(definition.undo_of) if definition.undo_of else None
        if undone is None or (steps and undone.name not in steps):
            continue
        if at := _done_at(undone):
            found.append((at, place.get(undone.name, -1), definition.name, undone.name))
    return {undo: name for _, _, undo, name in sorted(found, reverse=True)}


def _done_at(step: StepState) -> int:
    """When the latest of what can be undone was done; 0 where there is nothing."""
    times = [unit.checkpoint.at for unit in done_items(step) if unit.checkpoint is not None]
    times += [run.at for run in doubts(step)]
    found = step.checkpoint
    if found is not None and not (found.skipped or step.is_undone):
        times.append(found.at)
    return max(times, default=0)


def done_items(step: StepState | None) -> list[ItemState]:
    """Of a mapped step, the items that are done and were not undone, the newest first.

    Elements that are in its list no more count as well: what was done for them is done.
    """
    if step is None or step.items is None:
        return []
    units = step.items.by_key.values()
    found = [
        (unit.checkpoint.at, unit.index, unit.name, unit)
        for unit in units
        if unit.checkpoint is not None and not unit.is_undone
    ]
    return [unit for *_, unit in sorted(found, key=lambda it: it[:3], reverse=True)]


def item_undone(state: State, undo: str, key: str, at: int) -> None:
    """The item is not done any more, and so the step is not as a whole."""
    step = state.steps.get(state.undoing.get(undo, ""))
    unit = step.items.by_key.get(key) if step is not None and step.items is not None else None
    if step is not None and unit is not None:
        unit.is_undone = step.is_undone = True
        step.since = at


def after_doubt(state: State, name: str) -> None:
    """Somebody has said what came of the step's attempt: what undoes it may run, or need not."""
    step = state.steps.get(name)
    if step is None or any(doubts(step)):
        return
    wanted = to_be_undone(state, [name])
    for undo in [undo for undo, undone in state.undoing.items() if undone == name]:
        it = state.step(undo)
        if undo not in wanted:
            del state.undoing[undo]
            it.force = it.keeps_items = False
            owe(state, it, owed=False)
            for other in (name, *state.undoing) if not state.is_replayed else ():
                release_reader(state, state.step(other), undo)
        elif it.owed and it.running is None and not state.is_replayed:
            wait_or_ready(state, it)


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
