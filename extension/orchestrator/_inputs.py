"""What a step would read now, and what goes by what it was made from."""

from hashlib import blake2b

from stepwell.flow import Step
from stepwell.orchestrator._base import Output
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import Running

__all__ = ["SKIPPED", "current_inputs", "derived_digest", "has_all_outputs", "has_enough"]

SKIPPED = "skipped"
"""What stands for the digest of an input whose step was skipped; its value is None."""


def current_inputs(state: State, definition: Step) -> dict[str, str]:
    """Digest of every input as its writer's checkpoint has it now; "" where there is none."""
    inputs: dict[str, str] = {}
    for name in definition.reads:
        writer = state.flow.writer_of(name)
        if writer is None or writer.name == definition.name:
            if (given := state.given.get(name)) is not None:
                inputs[name] = given.digest
            continue
        checkpoint = state.step(writer.name).checkpoint
        output = checkpoint.outputs.get(name) if checkpoint else None
        skipped = SKIPPED if checkpoint is not None and checkpoint.skipped else ""
        inputs[name] = output.digest if output else skipped
    return inputs


def has_all_outputs(outputs: dict[str, Output], definition: Step) -> bool:
    """Whether these are what the step is to write now, stored and transient as it is to be."""
    return len(outputs) == len(definition.writes) and all(
        name in outputs and outputs[name].stored is (name not in definition.transient)
        for name in definition.writes
    )


def has_enough(share: float, definition: Step) -> bool:
    """Whether so large a share of a mapped step's items is what is asked of it now."""
    over = definition.map
    if over is None or share >= 1:
        return True
    return over.keep_going and share > over.min_success - 1e-9


def derived_digest(running: Running, name: str, item: str = "") -> str:
    """Digest of a transient output: it stands for what the value was made from."""
    parts = [running.code, running.environment, name]
    parts += [f"{key}={digest}" for key, digest in sorted(running.inputs.items())]
    parts += [f"[{item}]"] if item else []
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
