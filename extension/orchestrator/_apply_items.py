"""A mapped step's items: expanded, tried one by one, gathered. Parts of `apply`.

While a mapped step is under way, its own attempt is one *pass* over its items: it lasts
from the expansion to the gathering, and what it does in between is done by the items, each
of which has attempts, an error and a checkpoint of its own. A pass that ends early leaves
their checkpoints; the next one reuses those that still match.
"""

from collections.abc import Sequence

from stepwell.flow import MapOver, Step
from stepwell.orchestrator._base import ErrorInfo
from stepwell.orchestrator._call_events import ApprovalDecided
from stepwell.orchestrator._calls import forget_failures
from stepwell.orchestrator._deadlines import let_children_go_on, set_deadlines
from stepwell.orchestrator._events import (
    AttemptCompleted,
    AttemptFailed,
    AttemptInterrupted,
    AttemptStarted,
    ItemsExpanded,
)
from stepwell.orchestrator._inputs import has_all_outputs
from stepwell.orchestrator._state import State
from stepwell.orchestrator._streams import streamed
from stepwell.orchestrator._timers import Timer
from stepwell.orchestrator._undoing import done_items, item_undone
from stepwell.orchestrator._unit import Checkpoint, Items, ItemState, Running, StepState
from stepwell.orchestrator._waiting import ask_again, end_attempt, withdraw

__all__ = [
    "add_item",
    "begin_pass",
    "end_pass",
    "expand",
    "forget_item_failures",
    "item_attempt",
    "refused_by",
    "settle_item",
]


def begin_pass(state: State, step: StepState, definition: Step, event: AttemptStarted) -> None:
    """The step's attempt has begun; if it is mapped, its items are about to be known."""
    if definition.map is None:
        step.items = None
        return
    items = step.items = step.items or Items()
    items.is_expanded = False
    items.of_pass = step.attempts
    items.source, items.source_pass = event.streams, 0
    items.readers.clear()
    apart = definition.map.apart
    items.inputs = {name: digest for name, digest in event.inputs.items() if name not in apart}
    items.environment = event.environment
    if event.fresh:
        items.valid_from = step.attempts
    items.reused = 0
    groups = (items.ready, items.running, items.waiting, items.doubtful, items.failed, items.done)
    for group in groups:
        group.clear()
    state.mapped[step.name] = None
    if event.streams:
        _begin_stream(state, step, definition.map)


def _begin_stream(state: State, step: StepState, over: MapOver) -> None:
    """The pass takes another step's items for its own: those that are done, the others later."""
    items, above = step.items, state.steps.get(step.items.source if step.items else "")
    if items is None or above is None or above.items is None:
        return
    items.source_pass = above.items.of_pass
    items.order = above.items.order
    items.is_expanded = True
    above.items.readers[step.name] = None
    for unit, digest in streamed(above, over):
        _take(state, step, over, unit, digest)


def _take(state: State, step: StepState, over: MapOver, source: ItemState, digest: str) -> None:
    items = step.items
    assert items is not None
    unit = items.by_key.get(source.name)
    if unit is None:
        unit = items.by_key[source.name] = ItemState(source.name, since=source.since)
    unit.digest, unit.index = digest, source.index
    add_item(state, step, over, unit)


def _pass_on(state: State, step: StepState, items: Items, unit: ItemState) -> None:
    """An item is done: steps over what these make have one more."""
    for name in items.readers:
        reader, definition = state.steps.get(name), state.flow.get(name)
        theirs = reader.items if reader is not None else None
        if reader is None or theirs is None or definition is None or definition.map is None:
            continue
        is_same = (theirs.source, theirs.source_pass) == (step.name, items.of_pass)
        if reader.running is None or not is_same or unit.checkpoint is None:
            continue
        output = unit.checkpoint.outputs.get(definition.map.source)
        if output is not None:
            _take(state, reader, definition.map, unit, output.digest)


def end_pass(state: State, step: StepState, at: int) -> None:
    """The step's attempt is over: nothing of its items is under way any more."""
    items = step.items
    if items is None:
        return
    for key in items.running:
        end_attempt(state, items.by_key[key], step=step.name, item=key, at=at)
        items.by_key[key].running = None
    state.running_items -= len(items.running)
    items.is_expanded = False
    for group in (items.ready, items.running, items.waiting, items.doubtful):
        group.clear()
    state.mapped.pop(step.name, None)


def expand(state: State, step: StepState, event: ItemsExpanded, attempt: int, at: int) -> None:
    """These are the items of the pass that is under way."""
    run, items = step.running, step.items
    definition = state.flow.get(step.name)
    if run is None or run.attempt != attempt or items is None:
        return
    if definition is None or definition.map is None:
        return
    found: Sequence[tuple[str, str]] = event.items
    if definition.map.undoes:
        undone = done_items(state.steps.get(definition.undo_of))
        found = [(unit.name, unit.digest) for unit in undone]
    items.environment = event.environment or run.environment
    items.order = [key for key, _ in found]
    items.is_expanded = True
    for index, (key, digest) in enumerate(found):
        unit = items.by_key.get(key)
        if unit is None:
            unit = items.by_key[key] = ItemState(key, since=at)
        unit.digest, unit.index = digest, index
        add_item(state, step, definition.map, unit)


def add_item(state: State, step: StepState, over: MapOver, unit: ItemState) -> None:
    """One more item of the pass: done already, or to be done."""
    items, run, key = step.items, step.running, unit.name
    definition = state.flow.get(step.name)
    if items is None or run is None or definition is None:
        return
    if not over.undoes and _is_current(definition, unit, items, run, over):
        items.done[key] = None
        items.reused += 1
        _pass_on(state, step, items, unit)
        return
    if unit.doubt is not None:
        items.doubtful[key] = None
        return
    if key in items.refused:
        items.failed[key] = None
        return
    if unit.of_pass < items.valid_from:
        unit.calls = unit.heartbeat = None
        withdraw(state, unit, "the step runs afresh")
    unit.error = None
    if unit.retry_at:
        items.waiting[key] = None
        state.timers.set(Timer(unit.retry_at, "retry", step.name, key))
    else:
        items.ready[key] = None


def _is_current(
    definition: Step, unit: ItemState, items: Items, run: Running, over: MapOver
) -> bool:
    found = unit.checkpoint
    if definition.transient and unit.name not in items.live:
        return False
    return (
        found is not None
        and not unit.is_undone
        and has_all_outputs(found.outputs, definition)
        and unit.of_pass >= items.valid_from
        and found.code == run.code
        and found.environment == items.environment
        and found.inputs == {**items.inputs, over.item: unit.digest}
    )


def item_attempt(
    state: State,
    step: StepState,
    key: str,
    event: AttemptStarted | AttemptCompleted | AttemptFailed | AttemptInterrupted,
    *,
    attempt: int,
    at: int,
) -> None:
    """One of the four things that can happen to an attempt at an item."""
    items = step.items
    unit = items.by_key.get(key) if items is not None else None
    if items is None or unit is None:
        return
    if isinstance(event, AttemptStarted):
        _start(state, step, unit, _running(state, step, unit, event, (attempt, at)))
        return
    run = unit.running
    if run is None or run.attempt != attempt:
        return
    end_attempt(state, unit, step=step.name, item=key, at=at)
    unit.running = None
    unit.since = at
    if items.running.pop(key, "") is None:
        state.running_items -= 1
    match event:
        case AttemptCompleted():
            _complete(unit, run, event, at)
            item_undone(state, step.name, key, at)
            withdraw(state, unit, "it is done")
            unit.of_pass = step.attempts
            items.live[key] = None
            items.done[key] = None
            _pass_on(state, step, items, unit)
        case AttemptFailed():
            _fail(state, step, items, unit, event)
        case AttemptInterrupted():
            if event.reason == "cancelled":
                withdraw(state, unit, "the attempt was stopped")
            elif (definition := state.flow.get(step.name)) is not None and definition.once:
                unit.doubt = run
                return
            if step.running is not None and items.is_expanded:
                items.ready[key] = None


def _start(state: State, step: StepState, unit: ItemState, run: Running | None) -> None:
    items, definition = step.items, state.flow.get(step.name)
    if items is None or run is None or definition is None:
        return
    unit.running = run
    unit.attempts = run.attempt
    unit.since = unit.heard = run.at
    unit.begun = unit.begun or run.at
    unit.waited_before = unit.waited
    withdraw(state, unit, "the step's code has changed since", but_code=run.code)
    unit.error = None
    unit.retry_at = 0
    for group in (items.ready, items.waiting, items.failed):
        group.pop(unit.name, None)
    items.running[unit.name] = None
    state.running_items += 1
    set_deadlines(state, definition, unit, step.name, unit.name)


def _running(
    state: State, step: StepState, unit: ItemState, event: AttemptStarted, when: tuple[int, int]
) -> Running | None:
    """An item's event says nothing that the step's has not said: there are many of them."""
    run, items, definition = step.running, step.items, state.flow.get(step.name)
    if run is None or items is None or definition is None or definition.map is None:
        return None
    inputs = {**items.inputs, definition.map.item: unit.digest}
    attempt, at = when
    return Running(attempt, at, event.key, run.code, inputs, items.environment)


def _complete(unit: ItemState, run: Running, event: AttemptCompleted, at: int) -> None:
    unit.checkpoint = Checkpoint(
        run.attempt,
        at,
        event.seconds,
        event.outputs,
        event.log,
        run.code,
        run.inputs,
        run.environment,
    )
    unit.checkpoints += 1
    unit.is_undone = False
    unit.heartbeat = None
    forget_failures(unit.calls)
    unit.failures = 0
    unit.begun = unit.waited = 0


def _fail(
    state: State, step: StepState, items: Items, unit: ItemState, event: AttemptFailed
) -> None:
    unit.error = event.error
    unit.failures += 1
    forget_failures(unit.calls)
    if (definition := state.flow.get(step.name)) is not None:
        let_children_go_on(definition.retry, unit.calls)
    if event.retry_at:
        unit.retry_at = event.retry_at
        items.waiting[unit.name] = None
        state.timers.set(Timer(event.retry_at, "retry", step.name, unit.name))
    else:
        items.failed[unit.name] = None
        withdraw(state, unit, "it has failed")


def settle_item(state: State, step: StepState, key: str, decided: ApprovalDecided, at: int) -> None:
    """A person has said what came of an attempt at an item that nobody knew the end of."""
    items = step.items
    unit = items.by_key.get(key) if items is not None else None
    if items is None or unit is None or unit.doubt is None:
        return
    run, unit.doubt = unit.doubt, None
    match decided.decision:
        case "answered":
            _complete(unit, run, AttemptCompleted(decided.outputs), at)
            item_undone(state, step.name, key, at)
            unit.of_pass = step.attempts
            unit.error = None
        case "rejected":
            unit.error = refused_by(decided)
            unit.failures += 1
            items.refused[key] = None
        case _:
            pass
    unit.since = at
    definition = state.flow.get(step.name)
    if (
        items.doubtful.pop(key, "") is None
        and definition is not None
        and definition.map is not None
    ):
        add_item(state, step, definition.map, unit)
        if definition.map.undoes:
            items.put_first(key)


def refused_by(decided: ApprovalDecided) -> ErrorInfo:
    """Somebody says that an attempt that was cut off has failed."""
    said = f"it was interrupted, and {decided.by or 'somebody'} says that it has failed"
    note = f"{said}: {decided.note}" if decided.note else said
    return ErrorInfo("InDoubt", note, is_user_code=False)


def forget_item_failures(step: StepState) -> None:
    """Somebody asks for the step anew: its items start counting from nothing."""
    if step.items is None:
        return
    step.items.refused.clear()
    if step.running is not None:
        return
    for unit in step.items.by_key.values():
        unit.failures = unit.begun = unit.waited = unit.retry_at = 0
        ask_again(unit)
