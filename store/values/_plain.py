"""Values as JSON that people read, for files of their own: without digests, without secrets.

The tree of codec `data`, with what looks like a secret, by its type, the name it goes by or
its own look, masked. What only pickle could bring back has no place in a file that is shared.
"""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from stepwell.errors import ValueNotStorable
from stepwell.store.values._encoded import Resolve, Unsuited
from stepwell.store.values._names import class_of, type_name
from stepwell.store.values._preview import is_secret_name, masked
from stepwell.store.values._secrets import MASK, SECRETS
from stepwell.store.values._tree import Node, Reader, Writer

__all__ = ["from_plain", "to_plain"]

_SECRETS = ("SecretStr", "SecretBytes", "Secret")


def to_plain(value: object, resolve: Resolve) -> Node:
    """The value as JSON. Raises `ValueNotStorable` for what cannot be written so."""
    open_value = _unveiled(value)
    try:
        node = Writer(open_value, resolve).node(open_value)
    except (Unsuited, RecursionError):
        reason = "only a pickle could bring it back, and a file that is shared holds none"
        raise ValueNotStorable(type_name(value), reason) from None
    return _masked(msgspec.json.decode(msgspec.json.encode(node)))


def from_plain(node: Node, resolve: Resolve) -> Any:
    """The value that was written. Raises `ValueUnreadable`.

    Classes are imported by their names: for files that the user has chosen.
    """
    return Reader(resolve, is_trusted=True).value(node)


def _unveiled(value: Any) -> Any:
    """With a mask in the place of what says itself that it is a secret."""
    kind = class_of(value)
    if kind.__name__ in _SECRETS and kind.__module__.startswith("pydantic"):
        return MASK
    if kind is dict:
        return {key: _unveiled(item) for key, item in value.items()}
    if kind is list:
        return [_unveiled(item) for item in value]
    return tuple(_unveiled(item) for item in value) if kind is tuple else value


def _is_secret(name: str) -> bool:
    return is_secret_name(name) or SECRETS.is_marked(name)


def _masked(node: Node) -> Node:
    match node:
        case str():
            return masked(node)
        case list():
            return [_masked(item) for item in cast("Sequence[Node]", node)]
        case dict():
            pairs = cast("dict[str, Node]", node).items()
            return {
                key: MASK if _is_secret(key) and isinstance(item, str) else _masked(item)
                for key, item in pairs
            }
        case _:
            return node
