"""A run's state as parts of bytes, and back: what the store keeps as a shortcut. Pure.

Each part is small, so that making them one after the other never keeps others waiting. The
form says what the parts mean: it changes with everything that has a say in how events are
applied, so that no state made by other code is ever taken up.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from stepwell import flow as flow_package
from stepwell.flow import Flow, Step
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import ItemState, StepState

__all__ = ["form", "parts_of", "state_of"]

PORTION = 200
Thing = TypeVar("Thing")

# Kept in parts of their own, or known to whoever reads them.
_APART = frozenset({"run", "flow", "agents", "steps", "message_ids"})
_KEPT = {field.name: field.type for field in fields(State) if field.name not in _APART}


class _Part(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Common to all: they are told apart by their tag."""


class _Steps(_Part, frozen=True, tag="steps"):
    steps: list[StepState]
    """Without their items, which come after them."""


class _Items(_Part, frozen=True, tag="items"):
    step: str
    items: list[ItemState]


class _Flow(_Part, frozen=True, tag="flow"):
    name: str
    """Empty for the run's own."""
    steps: list[Step]


class _Sent(_Part, frozen=True, tag="sent"):
    ids: list[str]
    """Of messages."""


# Made of the state's own fields, so that none can be forgotten.
_Rest: Any = msgspec.defstruct(
    "_Rest", list(_KEPT.items()), bases=(_Part,), tag="rest", array_like=True, frozen=True
)
_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(_Steps | _Items | _Flow | _Sent | _Rest).decode


@cache
def form() -> str:
    """Digest of the code that makes states; empty where it cannot be read."""
    digest = blake2b(msgspec.__version__.encode(), digest_size=16)
    files = [
        file
        for package in (Path(__file__), Path(str(flow_package.__file__)))
        for file in sorted(package.parent.glob("*.py"))
    ]
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest() if files else ""


def parts_of(state: State) -> Iterator[bytes]:
    """The state, which is not to change until the last part is made. Equal for equal states.

    It is one that was made by replaying events, in which nothing is live and nobody waits.
    """
    yield _encode(_Rest(*(getattr(state, name) for name in _KEPT)))
    for ids in _portions(sorted(state.message_ids)):
        yield _encode(_Sent(ids))
    for name, flow in (("", state.flow), *state.agents.items()):
        # One that has lost its last step is still there.
        for steps in _portions(flow) if len(flow) else ([],):
            yield _encode(_Flow(name, steps))
    for units in _portions(state.steps.values()):
        yield _encode(_Steps([_without_items(unit) for unit in units]))
        for unit in units:
            if unit.items is not None:
                for items in _portions(unit.items.by_key.values()):
                    yield _encode(_Items(unit.name, items))


def state_of(run: str, parts: Iterable[bytes]) -> State:
    """The state that they were made of. Raises `msgspec.MsgspecError` if they are not parts."""
    state = State(run)
    flows: dict[str, list[Step]] = {}
    for content in parts:
        part = _decode(content)
        match part:
            case _Steps(steps=units):
                state.steps.update({unit.name: unit for unit in units})
            case _Items(step=name, items=items):
                found = state.steps[name].items
                assert found is not None
                found.by_key.update({item.name: item for item in items})
            case _Flow(name=name, steps=added):
                flows.setdefault(name, []).extend(added)
            case _Sent(ids=ids):
                state.message_ids.update(ids)
            case _:
                for field in _KEPT:
                    setattr(state, field, getattr(part, field))
    state.flow = Flow.restored("", flows.pop("", ()))
    state.agents = {name: Flow.restored(name, steps) for name, steps in flows.items()}
    return state


def _without_items(step: StepState) -> StepState:
    items = step.items
    return step if items is None else replace(step, items=replace(items, by_key={}))


def _portions(things: Iterable[Thing]) -> Iterator[list[Thing]]:
    portion: list[Thing] = []
    for thing in things:
        portion.append(thing)
        if len(portion) == PORTION:
            yield portion
            portion = []
    if portion:
        yield portion
