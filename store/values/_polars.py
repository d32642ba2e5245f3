"""polars frames and series in polars' own Arrow files: no pyarrow needed."""

import io
from typing import Any

from stepwell.store.values._encoded import Unsuited
from stepwell.store.values._libraries import library

__all__ = ["read_polars", "write_polars"]

_FEW = 64


def write_polars(value: Any) -> bytes:
    """The frame or series as an Arrow file of one batch. Raises `Unsuited` for object columns."""
    pl = library("polars")

    frame = value.to_frame() if isinstance(value, pl.Series) else value
    if any(dtype.base_type() is pl.Object for dtype in frame.dtypes):
        raise Unsuited
    buffer = io.BytesIO()
    try:
        settled = pl.DataFrame([_settled(column) for column in frame.get_columns()])
        # Strings the older way: polars' own views of them depend on where they came from.
        layout = pl.CompatLevel.oldest()
        settled.rechunk().write_ipc(buffer, compression="uncompressed", compat_level=layout)
    except pl.exceptions.PolarsError as error:
        raise Unsuited from error
    return buffer.getvalue()


def _settled(column: Any) -> Any:
    """The column without what lies under its gaps: equal columns are to give equal bytes."""
    pl = library("polars")

    if len(column) <= _FEW:
        if column.null_count() or column.dtype == pl.Boolean:
            # So short a bitmap keeps whatever stood behind its last bit.
            rebuilt = pl.Series(column.name, column.to_list(), dtype=column.dtype)
            return rebuilt if rebuilt.equals(column, null_equal=True) else column
        return column
    if not column.null_count():
        return column
    present = column.is_not_null()
    at = pl.select(pl.when(present).then(present.cum_sum() - 1)).to_series()
    return column.drop_nulls().to_frame().select(pl.all().gather(at)).to_series()


def read_polars(kind: str, payload: bytes) -> Any:
    """What `write_polars` was given."""
    pl = library("polars")

    frame = pl.read_ipc(io.BytesIO(payload))
    return frame.to_series(0) if kind == "Series" else frame
