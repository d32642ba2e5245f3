"""A mapped step over what a mapped step makes: its items are the other's, one for one.

Such a step needs no expansion. Its pass can begin while the other's is under way, and takes
each item's output as its element when that is done; where something forces a barrier (it
reads more of the other than that, or that may yet be content with less than all), it begins
when the other has come to its end. Pure: parts of `apply` and `decide`.
"""

from collections.abc import Iterator

from stepwell.flow import MapOver, Step
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import Items, ItemState, StepState

__all__ = ["can_begin", "is_cut_off", "is_open", "stream_of", "streamed"]


def stream_of(state: State, definition: Step) -> str:
    """The mapped step whose items can be this one's, as things stand; empty where none can."""
    above = _above(state, definition)
    if above is None or above.items is None or not above.is_settled:
        return ""
    checkpoint = above.checkpoint
    is_same = checkpoint is not None and checkpoint.attempt == above.items.of_pass
    return above.name if is_same and not above.running else ""


def can_begin(state: State, reader: str, above: StepState) -> bool:
    """Whether the reader's pass can begin while that of the step above is under way."""
    definition, step = state.flow[reader], state.steps.get(reader)
    if step is None or not step.owed or step.running is not None or [*step.waiting] != [above.name]:
        return False
    if _above(state, definition) is not above or reader in state.retrying:
        return False
    writer, over = state.flow[above.name], definition.map
    if over is None or writer.map is None or writer.map.keep_going:
        return False
    return not any(name in writer.writes for name in definition.reads if name != over.source)


def _above(state: State, definition: Step) -> StepState | None:
    over = definition.map
    # Keys of its own, or a look at all elements, or a question before it: these take a worker.
    if (
        over is None
        or over.undoes
        or over.key
        or over.is_whole
        or definition.when
        or definition.approve
    ):
        return None
    writer = state.flow.writer_of(over.source)
    if writer is None or writer.map is None or over.source in writer.transient:
        return None
    return state.steps.get(writer.name)


def streamed(above: StepState, over: MapOver) -> Iterator[tuple[ItemState, str]]:
    """Of the step above, the items whose outputs there are, with each output's digest.

    One that failed for good, in a step that is content all the same, has none: "".
    """
    items = above.items
    assert items is not None
    for key in items.order:
        unit = items.by_key.get(key)
        if unit is None:
            continue
        if key in items.done and unit.checkpoint is not None:
            yield unit, unit.checkpoint.outputs[over.source].digest
        elif key in items.failed and above.running is None:
            yield unit, ""


def is_open(state: State, items: Items) -> bool:
    """Whether elements may still come, or are not yet sure to stay what they are."""
    if not items.source:
        return False
    above = state.steps.get(items.source)
    return above is None or above.running is not None


def is_cut_off(state: State, items: Items) -> bool:
    """Whether the pass that the elements come from has ended before all had come."""
    if not items.source:
        return False
    above = state.steps.get(items.source)
    if above is None or above.items is None or above.items.of_pass != items.source_pass:
        return True
    found = above.checkpoint
    return above.running is None and (found is None or found.attempt != items.source_pass)
