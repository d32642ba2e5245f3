"""What a step would read now."""

from stepwell.flow import Step
from stepwell.orchestrator._state import State

__all__ = ["SKIPPED", "current_inputs"]

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
