"""Single values of numpy and pandas, as parts of a tree."""

from typing import Any

from stepwell.store.values._encoded import Unsuited
from stepwell.store.values._libraries import library
from stepwell.store.values._names import class_of
from stepwell.store.values._tree import Node, Read, Reader, Writer

__all__ = ["SCALAR_READS", "write_scalar"]

_PLAIN_KINDS = "biufcUS"
_LONG = "gG"  # long doubles


def write_scalar(writer: Writer, value: Any) -> Node:
    """A numpy scalar, or a moment or a gap of pandas. Raises `Unsuited` for anything else."""
    name = type(value).__name__
    if type(value).__module__.startswith("numpy"):
        return writer.tagged("numpy", _write_numpy(writer, value))
    if name in ("NAType", "NaTType"):
        return writer.tagged("pandas", [name, None])
    if name == "Timestamp":
        moment = value.asm8
        return writer.tagged("pandas", [name, _write_numpy(writer, moment), _zone(writer, value)])
    if name == "Timedelta":
        return writer.tagged("pandas", [name, _write_numpy(writer, value.asm8)])
    raise Unsuited


def _zone(writer: Writer, value: Any) -> Node:
    return writer.node(value.tzinfo)


def _write_numpy(writer: Writer, value: Any) -> Node:
    np = library("numpy")

    kind = class_of(value)
    if not issubclass(kind, np.generic) or kind.__module__ != "numpy":
        raise Unsuited
    dtype = value.dtype
    if dtype.kind in "mM":
        return [dtype.str, int(value.view("i8"))]
    # What Python has no type for would be rounded; records have padding that is not theirs.
    if dtype.kind not in _PLAIN_KINDS or dtype.char in _LONG:
        raise Unsuited
    return [dtype.str, writer.node(value.item())]


def _read_numpy(reader: Reader, node: Node) -> Any:
    np = library("numpy")

    text, item = node
    dtype = np.dtype(text)
    if dtype.kind in "mM":
        return np.array(item, "i8").view(dtype)[()]
    return dtype.type(reader.value(item))


def _read_pandas(reader: Reader, node: Node) -> Any:
    pd = library("pandas")

    name, content, *zone = node
    if name == "NAType":
        return pd.NA
    if name == "NaTType":
        return pd.NaT
    if name == "Timedelta":
        return pd.Timedelta(_read_numpy(reader, content))
    moment = pd.Timestamp(_read_numpy(reader, content))
    where = reader.value(zone[0])
    return moment if where is None else moment.tz_localize("UTC").tz_convert(where)


SCALAR_READS: dict[str, Read] = {"numpy": _read_numpy, "pandas": _read_pandas}
