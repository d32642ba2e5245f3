"""What is to be done next for the items of mapped steps. Part of `decide`."""

from collections.abc import Iterator
from itertools import islice

from stepwell.flow import MapOver, Step
from stepwell.orchestrator._commands import CutOff, FailPass, Gather, StartAttempt
from stepwell.orchestrator._inputs import SKIPPED, current_inputs
from stepwell.orchestrator._keys import idempotency_key
from stepwell.orchestrator._limits import Rooms
from stepwell.orchestrator._state import State
from stepwell.orchestrator._streams import can_begin, is_cut_off, is_open
from stepwell.orchestrator._unit import Items, ItemState, Running, StepState

__all__ = ["from_items", "streams_to_begin"]


def from_items(
    state: State, free: int, rooms: Rooms, priority: int | None = None
) -> Iterator[StartAttempt | Gather | FailPass | CutOff]:
    """Items to be started, as far as there is room, and passes that have come to their end.

    Of steps with this priority, of all for None. A step that takes another one's items comes
    before it: so each goes all the way.
    """
    for name in reversed(state.mapped):
        if priority is not None and state.priority_of(name) != priority:
            continue
        step, definition = state.steps[name], state.flow.get(name)
        items, run = step.items, step.running
        if items is None or run is None or definition is None or definition.map is None:
            continue
        if not items.is_expanded:
            continue
        over = definition.map
        is_doomed = bool(items.failed) and not over.keep_going
        is_lost = is_cut_off(state, items)
        # What is undone is undone one after the other, the newest first, come what may.
        is_held = over.undoes and bool(items.waiting or items.doubtful)
        may_start = not (
            is_held or is_doomed or is_lost or state.is_halted or name in state.superseded
        )
        if may_start:
            room = min(free, (over.max_parallel or free) - len(items.running))
            room = min(room, rooms.left(definition.limit))
            for key in islice(items.ready, max(0, room)):
                free -= 1
                rooms.take(definition.limit)
                yield _start(state, definition, items.by_key[key], run)
        if items.running:
            continue
        is_to_come = items.ready or items.waiting or items.doubtful or is_open(state, items)
        if is_doomed or not (is_lost or is_to_come):
            yield _end(step, items, over, run)
        elif is_lost:
            yield CutOff(name, run.attempt)


def streams_to_begin(state: State) -> Iterator[StartAttempt]:
    """Passes over the items of steps that are under way."""
    if state.owed <= len(state.running):
        return
    for name in state.mapped:
        above = state.steps[name]
        items = above.items
        if items is None or not items.is_expanded or items.failed or name in state.superseded:
            continue
        for reader in state.flow.downstream(name):
            if can_begin(state, reader, above):
                yield from _begin(state, state.flow[reader], above)


def _begin(state: State, definition: Step, above: StepState) -> Iterator[StartAttempt]:
    step = state.steps[definition.name]
    inputs = current_inputs(state, definition)
    if definition.map is not None:
        # What it will be is known when all have come.
        inputs.pop(definition.map.source, None)
    if SKIPPED in inputs.values():
        return
    yield StartAttempt(
        step.name,
        step.attempts + 1,
        idempotency_key(state.run, step.name, "", step.checkpoints),
        definition.digest,
        inputs,
        step.environment,
        fresh=step.force and not step.keeps_items,
        streams=above.name,
    )


def _end(step: StepState, items: Items, over: MapOver, run: Running) -> Gather | FailPass:
    total = len(items.order)
    is_good = not items.failed or (over.keep_going and len(items.done) >= over.min_success * total)
    return Gather(step.name, run.attempt) if is_good else FailPass(step.name, run.attempt)


def _start(state: State, definition: Step, unit: ItemState, run: Running) -> StartAttempt:
    name, inputs = definition.name, run.inputs
    if definition.map is not None and definition.map.undoes:
        inputs = {**inputs, **_made_by(state, definition, unit.name)}
    return StartAttempt(
        name,
        unit.attempts + 1,
        idempotency_key(state.run, name, unit.name, unit.checkpoints),
        run.code,
        inputs,
        run.environment,
        unit.name,
    )


def _made_by(state: State, undo: Step, key: str) -> dict[str, str]:
    """What is read of the item that is to be undone: what it has made, not what all have."""
    undone = state.unit(undo.undo_of, key)
    outputs = undone.checkpoint.outputs if undone is not None and undone.checkpoint else {}
    return {name: it.digest for name, it in outputs.items() if name in undo.reads}
