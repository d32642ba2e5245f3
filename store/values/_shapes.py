"""How the types of the standard library are written in a tree and read back."""

from base64 import b64decode, b64encode
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from stepwell.errors import ValueNotTrusted
from stepwell.store.values._encoded import Unsuited
from stepwell.store.values._tree import Node, Reader, Shape, Writer, encode_node

__all__ = ["SHAPES"]

# Beyond this, decimal digits are slow to read back, and beyond 4300 the interpreter refuses.
_MOST_DECIMAL_BITS = 2048


def _write_int(_: Writer, value: int) -> Node:
    return str(value) if value.bit_length() <= _MOST_DECIMAL_BITS else hex(value)


def _read_int(_: Reader, node: Node) -> int:
    return int(node, 0)


def _write_float(_: Writer, value: float) -> Node:
    return repr(value)


def _read_float(_: Reader, node: Node) -> float:
    return float(node)


def _write_str(_: Writer, value: str) -> Node:
    return _base64(value.encode("utf-8", "surrogatepass"))


def _read_str(_: Reader, node: Node) -> str:
    return b64decode(node).decode("utf-8", "surrogatepass")


def _base64(value: Any) -> str:
    return b64encode(value).decode("ascii")


def _write_bytes(_: Writer, value: bytes | bytearray) -> Node:
    return _base64(value)


def _read_bytes(_: Reader, node: Node) -> bytes:
    return b64decode(node)


def _read_bytearray(_: Reader, node: Node) -> bytearray:
    return bytearray(b64decode(node))


def _write_complex(writer: Writer, value: complex) -> Node:
    return [writer.node(value.real), writer.node(value.imag)]


def _read_complex(reader: Reader, node: Node) -> complex:
    return complex(*_read_items(reader, node))


def _write_items(writer: Writer, value: Any) -> Node:
    return [writer.node(item) for item in value]


def _read_items(reader: Reader, node: Node) -> list[Any]:
    return [reader.value(item) for item in node]


def _read_tuple(reader: Reader, node: Node) -> tuple[Any, ...]:
    return tuple(_read_items(reader, node))


def _write_set(writer: Writer, value: Any) -> Node:
    # Sorted by encoding: the order of a set differs from process to process.
    return sorted((writer.node(item) for item in value), key=encode_node)


def _read_set(reader: Reader, node: Node) -> set[Any]:
    return set(_read_items(reader, node))


def _read_frozenset(reader: Reader, node: Node) -> frozenset[Any]:
    return frozenset(_read_items(reader, node))


def _write_pairs(writer: Writer, value: Any) -> Node:
    return [[writer.node(key), writer.node(item)] for key, item in value.items()]


def _read_pairs(reader: Reader, node: Node) -> dict[Any, Any]:
    return {reader.value(key): reader.value(item) for key, item in node}


def _write_named_dict(writer: Writer, value: Any) -> Node:
    if vars(value):
        raise Unsuited  # somebody hung attributes on it
    return _write_pairs(writer, value)


def _read_ordered_dict(reader: Reader, node: Node) -> OrderedDict[Any, Any]:
    return OrderedDict(_read_pairs(reader, node))


def _read_counter(reader: Reader, node: Node) -> Counter[Any]:
    return Counter(_read_pairs(reader, node))


def _write_defaultdict(writer: Writer, value: defaultdict[Any, Any]) -> Node:
    factory = value.default_factory
    if factory is not None and not isinstance(factory, type):
        raise Unsuited
    name = None
    if factory is not None:
        trusted_before = writer.needs_trust
        name = writer.class_name(factory)
        if factory.__module__ == "builtins":
            writer.needs_trust = trusted_before
    return [name, _write_pairs(writer, value)]


def _read_defaultdict(reader: Reader, node: Node) -> defaultdict[Any, Any]:
    name, pairs = node
    if name is not None and not name.startswith("builtins:") and not reader.is_trusted:
        # A factory is called later, by whoever reads a missing key.
        raise ValueNotTrusted(f"it would call {name!r} for missing keys", name=name)
    return defaultdict(name and reader.find(name), _read_pairs(reader, pairs))


def _write_deque(writer: Writer, value: deque[Any]) -> Node:
    return [value.maxlen, _write_items(writer, value)]


def _read_deque(reader: Reader, node: Node) -> deque[Any]:
    return deque(_read_items(reader, node[1]), node[0])


def _write_text(_: Writer, value: Any) -> Node:
    return str(value)


def _write_moment(writer: Writer, value: datetime | time) -> Node:
    naive = value.replace(tzinfo=None, fold=0)
    if value.tzinfo is None and not value.fold:
        return naive.isoformat()
    return [naive.isoformat(), writer.node(value.tzinfo), value.fold]


def _read_datetime(reader: Reader, node: Node) -> datetime:
    text, zone, fold = (node, None, 0) if isinstance(node, str) else node
    return datetime.fromisoformat(text).replace(tzinfo=reader.value(zone), fold=fold)


def _read_time(reader: Reader, node: Node) -> time:
    text, zone, fold = (node, None, 0) if isinstance(node, str) else node
    return time.fromisoformat(text).replace(tzinfo=reader.value(zone), fold=fold)


def _write_timedelta(_: Writer, value: timedelta) -> Node:
    return [value.days, value.seconds, value.microseconds]


def _read_timedelta(_: Reader, node: Node) -> timedelta:
    return timedelta(*node)


def _write_timezone(writer: Writer, value: timezone) -> Node:
    offset = value.utcoffset(None)
    has_own_name = timezone(offset).tzname(None) != value.tzname(None)
    name = value.tzname(None) if has_own_name else None
    return [_write_timedelta(writer, offset), writer.node(name)]


def _read_timezone(reader: Reader, node: Node) -> timezone:
    offset, name = timedelta(*node[0]), reader.value(node[1])
    return timezone(offset) if name is None else timezone(offset, name)


def _write_zone(_: Writer, value: ZoneInfo) -> Node:
    if value.key is None:  # pyright: ignore[reportUnnecessaryComparison]  # made from a file
        raise Unsuited
    return value.key


def _write_fraction(writer: Writer, value: Fraction) -> Node:
    return [writer.node(value.numerator), writer.node(value.denominator)]


def _read_fraction(reader: Reader, node: Node) -> Fraction:
    return Fraction(*_read_items(reader, node))


def _write_path(writer: Writer, value: PurePath) -> Node:
    return writer.node(str(value))


def _path(kind: type[PurePath]) -> Shape:
    def read(reader: Reader, node: Node) -> PurePath:
        return kind(reader.value(node))

    return Shape(kind.__name__, kind, _write_path, read)


def _write_range(writer: Writer, value: range | slice) -> Node:
    return [writer.node(value.start), writer.node(value.stop), writer.node(value.step)]


def _read_range(reader: Reader, node: Node) -> range:
    return range(*_read_items(reader, node))


def _read_slice(reader: Reader, node: Node) -> slice:
    return slice(*_read_items(reader, node))


def _write_nothing(_: Writer, value: object) -> Node:
    return None


SHAPES: tuple[Shape, ...] = (
    Shape("int", int, _write_int, _read_int),
    Shape("float", float, _write_float, _read_float),
    Shape("str", str, _write_str, _read_str),
    Shape("bytes", bytes, _write_bytes, _read_bytes),
    Shape("bytearray", bytearray, _write_bytes, _read_bytearray),
    Shape("complex", complex, _write_complex, _read_complex),
    Shape("ellipsis", type(...), _write_nothing, lambda _, node: ...),
    Shape("tuple", tuple, _write_items, _read_tuple),
    Shape("set", set, _write_set, _read_set),
    Shape("frozenset", frozenset, _write_set, _read_frozenset),
    Shape("dict", dict, _write_pairs, _read_pairs),
    Shape("OrderedDict", OrderedDict, _write_named_dict, _read_ordered_dict),
    Shape("Counter", Counter, _write_named_dict, _read_counter),
    Shape("defaultdict", defaultdict, _write_defaultdict, _read_defaultdict),
    Shape("deque", deque, _write_deque, _read_deque),
    Shape("date", date, _write_text, lambda _, node: date.fromisoformat(node)),
    Shape("datetime", datetime, _write_moment, _read_datetime),
    Shape("time", time, _write_moment, _read_time),
    Shape("timedelta", timedelta, _write_timedelta, _read_timedelta),
    Shape("timezone", timezone, _write_timezone, _read_timezone),
    Shape("ZoneInfo", ZoneInfo, _write_zone, lambda _, node: ZoneInfo(node)),
    Shape("Decimal", Decimal, _write_text, lambda _, node: Decimal(node)),
    Shape("Fraction", Fraction, _write_fraction, _read_fraction),
    Shape("UUID", UUID, _write_text, lambda _, node: UUID(node)),
    _path(PosixPath),
    _path(WindowsPath),
    _path(PurePosixPath),
    _path(PureWindowsPath),
    Shape("range", range, _write_range, _read_range),
    Shape("slice", slice, _write_range, _read_slice),
)
