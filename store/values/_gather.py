"""A list whose elements are stored values: written as their digests, in order.

What many pieces of work have made one by one is one value without being written again. Equal
elements in equal order give an equal digest. An element that is missing is None.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from stepwell.errors import ValueUnreadable
from stepwell.store._port import Blob
from stepwell.store.values._pack import digest_of, pack, unpack

__all__ = ["GATHER", "Load", "gather", "gathered", "read_gathered"]

GATHER = "gather"
PREVIEW_ELEMENTS = 20

Load = Callable[[str], object]
"""Brings a stored value back by its digest."""

_decoder = msgspec.json.Decoder(list[str | None])


def gather(digests: Sequence[str | None], previews: Sequence[str] = ()) -> Blob:
    """The list of these stored values. `previews` are those of its first elements."""
    payload = msgspec.json.encode(list(digests))
    shown = [*previews[:PREVIEW_ELEMENTS]]
    if len(digests) > len(shown):
        shown.append(f"… {len(digests):,} in all")
    preview = f"[{', '.join(shown)}]"
    if len(preview) > 500:
        preview = f"{preview[:480]}… {len(digests):,} in all]"
    digest = digest_of(GATHER, payload)
    return Blob(digest, GATHER, "list", len(payload), preview, pack(payload))


def gathered(blob: Blob) -> list[str | None]:
    """The digests that `gather` was given. Raises `ValueUnreadable`."""
    return _decoder.decode(unpack(blob.data or b"", blob.size))


def read_gathered(payload: bytes, load: Load | None) -> list[Any]:
    """The elements, each loaded for itself. Raises what `load` raises."""
    if load is None:
        raise ValueUnreadable(
            "its elements are values of their own in the store, and only that can bring them back"
        )
    return [None if digest is None else load(digest) for digest in _decoder.decode(payload)]
