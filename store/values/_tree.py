"""Values as a JSON tree with tags: readable, canonical, without running anybody's code.

A node is JSON as it stands, or `{"$": tag, "v": …}`. A dict with a key `"$"` of its own is
written as pairs. Shapes (below) say how one type is written and read; classes are told apart
by `_instances`, arrays and tables by `_tables`.

Canonical: the elements of sets are sorted by their own encoding, so equal values have equal
bytes whatever the process hashes to. Dicts keep their order, as Python does: two dicts that
differ in order only are different to whoever iterates over them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from stepwell.errors import ValueNotStorable, ValueUnreadable
from stepwell.store.values._classes import find_class, reference
from stepwell.store.values._encoded import Encoded, Resolve, Unsuited
from stepwell.store.values._names import class_of, type_name
from stepwell.store.values._refused import not_storable, refusal
from stepwell.store.values._shared import SMALL, Repeats

__all__ = [
    "TAG",
    "Node",
    "Read",
    "Reader",
    "Shape",
    "Writer",
    "encode_node",
    "read_tree",
    "write_tree",
]

TAG = "$"
MOST_LEVELS = 100
_BUILTIN_CONTAINERS = (dict, list, tuple, set, frozenset)

Node = Any
"""JSON as msgspec takes it."""

encode_node: Callable[[Node], bytes] = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Shape:
    """How values of one exact type are written as a node's `v` and read back."""

    tag: str
    kind: type
    write: "Callable[[Writer, Any], Node]"
    read: "Callable[[Reader, Node], Any]"


Read = Callable[["Reader", Node], Any]
"""From a node's `v` to the value."""


# Shapes, instances and tables are written with a `Writer`: they import this module, so it asks
# for them when first needed.
@cache
def _shapes() -> dict[type, Any]:
    from stepwell.store.values._shapes import SHAPES

    return {shape.kind: shape for shape in SHAPES}


@cache
def _reads() -> dict[str, Any]:
    from stepwell.store.values._instances import INSTANCE_READS
    from stepwell.store.values._tables import TABLE_READS

    return {shape.tag: shape.read for shape in _shapes().values()} | INSTANCE_READS | TABLE_READS


@cache
def _write_instance() -> Callable[[Any, object], Node]:
    from stepwell.store.values._instances import write_instance

    return write_instance


@dataclass(slots=True)
class Writer:
    """Turns one value into a tree."""

    root: object
    resolve: Resolve
    needs_trust: bool = False
    open: dict[int, object] = field(default_factory=dict[int, object])
    """The values we are inside of, by id: what is met again contains itself."""
    count: int = 0
    """Items met so far, those of repeated parts counted each time."""
    known: dict[int, tuple[object, Node, int]] = field(
        default_factory=dict[int, tuple[object, Node, int]]
    )
    """Parts of many items by id: each, kept so that its id stays its own, its node, its items."""
    repeats: Repeats = field(default_factory=Repeats)

    def node(self, value: Any) -> Node:
        """The value as a node. Raises `Unsuited`, or `ValueNotStorable` for what never can be."""
        kind = class_of(value)
        if value is None or kind is bool:
            return value
        if kind is str and _is_encodable(value):
            return value
        if kind is int and -(2**63) <= value < 2**64:
            return value
        if kind is float and value - value == 0:  # finite
            return value
        known = self.known.get(id(value))
        if known is not None:
            self.count += known[2]
            self.repeats.add(known[2])
            return known[1]
        return self._new_node(kind, value)

    def _new_node(self, kind: type, value: Any) -> Node:
        before = self.count
        self.count += 1 + (len(value) if kind in _BUILTIN_CONTAINERS else 0)
        self._enter(value)
        try:
            node = self._open_node(kind, value)
        finally:
            del self.open[id(value)]
        if self.count - before > SMALL:
            self.known[id(value)] = (value, node, self.count - before)
        return node

    def tagged(self, tag: str, node: Node) -> Node:
        """A node of another kind than JSON's own."""
        return {TAG: tag, "v": node}

    def class_name(self, kind: type) -> str:
        """A class, as another process finds it. Raises `Unsuited` where it would not."""
        name = reference(kind, self.resolve)
        if name is None:
            raise Unsuited
        self.needs_trust = True
        return name

    def _open_node(self, kind: type, value: Any) -> Node:
        if kind is list:
            return [self.node(item) for item in value]
        if kind is dict and TAG not in value and all(map(_is_plain_key, value)):
            return {key: self.node(item) for key, item in value.items()}
        shape = _shapes().get(kind)
        if shape is not None:
            return {TAG: shape.tag, "v": shape.write(self, value)}
        reason = refusal(kind)
        if reason:
            raise not_storable(self.root, value, reason)
        return _write_instance()(self, value)

    def _enter(self, value: object) -> None:
        if id(value) in self.open:
            # Objects that know their parents are for pickle. A list inside itself equals
            # nothing, not even itself: comparing it never ends.
            inside = list(self.open.values())
            first = next(at for at, outer in enumerate(inside) if outer is value)
            if all(type(outer) in _BUILTIN_CONTAINERS for outer in inside[first:]):
                raise not_storable(self.root, value, "it contains itself")
            raise Unsuited
        if len(self.open) >= MOST_LEVELS:
            raise Unsuited
        self.open[id(value)] = value


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_plain_key(key: object) -> bool:
    return type(key) is str and _is_encodable(key)


def write_tree(value: object, resolve: Resolve) -> Encoded:
    """The value under codec `data`. Raises `Unsuited` or `ValueNotStorable`."""
    writer = Writer(value, resolve)
    try:
        payload = encode_node(writer.node(value))
    except RecursionError:
        raise Unsuited from None
    except RuntimeError as error:
        reason = f"it was being changed while it was written down ({error})"
        raise ValueNotStorable(type_name(value), reason) from error
    return Encoded("data", payload, writer.needs_trust)


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns a tree back into the value."""

    resolve: Resolve
    is_trusted: bool

    def value(self, node: Node) -> Any:
        """What the node stands for."""
        kind = class_of(node)
        if kind is list:
            return [self.value(item) for item in node]
        if kind is not dict:
            return node
        tag = node.get(TAG)
        if tag is None:
            return {key: self.value(item) for key, item in node.items()}
        read = _reads().get(tag)
        if read is None:
            raise ValueUnreadable(
                f"a stored value has a part of kind {tag!r}, which this version of stepwell "
                "does not know. Install the version that wrote it, or run the step again"
            )
        return read(self, node["v"])

    def find(self, name: str) -> type:
        """The class a reference names; see `find_class`."""
        return find_class(name, self.resolve, is_trusted=self.is_trusted)


def read_tree(payload: bytes, resolve: Resolve, *, is_trusted: bool) -> Any:
    """The value that `write_tree` was given. Raises `ValueUnreadable` or `ValueNotTrusted`."""
    return Reader(resolve, is_trusted).value(msgspec.json.decode(payload))
