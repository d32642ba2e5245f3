"""Values that hold one part many times over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from stepwell.store.values import Signer, Trust, decode, digest_value, encode, is_immutable

LEVELS = 60  # two to the sixtieth, written out


@dataclass
class Pair:
    """Two of a kind."""

    left: object
    right: object


WAYS: dict[str, Callable[[Any], Any]] = {
    "lists": lambda inner: [inner, inner],
    "dicts": lambda inner: {"a": inner, "b": inner},
    "tuples": lambda inner: (inner, inner),
    "dataclasses": lambda inner: Pair(inner, inner),
    "mixed": lambda inner: [(inner, {"a": inner}), {1: inner}],
}


def grown(way: Callable[[Any], Any], levels: int = LEVELS) -> Any:
    """A value with each part of it twice in the next."""
    value: Any = ["the root"]
    for _ in range(levels):
        value = way(value)
    return value


def parts(value: Any) -> Iterator[Any]:
    """What a value holds."""
    match value:
        case Pair():
            yield from (value.left, value.right)
        case dict():
            yield from value.values()  # pyright: ignore[reportUnknownMemberType]
        case list() | tuple():
            yield from value  # pyright: ignore[reportUnknownVariableType]
        case _:
            pass


def distinct(value: Any) -> int:
    """How many lists, tuples, dicts and pairs there are in it."""
    seen: dict[int, Any] = {}
    pending = [value]
    while pending:
        one = pending.pop()
        if id(one) not in seen and not isinstance(one, str):
            seen[id(one)] = one
            pending += parts(one)
    return len(seen)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_part_that_is_held_many_times_is_written_once(
    way: Callable[[Any], Any], signer: Signer
) -> None:
    """It takes no more time and room than it has parts, and comes back with as many."""
    value = grown(way)
    blob = encode(value, signer=signer)
    assert len(blob.data or b"") < 20_000
    assert len(blob.preview) <= 200
    back = decode(blob, trust=Trust(signer))
    assert distinct(back) == distinct(value) < 10 * LEVELS
    assert digest_value(value) is None


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_little_repetition_stays_readable(way: Callable[[Any], Any], signer: Signer) -> None:
    """Text that repeats some of itself is canonical, and anybody can read it."""
    value = grown(way, levels=8)
    blob = encode(value, signer=signer)
    assert blob.codec in ("json", "data")
    assert decode(blob, trust=Trust(signer)) == value
    assert digest_value(value) == blob.digest


@pytest.mark.parametrize("wrap", [list, tuple])
def test_a_long_part_that_is_held_many_times_is_written_once(
    wrap: Callable[[Any], Any], signer: Signer
) -> None:
    """Also where nothing is nested."""
    value = wrap([list(range(20_000))] * 20_000)
    blob = encode(value, signer=signer)
    assert (blob.codec, blob.size < 200_000) == ("pickle", True)


def test_whether_a_shared_tuple_can_change_is_seen_at_once() -> None:
    """Each part is looked at once."""
    assert not is_immutable(grown(WAYS["tuples"]))
    value: tuple[Any, ...] = ("the root",)
    for _ in range(LEVELS):
        value = (value, value)
    assert is_immutable(value)
