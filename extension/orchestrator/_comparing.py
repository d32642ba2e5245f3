"""Two runs side by side: what differs between them, step by step. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stepwell.flow import Change, Environment, Fingerprint, changes
from stepwell.orchestrator._base import Output
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import Checkpoint

__all__ = ["Difference", "compare"]

Sides = tuple[str, str]
"""Of the first run and of the second; empty for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One step in two runs. Seconds are None where the step has no result."""

    step: str
    where: str = "both"
    """`both`, or the one run that has a result of it: `first`, `second`, `neither`."""
    changes: tuple[Change, ...] = ()
    """What the second result was made from otherwise than the first: code with its diff,
    inputs, helpers, values of the environment."""
    outputs: dict[str, Sides] = field(default_factory=dict[str, Sides])
    """Of the outputs that differ, what they look like."""
    seconds: tuple[float | None, float | None] = (None, None)

    @property
    def is_same(self) -> bool:
        """Whether both have a result, made from the same and come out the same."""
        return self.where == "both" and not self.changes and not self.outputs

    @property
    def diff(self) -> str:
        """Unified diffs of the code and of helpers, where they have changed."""
        return "\n".join(change.diff for change in self.changes if change.diff)


def compare(first: State, second: State) -> tuple[Difference, ...]:
    """Every step of either run, in the order of the second, then those only the first has."""
    names = [step.name for step in second.flow]
    names += [step.name for step in first.flow if step.name not in second.flow]
    return tuple(_difference(name, first, second) for name in names)


def _difference(name: str, first: State, second: State) -> Difference:
    before, after = _result(first, name), _result(second, name)
    seconds = (before.seconds if before else None, after.seconds if after else None)
    outputs = _outputs(before.outputs if before else {}, after.outputs if after else {})
    if before is None or after is None:
        where = "first" if before else "second" if after else "neither"
        return Difference(step=name, where=where, outputs=outputs, seconds=seconds)
    found = changes(
        _fingerprint(first, before),
        _fingerprint(second, after),
        source_before=_source(first, name, before.code),
        source_after=_source(second, name, after.code),
        writers={read: it.name for read in after.inputs if (it := second.flow.writer_of(read))},
    )
    return Difference(step=name, changes=found, outputs=outputs, seconds=seconds)


def _result(state: State, name: str) -> Checkpoint | None:
    step = state.steps.get(name)
    return step.checkpoint if step is not None and name in state.flow else None


def _fingerprint(state: State, result: Checkpoint) -> Fingerprint:
    known = state.environments.get(result.environment)
    environment: Environment = known.bindings if known is not None else {}
    return Fingerprint(result.code, result.inputs, environment)


def _source(state: State, name: str, code: str) -> str:
    definition = state.flow.get(name)
    if definition is not None and definition.digest == code:
        return definition.source
    return state.sources.get(code, "")


def _outputs(before: Mapping[str, Output], after: Mapping[str, Output]) -> dict[str, Sides]:
    return {
        name: (_shown(before.get(name)), _shown(after.get(name)))
        for name in dict.fromkeys((*before, *after))
        if _digest(before.get(name)) != _digest(after.get(name))
    }


def _digest(output: Output | None) -> str:
    return output.digest if output is not None else ""


def _shown(output: Output | None) -> str:
    return "" if output is None else output.preview or f"({output.type})"
