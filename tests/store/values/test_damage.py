"""Bytes that are not what was written are never taken for a value."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from stepwell.errors import ValueUnreadable
from stepwell.store import Blob
from stepwell.store.values import decode, encode

LARGE = encode({"text": [f"line {number}" for number in range(500)]})
SMALL = encode({"a": (1, 2)})


@pytest.mark.parametrize("blob", [LARGE, SMALL], ids=["compressed", "plain"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_flipped_bits_are_found(blob: Blob, data: Any) -> None:
    """A single changed byte is an error or, where a frame has bits to spare, no change at all."""
    assert blob.data is not None
    at: int = data.draw(st.integers(0, len(blob.data) - 1))
    flip: int = data.draw(st.integers(1, 255))
    damaged = blob.data[:at] + bytes([blob.data[at] ^ flip]) + blob.data[at + 1 :]
    with contextlib.suppress(ValueUnreadable):
        assert decode(structs.replace(blob, data=damaged)) == decode(blob)


CHANGES: dict[str, Callable[[Blob], dict[str, object]]] = {
    "cut": lambda blob: {"data": (blob.data or b"")[:-1]},
    "empty": lambda _: {"data": b""},
    "longer": lambda blob: {"data": (blob.data or b"") + b"x"},
    "size": lambda blob: {"size": blob.size + 1},
    "codec": lambda _: {"codec": "bytes"},
    "unknown codec": lambda _: {"codec": "yaml"},
    "elsewhere": lambda _: {"data": None},
}


@pytest.mark.parametrize("blob", [LARGE, SMALL], ids=["compressed", "plain"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_blob_is_unreadable(blob: Blob, name: str) -> None:
    """Cut, swapped or missing bytes are an error that keeps the digest."""
    fields: dict[str, Any] = CHANGES[name](blob)
    with pytest.raises(ValueUnreadable):
        decode(structs.replace(blob, **fields))
