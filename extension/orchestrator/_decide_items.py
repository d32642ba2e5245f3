"""What is to be done next for the items of mapped steps. Part of `decide`."""

from collections.abc import Iterator
from itertools import islice

from stepwell.flow import MapOver
from stepwell.orchestrator._commands import FailPass, Gather, StartAttempt
from stepwell.orchestrator._keys import idempotency_key
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import Items, ItemState, Running, StepState

__all__ = ["from_items"]


def from_items(state: State, free: int) -> Iterator[StartAttempt | Gather | FailPass]:
    """Items to be started, as far as there is room, and passes that have come to their end."""
    for name in state.mapped:
        step, definition = state.steps[name], state.flow.get(name)
        items, run = step.items, step.running
        if items is None or run is None or definition is None or definition.map is None:
            continue
        if not items.is_expanded:
            continue
        over = definition.map
        is_doomed = bool(items.failed) and not over.keep_going
        if not is_doomed and not state.is_paused and name not in state.superseded:
            room = min(free, (over.max_parallel or free) - len(items.running))
            for key in islice(items.ready, max(0, room)):
                free -= 1
                yield _start(state, step, items.by_key[key], run)
        if _is_over(state, items, is_doomed=is_doomed):
            yield _end(step, items, over, run)


def _is_over(state: State, items: Items, *, is_doomed: bool) -> bool:
    if items.running:
        return False
    if is_doomed:
        return True
    return not (items.ready or items.waiting) and not _more_may_come(state, items)


def _more_may_come(state: State, items: Items) -> bool:
    if not items.source:
        return False
    above = state.steps.get(items.source)
    return above is None or not above.is_settled


def _end(step: StepState, items: Items, over: MapOver, run: Running) -> Gather | FailPass:
    total = len(items.order)
    is_good = not items.failed or (over.keep_going and items.done >= over.min_success * total)
    return Gather(step.name, run.attempt) if is_good else FailPass(step.name, run.attempt)


def _start(state: State, step: StepState, unit: ItemState, run: Running) -> StartAttempt:
    return StartAttempt(
        step.name,
        unit.attempts + 1,
        idempotency_key(state.run, step.name, unit.name, unit.checkpoints),
        run.code,
        run.inputs,
        run.environment,
        unit.name,
    )
