"""What a codec answers with."""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Encoded", "Resolve", "Unsuited", "nothing"]

Resolve = Callable[[str], object]
"""What a name means in the notebook, None if nothing: `resolve.get`. Asked for classes."""


def nothing(_: str) -> None:
    """The notebook without names."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value's bytes, before compression."""

    codec: str
    payload: bytes
    needs_trust: bool = False
    """Reading it back runs code or looks for classes by name: it is signed."""


class Unsuited(Exception):
    """This codec would not bring the value back as it was; the next one is asked."""
