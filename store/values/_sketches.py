"""Arrays and tables in a line: shape, columns, types."""

from typing import Any

from stepwell.store.values._libraries import library_of
from stepwell.store.values._names import class_of

__all__ = ["sketch_of_table"]

_TIMES = "\N{MULTIPLICATION SIGN}"
_MOST_COLUMNS = 24
_MOST_ITEMS = 6


def sketch_of_table(value: Any) -> str:
    """Rows, columns and their types of a table; the name of what has none."""
    kind = class_of(value)
    name, library = kind.__name__, library_of(kind)
    if library == "numpy":
        return _array(value) if hasattr(value, "ndim") else name
    if name in ("DataFrame", "Table", "RecordBatch"):
        return _frame(name, value, library)
    if name == "Series" or name.endswith("Index"):
        label = f" {_label(value.name)}" if getattr(value, "name", None) is not None else ""
        return f"{name}{label} {len(value):,} {_TIMES} {value.dtype}"
    if name in ("Timestamp", "Timedelta"):
        return f'"{value.isoformat()}"'
    return {"NAType": "NA", "NaTType": "NaT"}.get(name, f"{library}.{name}")


def _frame(name: str, value: Any, library: str) -> str:
    rows, columns = value.shape
    if library == "pyarrow":
        named = [(field.name, field.type) for field in list(value.schema)[:_MOST_COLUMNS]]
    else:
        named = list(zip(value.columns[:_MOST_COLUMNS], value.dtypes[:_MOST_COLUMNS], strict=False))
    listed = ", ".join(f"{_label(label)} {dtype}" for label, dtype in named)
    more = ", …" if columns > _MOST_COLUMNS else ""
    return f"{name} {_count(rows, 'row')} {_TIMES} {_count(columns, 'column')}: {listed}{more}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _label(label: object) -> str:
    return str(label)[:40] if type(label) in (str, int, float, tuple) else type(label).__name__


def _array(value: Any) -> str:
    if value.ndim == 0:
        return f"object {type(value).__name__}" if value.dtype.hasobject else str(value)
    shape = _TIMES.join(f"{side:,}" for side in value.shape)
    if value.dtype.hasobject or value.dtype.names:
        return f"array {shape} {value.dtype}"[:120]
    first = ", ".join(str(item) for item in value.flat[:_MOST_ITEMS])
    more = ", …" if value.size > _MOST_ITEMS else ""
    return f"array {shape} {value.dtype}: {first}{more}"
