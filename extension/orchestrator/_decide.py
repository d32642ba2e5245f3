"""`decide`: from what is known to what is to be done next. Pure.

Every command becomes an event before it is carried out: `apply` takes the step out of
`ready`, so deciding again does not start anything twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Literal

from stepwell.flow import Step
from stepwell.orchestrator._commands import (
    CancelAttempt,
    Command,
    Reuse,
    Settle,
    Skip,
    StartAttempt,
    Undo,
)
from stepwell.orchestrator._decide_budget import from_budget
from stepwell.orchestrator._decide_due import wake
from stepwell.orchestrator._decide_items import from_items, streams_to_begin
from stepwell.orchestrator._decide_waits import from_waits
from stepwell.orchestrator._inputs import SKIPPED, current_inputs, has_all_outputs, has_enough
from stepwell.orchestrator._keys import idempotency_key
from stepwell.orchestrator._limits import Limits, Rooms
from stepwell.orchestrator._owing import is_about_doubt
from stepwell.orchestrator._state import State
from stepwell.orchestrator._streams import stream_of
from stepwell.orchestrator._unit import Checkpoint, StepState

__all__ = ["SKIPPED", "current_inputs", "decide", "is_current"]

NO_LIMITS = Limits({})


def decide(state: State, *, slots: int, now: int, limits: Limits = NO_LIMITS) -> list[Command]:
    """What to do now, with at most `slots` attempts under way at once.

    `now` is microseconds UTC. Timers that are due are taken out of their index by this.
    """
    commands: list[Command] = [
        CancelAttempt(name, attempt)
        for name, attempt in state.superseded.items()
        if not state.is_sealed(name)
    ]
    woken = list(wake(state, now))
    held = list(from_budget(state, now)) if state.budget is not None or state.held else []
    # What is over by now is not closed a second time, and nothing is started that is to be held:
    # that is looked at when it has been noted.
    commands.extend(woken or held or from_waits(state))
    if held:
        return commands
    rooms = Rooms(limits, now, state)
    free = slots - state.under_way + state.parked
    if state.mapped and not state.is_halted:
        commands.extend(streams_to_begin(state))
    for priority in _priorities(state):
        begun = _begin(state, free, rooms, priority)
        commands.extend(begun)
        free -= sum(isinstance(command, StartAttempt) for command in begun)
    if not commands and _is_at_rest(state):
        status = _status(state)
        is_undone = status == "failed" and state.undo_on_failure
        commands.append(Undo(state.undo_on_failure) if is_undone else Settle(status))
    return commands


def _is_at_rest(state: State) -> bool:
    if state.running or state.settled or state.started is None:
        return False
    if state.retrying or any(state.limited.values()):
        return False
    if any(state.steps[name].owed for name in state.doubtful):
        return False
    if any(is_about_doubt(state, undo) for undo in state.undoing):
        return False
    return not (state.is_halted and (state.ready or state.fresh))


def _priorities(state: State) -> Sequence[int | None]:
    """The highest first; only None where no step has a priority of its own."""
    if not state.is_ranked:
        return (None,)
    names = chain(state.ready, state.fresh, *state.limited.values(), state.mapped)
    return sorted({state.priority_of(name) for name in names}, reverse=True)


def _begin(state: State, free: int, rooms: Rooms, priority: int | None) -> list[Command]:
    """What is to be begun of this priority, of any for None: steps, and items of mapped ones."""
    found: list[Command] = []
    if not state.is_halted:
        found.extend(_from_ready(state, free, rooms, priority))
        free -= sum(isinstance(command, StartAttempt) for command in found)
    if state.mapped:
        found.extend(from_items(state, free, rooms, priority))
    return found


def _of(state: State, names: Iterable[str], priority: int | None) -> Iterable[str]:
    if priority is None:
        return names
    return [name for name in names if state.priority_of(name) == priority]


def _from_ready(state: State, free: int, rooms: Rooms, priority: int | None) -> Iterator[Command]:
    for name in _of(state, state.ready, priority):
        definition = state.flow[name]
        inputs = current_inputs(state, definition)
        if _answers(state, state.steps[name], definition, inputs):
            yield Reuse(name)
        elif (skip := _skipped(state, definition, inputs)) is not None:
            yield skip
        elif free > 0 and rooms.take(definition.limit if definition.map is None else ""):
            free -= 1
            yield _start(state, definition, inputs)
    for name in _next(state, free, rooms, priority):
        definition = state.flow[name]
        inputs = current_inputs(state, definition)
        skip = _skipped(state, definition, inputs)
        if skip is None and definition.map is None:
            rooms.take(definition.limit)
        yield skip or _start(state, definition, inputs)


def _next(state: State, free: int, rooms: Rooms, priority: int | None) -> Iterator[str]:
    """So many steps at most that have nothing that could be reused."""
    within: list[str] = []
    for limit, names in state.limited.items():
        if names:
            mine = _of(state, names, priority)
            within += islice(mine, max(0, min(rooms.left(limit), free)))
    return islice(chain(_of(state, state.fresh, priority), within), max(free, 0))


def _skipped(state: State, definition: Step, inputs: dict[str, str]) -> Skip | None:
    """What is skipped is not there to be read: who reads it is skipped as well."""
    if definition.even_if_skipped or definition.undo_of or SKIPPED not in inputs.values():
        return None
    writers = {state.flow.writer_of(name) for name, found in inputs.items() if found == SKIPPED}
    above = ", ".join(sorted({repr(writer.name) for writer in writers if writer is not None}))
    environment = state.steps[definition.name].environment
    return Skip(definition.name, f"{above} was skipped", definition.digest, inputs, environment)


def _start(state: State, definition: Step, inputs: dict[str, str]) -> StartAttempt:
    step = state.steps[definition.name]
    if definition.undo_of:
        # It undoes what there is: of what was never made there is None.
        inputs = {name: digest or SKIPPED for name, digest in inputs.items()}
    return StartAttempt(
        step.name,
        step.attempts + 1,
        idempotency_key(state.run, step.name, "", step.checkpoints),
        definition.digest,
        inputs,
        step.environment,
        fresh=step.force and not step.keeps_items,
        streams=stream_of(state, definition),
    )


def is_current(
    checkpoint: Checkpoint, definition: Step, inputs: dict[str, str], environment: str
) -> bool:
    """Whether nothing the result depends on has changed."""
    return (
        checkpoint.code == definition.digest
        and checkpoint.inputs == inputs
        and checkpoint.environment == environment
        and has_enough(checkpoint.share, definition)
        and (bool(checkpoint.skipped) or has_all_outputs(checkpoint.outputs, definition))
    )


def _answers(state: State, step: StepState, definition: Step, inputs: dict[str, str]) -> bool:
    checkpoint = step.checkpoint
    if checkpoint is None or step.force or step.is_undone:
        return False
    if definition.transient and step.name not in state.live:
        return False
    return is_current(checkpoint, definition, inputs, step.environment)


def _status(state: State) -> Literal["completed", "failed", "cancelled"]:
    if state.is_cancelled:
        return "cancelled"
    # A step that failed parks the run, whether or not somebody waits for it.
    steps = state.steps.values()
    if any(step.error is not None for step in steps):
        return "failed"
    return "cancelled" if any(step.cancelled or step.owed for step in steps) else "completed"
