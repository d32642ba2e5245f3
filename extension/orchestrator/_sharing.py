"""A run that begins with what another one has: the same steps, and its results where they hold.

Nothing is copied: a shared result is an event that names the values the other run stored.
"""

from collections.abc import Collection, Iterator, Mapping

import msgspec

from stepwell.orchestrator._base import Output
from stepwell.orchestrator._events import CheckpointShared, Event, StepsDefined
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import Checkpoint, Items, ItemState, StepState

__all__ = ["Inherited", "inherited", "share"]


class Inherited(msgspec.Struct, frozen=True, gc=False):
    """An event of a run that begins with what another one has, and its columns."""

    event: Event
    step: str = ""
    item: str = ""
    attempt: int = 0


def inherited(
    parent: State,
    *,
    without: Collection[str] = (),
    given: Mapping[str, Mapping[str, Output]] | None = None,
) -> Iterator[Inherited]:
    """What a run forked from `parent` begins with; of the steps in `without`, no results.

    `given` has, by step, outputs that take the place of those it made.
    """
    for setup in parent.setups.values():
        yield Inherited(setup)
    for declared in parent.declared.values():
        yield Inherited(declared)
    flows = (parent.flow, *parent.agents.values())
    if steps := tuple(step for flow in flows for step in flow):
        yield Inherited(StepsDefined(steps))
    shared = [
        step
        for name in parent.flow.order()
        if name not in without and (step := parent.steps.get(name)) is not None
    ]
    environments = {step.checkpoint.environment for step in shared if step.checkpoint}
    for digest, environment in parent.environments.items():
        if digest in environments:
            yield Inherited(environment)
    for step in shared:
        yield from _results(parent.run, step, (given or {}).get(step.name, {}))


def _results(run: str, step: StepState, given: Mapping[str, Output]) -> Iterator[Inherited]:
    # An item that is done is worth keeping also where its step is not.
    for key, unit in (step.items.by_key if step.items is not None else {}).items():
        if unit.checkpoint is not None and not unit.is_undone:
            event = _shared(run, unit.checkpoint, digest=unit.digest, index=unit.index)
            yield Inherited(event, step.name, key, unit.checkpoint.attempt)
    if step.checkpoint is not None and not step.is_undone:
        event = _shared(run, step.checkpoint, given=given)
        yield Inherited(event, step.name, "", step.checkpoint.attempt)


def _shared(
    run: str,
    found: Checkpoint,
    *,
    given: Mapping[str, Output] | None = None,
    digest: str = "",
    index: int = 0,
) -> CheckpointShared:
    return CheckpointShared(
        origin=run,
        made=found.at,
        seconds=found.seconds,
        outputs={**found.outputs, **(given or {})},
        log=found.log,
        code=found.code,
        inputs=found.inputs,
        environment=found.environment,
        skipped=found.skipped,
        given=tuple(given or ()),
        share=found.share,
        digest=digest,
        index=index,
    )


def share(state: State, event: CheckpointShared, step: StepState, item: str, attempt: int) -> None:
    """The step, or an item of it, has this result without having run here. Of `apply`."""
    result = Checkpoint(
        attempt,
        event.made,
        event.seconds,
        event.outputs,
        event.log,
        event.code,
        event.inputs,
        event.environment,
        event.skipped,
        event.share,
    )
    if not item:
        step.checkpoint = result
        step.environment = event.environment
        step.restored = True
        if step.items is not None:
            _settle_items(step.items, result)
        return
    items = step.items = step.items or Items()
    items.by_key[item] = ItemState(
        item, checkpoint=result, digest=event.digest, index=event.index, since=event.made
    )
    items.order.append(item)


def _settle_items(items: Items, result: Checkpoint) -> None:
    """The items that the step's result was gathered from, if they are all known.

    Who is mapped over it then goes by their keys, as in the run they are from.
    """
    units = sorted(items.by_key.values(), key=lambda unit: unit.index)
    for name, output in result.outputs.items():
        made = [it.checkpoint.outputs.get(name) for it in units if it.checkpoint is not None]
        if [it.digest for it in made if it is not None] != [*output.parts]:
            return
    items.order = [unit.name for unit in units]
    items.done = dict.fromkeys(items.order)
    items.of_pass = result.attempt
