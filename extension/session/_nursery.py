"""What an agent's steps find around them, worked out from what the calling step found.

A calling step has captured, through the agent it names, everything the agent's steps read of
the notebook; so a child runs in the notebook as it was when its caller was asked for,
whatever has been executed since.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stepwell.agents import Definition, Prepared
from stepwell.errors import UnknownName, near_misses
from stepwell.flow import Step
from stepwell.orchestrator import Output
from stepwell.session._surroundings import Surroundings, environment_digest
from stepwell.workers.namespace import Captured, capture, has_names, narrowed

__all__ = ["StepNursery"]


@dataclass(slots=True)
class StepNursery:
    """See `stepwell.agents.Nursery`."""

    surroundings: Surroundings
    environment: str = ""
    """The calling step's; empty for a cell, which finds the notebook as it is."""
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Outputs of the calling flow, by name, that an agent's steps may read."""

    def pinned(self, definition: Definition) -> Definition:
        """The agent as it was when the calling step was asked for."""
        if definition.home is not None:
            return definition
        then = self.surroundings.agents_in.get(self.environment, {})
        return then.get(definition.name, definition)

    def scope(self, definition: Definition) -> Mapping[str, object]:
        """What names in its signature mean."""
        if definition.home is not None:
            return definition.home()
        captured = self.surroundings.captured.get(self.environment)
        notebook = self.surroundings.namespace_of_notebook
        return ChainMap(captured.objects, notebook) if captured is not None else notebook

    def prepare(self, definition: Definition) -> Prepared:
        """What its steps find around them. Raises `UnknownName`."""
        around = definition.around
        shared = around if definition.home is None else definition.shares
        names = [name for name in around if name in shared and name in self.inputs]
        inputs = {name: Output(self.inputs[name]) for name in names}
        made = {name for step in definition.steps for name in step.writes}
        without = {*inputs, *definition.given, *made}
        found = self._found(definition, without)
        prepared: dict[str, str] = {}
        kept: dict[str, Captured] = {}
        for step in definition.steps:
            part = narrowed(found, step.reads, without=without)
            _refuse_missing(step, part, found)
            if (function := definition.functions.get(step.name)) is not None:
                part = self.surroundings.part_for(step, function, part)
            digest = prepared[step.name] = environment_digest(part)
            kept[digest] = part
            self.surroundings.keep_for_child(digest, part, of=self.environment)
        for name, function in definition.functions.items():
            self.surroundings.functions[f"{definition.name}/{name}"] = function
        events = [
            (self.surroundings.event_of(digest, part), tuple(part.blobs.values()))
            for digest, part in kept.items()
        ]
        return Prepared(prepared, events, inputs)

    def _found(self, definition: Definition, without: set[str]) -> Captured:
        names = [name for name in definition.around if name not in without]
        if definition.home is not None:
            return capture(
                names,
                definition.home(),
                is_input=without.__contains__,
                signer=self.surroundings.signer,
            )
        known = self.surroundings.captured.get(self.environment)
        if known is not None and has_names(known, names):
            return known
        # The caller does not show that it calls the agent: the notebook as it is, then.
        return capture(
            names,
            ChainMap(self.surroundings.namespace_of_notebook, _globals(definition.functions)),
            is_input=without.__contains__,
            signer=self.surroundings.signer,
        )


def _globals(functions: Mapping[str, Callable[..., object]]) -> dict[str, object]:
    """What function steps find in their modules."""
    found: dict[str, object] = {}
    for function in functions.values():
        found.update(getattr(function, "__globals__", {}))
    return found


def _refuse_missing(step: Step, part: Captured, found: Captured) -> None:
    for missing in part.missing:
        if missing not in step.defaults and missing not in step.optional:
            raise UnknownName(step.name, missing, near_misses(missing, found.objects))
