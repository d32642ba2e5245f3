"""`decide`: from what is known to what is to be done next. Pure.

Every command becomes an event before it is carried out: `apply` takes the step out of
`ready`, so deciding again does not start anything twice.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import Literal

import msgspec

from stepwell.flow import Step
from stepwell.orchestrator._events import Output
from stepwell.orchestrator._state import Checkpoint, Running, State, StepState

__all__ = [
    "CancelAttempt",
    "Command",
    "Reuse",
    "Settle",
    "StartAttempt",
    "current_inputs",
    "decide",
    "derived_digest",
    "is_current",
]


class StartAttempt(msgspec.Struct, frozen=True, gc=False):
    """Run the step's code with these inputs in this environment."""

    step: str
    attempt: int
    key: str
    code: str
    inputs: dict[str, str]
    environment: str


class Reuse(msgspec.Struct, frozen=True, gc=False):
    """The checkpoint answers the request."""

    step: str


class CancelAttempt(msgspec.Struct, frozen=True, gc=False):
    """Stop this attempt if it can be stopped; its result is no longer wanted."""

    step: str
    attempt: int


class Settle(msgspec.Struct, frozen=True, gc=False):
    """Nothing runs and nothing can be started."""

    status: Literal["completed", "failed", "cancelled"]


Command = StartAttempt | Reuse | CancelAttempt | Settle


def decide(state: State, *, slots: int) -> list[Command]:
    """What to do now, with at most `slots` attempts under way at once."""
    commands: list[Command] = [
        CancelAttempt(name, attempt) for name, attempt in state.superseded.items()
    ]
    commands.extend(_from_ready(state, slots - len(state.running)))
    if not commands and not state.running and not state.settled and state.started is not None:
        commands.append(Settle(_status(state)))
    return commands


def _from_ready(state: State, free: int) -> Iterator[Command]:
    for name in state.ready:
        definition = state.flow[name]
        inputs = current_inputs(state, definition)
        if _answers(state, state.steps[name], definition, inputs):
            yield Reuse(name)
        elif free > 0:
            free -= 1
            yield _start(state, definition, inputs)
    for name in islice(state.fresh, max(free, 0)):
        definition = state.flow[name]
        yield _start(state, definition, current_inputs(state, definition))


def _start(state: State, definition: Step, inputs: dict[str, str]) -> StartAttempt:
    step = state.steps[definition.name]
    return StartAttempt(
        step.name,
        step.attempts + 1,
        _key(state.run, step.name, step.checkpoints),
        definition.digest,
        inputs,
        step.environment,
    )


def current_inputs(state: State, definition: Step) -> dict[str, str]:
    """Digest of every input as its writer's checkpoint has it now; "" where there is none."""
    inputs: dict[str, str] = {}
    for name in definition.reads:
        writer = state.flow.writer_of(name)
        if writer is None or writer.name == definition.name:
            continue
        checkpoint = state.step(writer.name).checkpoint
        output = checkpoint.outputs.get(name) if checkpoint else None
        inputs[name] = output.digest if output else ""
    return inputs


def is_current(
    checkpoint: Checkpoint, definition: Step, inputs: dict[str, str], environment: str
) -> bool:
    """Whether nothing the result depends on has changed."""
    return (
        checkpoint.code == definition.digest
        and checkpoint.inputs == inputs
        and checkpoint.environment == environment
        and not _changed_outputs(checkpoint.outputs, definition)
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


def _key(run: str, step: str, completed: int) -> str:
    # The same for every attempt until one completes: an edited cell after a failure is
    # the same piece of work, a second run after success is not.
    return blake2b(f"{run}\0{step}\0\0{completed}".encode(), digest_size=16).hexdigest()


def derived_digest(running: Running, name: str) -> str:
    """Digest of a transient output: it stands for what the value was made from."""
    parts = [running.code, running.environment, name]
    parts += [f"{key}={digest}" for key, digest in sorted(running.inputs.items())]
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
