"""pandas frames, series and indexes over Arrow, and only where nothing is lost.

pandas can hold more than Arrow can say: mixed objects in a column, odd names, lists. So what
was written is read back and compared before it counts; what is not the same goes to pickle.
"""

import json
from decimal import Decimal
from typing import Any

import msgspec

from stepwell.store.values._arrow import read_stream, write_stream
from stepwell.store.values._encoded import Unsuited, nothing
from stepwell.store.values._libraries import library
from stepwell.store.values._tree import Reader, Writer, encode_node

__all__ = ["read_pandas", "write_pandas"]

_OURS = b"stepwell"
_PANDAS = b"pandas"
_VALUES = "values"
_UNSURE = (list, dict, tuple, set)  # equal, and yet of other types inside


def write_pandas(value: Any) -> bytes:
    """The value as an Arrow stream. Raises `Unsuited` if reading it back is not the same."""
    try:
        pa = library("pyarrow")
    except ImportError:
        raise Unsuited from None
    kind, frame = _framed(value)
    if not _has_plain_names(frame):
        raise Unsuited
    extras = _extras(value, frame)
    frame.attrs = {}
    try:
        table = pa.Table.from_pandas(frame)
    # Arrow says no in many ways: its own errors, TypeError, KeyError, NotImplementedError.
    except Exception as error:
        raise Unsuited from error
    payload = write_stream(table.replace_schema_metadata(_metadata(table, extras)))
    try:
        back = read_pandas(kind, payload)
    except Exception as error:
        raise Unsuited from error
    if not _is_same(value, back):
        raise Unsuited
    return payload


def _framed(value: Any) -> tuple[str, Any]:
    pd = library("pandas")

    if type(value) is pd.DataFrame:
        return "DataFrame", value.copy(deep=False)
    if type(value) is pd.Series:
        return "Series", pd.DataFrame({_VALUES: value}, index=value.index, copy=False)
    # Rows need a column to be counted by.
    return "Index", pd.DataFrame({_VALUES: False}, index=value)


def _has_plain_names(frame: Any) -> bool:
    # Arrow would turn other names into text, and warn.
    mixed = any(level.inferred_type.startswith("mixed") for level in _levels(frame.columns))
    return not mixed and all(name is None or type(name) is str for name in frame.index.names)


def _levels(index: Any) -> list[Any]:
    return list(getattr(index, "levels", [index]))


def _extras(value: Any, frame: Any) -> dict[str, Any]:
    """What pandas knows and Arrow's own notes about it leave out."""
    found = {
        "freq": getattr(frame.index, "freqstr", None),
        "attrs": getattr(value, "attrs", None) or None,
        "name": value.name if type(value).__name__ == "Series" else None,
    }
    return {key: item for key, item in found.items() if item is not None}


def _metadata(table: Any, extras: dict[str, Any]) -> dict[bytes, bytes]:
    writer = Writer(extras, nothing)
    node = writer.node(extras)
    if writer.needs_trust:
        raise Unsuited
    notes = json.loads(table.schema.metadata[_PANDAS])
    # Equal frames have equal bytes also after an upgrade of either library.
    notes.pop("creator", None)
    notes["pandas_version"] = "2"
    return {_PANDAS: json.dumps(notes).encode(), _OURS: encode_node(node)}


def read_pandas(kind: str, payload: bytes) -> Any:
    """What `write_pandas` was given."""
    table = read_stream(payload)
    node = msgspec.json.decode(table.schema.metadata[_OURS])
    extras: dict[str, Any] = Reader(nothing, is_trusted=False).value(node)
    frame = table.to_pandas()
    if "freq" in extras:
        frame.index.freq = extras["freq"]
    if kind == "Index":
        return frame.index
    made = frame
    if kind == "Series":
        made = frame[_VALUES]
        made.name = extras.get("name")
    made.attrs = extras.get("attrs", {})
    return made


def _is_same(value: Any, back: Any) -> bool:
    testing = library("pandas.testing")

    if type(value) is not type(back):
        return False
    name = type(value).__name__
    compare = {"DataFrame": testing.assert_frame_equal, "Series": testing.assert_series_equal}
    try:
        if name in compare:
            compare[name](value, back, check_exact=True, check_index_type=True)
            same = _same_attrs(value.attrs, back.attrs)
        else:
            testing.assert_index_equal(value, back, exact=True, check_exact=True)
            same = getattr(value, "freq", None) == getattr(back, "freq", None)
    # A comparison that itself fails has not shown that they are equal.
    except Exception:
        return False
    pairs = zip(_object_arrays(value), _object_arrays(back), strict=True)
    return same and all(_same_objects(ours, theirs) for ours, theirs in pairs)


def _same_attrs(ours: dict[Any, Any], theirs: dict[Any, Any]) -> bool:
    return bool(ours == theirs)


def _object_arrays(value: Any) -> list[Any]:
    """Everything in it that holds Python objects, where equal does not mean of the same type."""
    name = type(value).__name__
    axes = [value] if name.endswith("Index") else [value.index]
    columns: list[Any] = []
    if name == "DataFrame":
        axes.append(value.columns)
        columns = [value.iloc[:, at] for at in range(value.shape[1])]
    elif name == "Series":
        columns = [value]
    levels = [level for axis in axes for level in _levels(axis)]
    # The categories of a categorical are an index of their own.
    all_of_them = [*levels, *columns]
    inner = [getattr(one.dtype, "categories", None) for one in all_of_them]
    held = [one for one in (*all_of_them, *inner) if one is not None and one.dtype == object]
    return [one.to_numpy() for one in held]


def _same_objects(ours: Any, theirs: Any) -> bool:
    # Lists come back as arrays, None as NaN, True from numpy's: equal for pandas, not for us.
    for one, other in zip(ours, theirs, strict=True):
        if type(one) is not type(other):
            return False
        if one is not other and not (one == other or one != one):  # noqa: PLR0124 - NaN
            return False
        if isinstance(one, _UNSURE) or (isinstance(one, Decimal) and str(one) != str(other)):
            return False
    return True
