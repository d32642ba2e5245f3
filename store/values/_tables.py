"""Arrays and tables: which codec writes which class, alone or inside a tree.

Nothing is loaded that the value did not bring along: a DataFrame is there only if pandas is.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from stepwell.store.values._encoded import Encoded
from stepwell.store.values._libraries import library_of
from stepwell.store.values._names import class_of
from stepwell.store.values._scalars import SCALAR_READS, write_scalar
from stepwell.store.values._tree import Node, Read, Reader, Writer

__all__ = ["TABLE_READS", "decode_table", "encode_table", "is_table", "write_table"]

_INDEXES = "Index RangeIndex MultiIndex DatetimeIndex TimedeltaIndex PeriodIndex CategoricalIndex"
_KINDS = {
    "numpy": {"ndarray"},
    "pandas": {"DataFrame", "Series", "IntervalIndex", *_INDEXES.split()},
    "polars": {"DataFrame", "Series"},
    "pyarrow": {"Table", "RecordBatch"},
}


def is_table(kind: type) -> bool:
    """Whether values of this exact class go under `npy` or `arrow`, if they can."""
    return kind.__name__ in _KINDS.get(library_of(kind), ())


def encode_table(value: Any) -> Encoded:
    """An array or table in a codec of its own. Raises `Unsuited`."""
    kind = class_of(value)
    library, name = library_of(kind), kind.__name__
    if library == "numpy":
        from stepwell.store.values._arrays import write_array

        return Encoded("npy", write_array(value))
    if library == "pandas":
        from stepwell.store.values._pandas import write_pandas

        noun = name if name in ("DataFrame", "Series") else "Index"
        return Encoded(f"arrow:pandas.{noun}", write_pandas(value))
    if library == "polars":
        from stepwell.store.values._polars import write_polars

        return Encoded(f"arrow:polars.{name}", write_polars(value))
    from stepwell.store.values._arrow import write_arrow

    return Encoded(f"arrow:pyarrow.{name}", write_arrow(value))


def decode_table(codec: str, payload: bytes) -> Any:
    """The array or table that `encode_table` was given. Runs nothing of the payload's."""
    if codec == "npy":
        from stepwell.store.values._arrays import read_array

        return read_array(payload)
    return _reader_of(codec)(codec.rpartition(".")[2], payload)


def _reader_of(codec: str) -> Callable[[str, bytes], Any]:
    library = codec.partition(":")[2].partition(".")[0]
    if library == "pandas":
        from stepwell.store.values._pandas import read_pandas

        return read_pandas
    if library == "polars":
        from stepwell.store.values._polars import read_polars

        return read_polars
    from stepwell.store.values._arrow import read_arrow

    return read_arrow


def write_table(writer: Writer, value: Any) -> Node:
    """An array, a table or a scalar as part of a tree. Raises `Unsuited`."""
    kind = class_of(value)
    if not is_table(kind):
        return write_scalar(writer, value)
    encoded = encode_table(value)
    return writer.tagged("table", [encoded.codec, b64encode(encoded.payload).decode("ascii")])


def _read_table(_: Reader, node: Node) -> Any:
    codec, text = node
    return decode_table(codec, b64decode(text))


TABLE_READS: dict[str, Read] = {"table": _read_table, **SCALAR_READS}
