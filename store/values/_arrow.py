"""pyarrow tables as Arrow IPC streams whose bytes depend on the values alone."""

from typing import Any

from stepwell.store.values._encoded import Unsuited
from stepwell.store.values._libraries import library

__all__ = ["read_arrow", "read_stream", "write_arrow", "write_stream"]


def write_stream(table: Any) -> bytes:
    """A table as one batch. Equal tables give equal bytes, however they were put together."""
    pa = library("pyarrow")

    try:
        settled = pa.table(
            [_settled(column) for column in table.combine_chunks().columns], schema=table.schema
        )
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, settled.schema) as stream:
            if settled.num_rows:
                stream.write_table(settled)
    except (pa.ArrowException, NotImplementedError) as error:
        raise Unsuited from error
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _settled(column: Any) -> Any:
    """The column without what lies under its gaps and behind its last bit."""
    pa = library("pyarrow")
    compute = library("pyarrow.compute")

    is_bits = pa.types.is_boolean(column.type)
    if not (column.null_count or is_bits) or not len(column):
        return column
    # Taking every row writes a new column, with zeros where there is no value.
    rows = compute.indices_nonzero(pa.repeat(True, len(column)))
    try:
        return column.take(rows)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return column  # an extension type that cannot be taken from


def read_stream(payload: bytes) -> Any:
    """The table that `write_stream` was given."""
    pa = library("pyarrow")

    with pa.ipc.open_stream(pa.py_buffer(payload)) as stream:
        return stream.read_all()


def write_arrow(value: Any) -> bytes:
    """A `Table` or `RecordBatch`."""
    pa = library("pyarrow")

    table = value if isinstance(value, pa.Table) else pa.Table.from_batches([value])
    return write_stream(table)


def read_arrow(kind: str, payload: bytes) -> Any:
    """What `write_arrow` was given."""
    pa = library("pyarrow")

    table = read_stream(payload)
    if kind == "Table":
        return table
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
