"""`decide`: from what is known to what is to be done next. Pure.

Every command becomes an event before it is carried out: `apply` takes the step out of
`ready`, so deciding again does not start anything twice.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import Literal

from stepwell.flow import Step
from stepwell.orchestrator._base import Output
from stepwell.orchestrator._commands import (
    CancelAttempt,
    Command,
    Reuse,
    Settle,
    Skip,
    StartAttempt,
)
from stepwell.orchestrator._decide_due import wake
from stepwell.orchestrator._decide_items import from_items, streams_to_begin
from stepwell.orchestrator._decide_waits import from_waits
from stepwell.orchestrator._inputs import SKIPPED, current_inputs
from stepwell.orchestrator._keys import idempotency_key
from stepwell.orchestrator._state import State
from stepwell.orchestrator._streams import stream_of
from stepwell.orchestrator._unit import Checkpoint, Running, StepState

__all__ = ["SKIPPED", "current_inputs", "decide", "derived_digest", "is_current"]


def decide(state: State, *, slots: int, now: int) -> list[Command]:
    """What to do now, with at most `slots` attempts under way at once.

    `now` is microseconds UTC. Timers that are due are taken out of their index by this.
    """
    commands: list[Command] = [
        CancelAttempt(name, attempt)
        for name, attempt in state.superseded.items()
        if not state.is_sealed(name)
    ]
    commands.extend(wake(state, now))
    commands.extend(from_waits(state))
    under_way = len(state.running) - len(state.mapped) + state.running_items
    free = slots - under_way + state.parked
    if not state.is_paused:
        commands.extend(_from_ready(state, free))
        free -= sum(isinstance(command, StartAttempt) for command in commands)
    if state.mapped:
        if not state.is_paused:
            commands.extend(streams_to_begin(state))
        commands.extend(from_items(state, free))
    if not commands and _is_at_rest(state):
        commands.append(Settle(_status(state)))
    return commands


def _is_at_rest(state: State) -> bool:
    if state.running or state.settled or state.started is None:
        return False
    return not (state.retrying or (state.is_paused and (state.ready or state.fresh)))


def _from_ready(state: State, free: int) -> Iterator[Command]:
    for name in state.ready:
        definition = state.flow[name]
        inputs = current_inputs(state, definition)
        if _answers(state, state.steps[name], definition, inputs):
            yield Reuse(name)
        elif (skip := _skipped(state, definition, inputs)) is not None:
            yield skip
        elif free > 0:
            free -= 1
            yield _start(state, definition, inputs)
    for name in islice(state.fresh, max(free, 0)):
        definition = state.flow[name]
        inputs = current_inputs(state, definition)
        yield _skipped(state, definition, inputs) or _start(state, definition, inputs)


def _skipped(state: State, definition: Step, inputs: dict[str, str]) -> Skip | None:
    """What is skipped is not there to be read: who reads it is skipped as well."""
    if definition.even_if_skipped or SKIPPED not in inputs.values():
        return None
    writers = {state.flow.writer_of(name) for name, found in inputs.items() if found == SKIPPED}
    above = ", ".join(sorted({repr(writer.name) for writer in writers if writer is not None}))
    environment = state.steps[definition.name].environment
    return Skip(definition.name, f"{above} was skipped", definition.digest, inputs, environment)


def _start(state: State, definition: Step, inputs: dict[str, str]) -> StartAttempt:
    step = state.steps[definition.name]
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
        and (bool(checkpoint.skipped) or not _changed_outputs(checkpoint.outputs, definition))
    )


def _changed_outputs(outputs: dict[str, Output], definition: Step) -> bool:
    return len(outputs) != len(definition.writes) or any(
        name not in outputs or outputs[name].stored is (name in definition.transient)
        for name in definition.writes
    )


def _answers(state: State, step: StepState, definition: Step, inputs: dict[str, str]) -> bool:
    checkpoint = step.checkpoint
    if checkpoint is None or step.force:
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


def derived_digest(running: Running, name: str) -> str:
    """Digest of a transient output: it stands for what the value was made from."""
    parts = [running.code, running.environment, name]
    parts += [f"{key}={digest}" for key, digest in sorted(running.inputs.items())]
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
