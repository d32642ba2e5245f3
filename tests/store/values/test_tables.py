"""Arrays and tables come back with everything that makes them what they are."""

import datetime
import decimal
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pandas import testing

from stepwell.errors import ValueNotStorable
from stepwell.store.values import Signer, Trust, decode, digest_value, encode, is_immutable

RunProgram = Callable[..., str]
pa: Any = import_module("pyarrow")  # untyped
SOMEBODY = Signer(b"somebody's key, 32 bytes or more")
DAYS = pd.date_range("2024-03-30", periods=3, tz="Europe/Berlin", name="day")


def with_attrs() -> Any:
    """Make a frame with notes that JSON would change."""
    frame = pd.DataFrame({"a": [1]})
    frame.attrs = {"source": ("web", 1)}
    return frame


def objects(*items: object) -> Any:
    """Make a frame with one column of Python objects."""
    return pd.DataFrame({"o": pd.Series(list(items), dtype=object)})


FRAMES: dict[str, Callable[[], Any]] = {
    "plain": lambda: pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, np.nan]}),
    "categorical": lambda: pd.DataFrame(
        {"c": pd.Categorical(["a", None], categories=["b", "a", "z"], ordered=True)}
    ),
    "time zone": lambda: pd.DataFrame({"t": DAYS}, index=DAYS),
    "frequency": lambda: pd.DataFrame({"v": [1, 2]}, index=pd.date_range("2024", periods=2)),
    "nullable": lambda: pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "b": pd.array([True, None], dtype="boolean"),
            "s": pd.array(["a", None], dtype="string"),
            "f": pd.array([1.5, None], dtype="Float32"),
        }
    ),
    "arrow type": lambda: pd.DataFrame({"p": pd.array([1, None], dtype="int64[pyarrow]")}),
    "multi index": lambda: pd.DataFrame(
        {"v": range(4)}, index=pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", None])
    ),
    "multi columns": lambda: pd.DataFrame(
        np.eye(2), columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    ),
    "numbered columns": lambda: pd.DataFrame(np.eye(2)),
    "gaps in the index": lambda: pd.DataFrame({"a": [1, 2]}, index=[5, 7]),
    "notes": with_attrs,
    "period": lambda: pd.DataFrame({"p": pd.period_range("2024", periods=2, freq="M")}),
    "interval": lambda: pd.DataFrame({"p": pd.interval_range(0, 2)}),
    "duration": lambda: pd.DataFrame({"p": pd.to_timedelta([1, 2], unit="s")}),
    "dates": lambda: objects(datetime.date(2020, 1, 1), None),
    "half": lambda: pd.DataFrame({"h": np.array([1, 2], "f2")}),
    "empty": pd.DataFrame,
    "no rows": lambda: pd.DataFrame({"a": pd.Series([], dtype="int8")}),
}
FRAMES_FOR_PICKLE: dict[str, Callable[[], Any]] = {
    "mixed": lambda: objects(1, "a", None),
    "lists": lambda: objects([1], [2, 3]),
    "dicts": lambda: objects({"a": 1}, {"b": 2}),
    "nan and none": lambda: objects(np.nan, None, "x"),
    "decimals": lambda: objects(decimal.Decimal("1.0"), decimal.Decimal("2.00")),
    "twice the name": lambda: pd.DataFrame(np.eye(2), columns=["a", "a"]),
    "mixed names": lambda: pd.DataFrame(np.eye(2), columns=["a", 1]),
    "numbered index name": lambda: pd.DataFrame({"a": [1]}, index=pd.Index([1], name=0)),
    "complex": lambda: pd.DataFrame({"p": [1j, 2]}),
    "sparse": lambda: pd.DataFrame({"p": pd.arrays.SparseArray([0, 0, 1])}),
    "no columns": lambda: pd.DataFrame(index=range(5)),
}
SERIES: dict[str, Callable[[], Any]] = {
    "named": lambda: pd.Series([1, 2], name="n"),
    "unnamed": lambda: pd.Series([1.0, 2.0], index=["a", "b"]),
    "odd name": lambda: pd.Series([1, 2], name=("a", 1)),
    "category": lambda: pd.Series(["a", "b"], dtype="category"),
}
INDEXES: dict[str, Callable[[], Any]] = {
    "numbers": lambda: pd.Index([1, 2, 3]),
    "range": lambda: pd.RangeIndex(2, 9, 3, name="q"),
    "days": lambda: DAYS,
    "multi": lambda: pd.MultiIndex.from_product([[1], ["a"]]),
    "words": lambda: pd.Index(["a", "b"], name="z"),
    "category": lambda: pd.CategoricalIndex(["a"]),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_travel_as_arrow(name: str) -> None:
    """A frame keeps columns, index, types, time zones, categories, frequency and notes."""
    frame = FRAMES[name]()
    blob = encode(frame)
    back = decode(blob)
    assert blob.codec == "arrow:pandas.DataFrame"
    testing.assert_frame_equal(back, frame, check_exact=True, check_index_type=True)
    assert back.attrs == frame.attrs
    assert digest_value(back) == blob.digest


@pytest.mark.parametrize("name", FRAMES_FOR_PICKLE)
def test_frames_that_arrow_would_change_are_pickled(name: str) -> None:
    """Where Arrow would lose something of a frame, nothing is lost."""
    frame = FRAMES_FOR_PICKLE[name]()
    blob = encode(frame, signer=SOMEBODY)
    back = decode(blob, trust=Trust(SOMEBODY))
    assert blob.codec == "pickle"
    testing.assert_frame_equal(back, frame, check_exact=True)


WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
import pandas as pd
from stepwell.store.values import Signer, Trust, decode, encode
signer = Signer(b"k" * 32)
frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
blob = encode(frame, signer=signer)
pd.testing.assert_frame_equal(decode(blob, trust=Trust(signer)), frame)
print(blob.codec, encode(frame.index).codec)
"""


def test_a_frame_without_pyarrow_is_pickled(run_program: RunProgram) -> None:
    """Frames can be stored where pyarrow is not installed."""
    assert run_program(WITHOUT_PYARROW).split() == ["pickle", "pickle"]


def test_a_restored_frame_can_be_changed() -> None:
    """What comes back belongs to the reader."""
    frame = decode(encode(FRAMES["plain"]()))
    frame.loc[0, "a"] = 9
    frame["d"] = 1
    array = decode(encode(np.zeros(2)))
    array[0] = 1
    assert (frame.a[0], array[0]) == (9, 1)


@pytest.mark.parametrize("name", SERIES)
def test_series_come_back(name: str) -> None:
    """A series keeps its name, whatever it is, and its index."""
    series = SERIES[name]()
    back = decode(encode(series))
    testing.assert_series_equal(back, series)
    assert type(back.name) is type(series.name)


@pytest.mark.parametrize("name", INDEXES)
def test_indexes_come_back(name: str) -> None:
    """An index alone keeps its kind and its names."""
    index = INDEXES[name]()
    back = decode(encode(index))
    testing.assert_index_equal(back, index, exact=True)
    assert getattr(back, "freq", None) == getattr(index, "freq", None)


POLARS: dict[str, Callable[[], Any]] = {
    "plain": lambda: pl.DataFrame({"a": [1, None], "b": ["x", None], "c": [[1], [2, 3]]}),
    "categorical": lambda: pl.DataFrame({"c": ["a", "b"]}, schema={"c": pl.Categorical}),
    "enum": lambda: pl.DataFrame({"c": ["a"]}, schema={"c": pl.Enum(["b", "a"])}),
    "struct": lambda: pl.DataFrame({"s": [{"a": 1}, None]}),
    "nanoseconds": lambda: pl.DataFrame({"t": pl.Series([1, None], dtype=pl.Datetime("ns"))}),
    "decimal": lambda: pl.DataFrame({"d": [decimal.Decimal("1.50")]}),
    "empty": pl.DataFrame,
    "series": lambda: pl.Series("x", [True, None]),
}


@pytest.mark.parametrize("name", POLARS)
def test_polars_comes_back(name: str) -> None:
    """Frames and series of polars keep their schema."""
    value = POLARS[name]()
    back = decode(encode(value))
    assert type(back) is type(value)
    assert back.equals(value, null_equal=True)
    assert getattr(back, "schema", None) == getattr(value, "schema", None)


def test_a_lazy_frame_is_to_be_collected() -> None:
    """A query is not stored in place of its result."""
    with pytest.raises(ValueNotStorable, match=r"\['q'\].*LazyFrame.*collect"):
        encode({"q": pl.LazyFrame({"a": [1]})})


ARROW: dict[str, Callable[[], Any]] = {
    "table": lambda: pa.table({"a": [1, None]}).replace_schema_metadata({"k": "v"}),
    "batch": lambda: pa.record_batch({"a": ["x"]}),
    "no rows": lambda: pa.record_batch({"a": pa.array([], pa.int8())}),
}


@pytest.mark.parametrize("name", ARROW)
def test_arrow_comes_back(name: str) -> None:
    """Tables and batches keep their schema and its notes."""
    value = ARROW[name]()
    back = decode(encode(value))
    assert type(back) is type(value)
    assert back.equals(value, check_metadata=True)


ALIKE: dict[str, Callable[[], tuple[Any, Any]]] = {
    "chunks": lambda: (pa.table({"a": pa.chunked_array([[1], [2]])}), pa.table({"a": [1, 2]})),
    "slices": lambda: (pa.table({"a": [0, None, 2, 3]})[1:3], pa.table({"a": [None, 2]})),
    "what lay under a gap": lambda: (
        pd.Series([1, 2, 3], dtype="Int64").mask(lambda numbers: numbers == 2),
        pd.Series([1, None, 3], dtype="Int64"),
    ),
    "a filtered frame": lambda: (
        pd.DataFrame({"a": ["x", "y", "z"]}).iloc[1:].reset_index(drop=True),
        pd.DataFrame({"a": ["y", "z"]}),
    ),
    "polars gaps": lambda: (
        pl.DataFrame({"a": ["x" * 20, "y" * 30, "z"]}).select(
            pl.when(pl.col("a").str.len_bytes() < 25).then("a")
        ),
        pl.DataFrame({"a": ["x" * 20, None, "z"]}),
    ),
    "polars chunks": lambda: (
        pl.concat([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})]),
        pl.DataFrame({"a": [1, 2]}),
    ),
    "strides": lambda: (np.arange(10)[::2], np.array([0, 2, 4, 6, 8])),
}


@pytest.mark.parametrize("name", ALIKE)
def test_equal_tables_have_equal_digests(name: str) -> None:
    """How a table was put together leaves no trace in its digest."""
    one, other = ALIKE[name]()
    assert digest_value(one) == digest_value(other) is not None


ARRAYS: dict[str, Callable[[], Any]] = {
    "square": lambda: np.eye(3),
    "fortran": lambda: np.asfortranarray(np.arange(6).reshape(2, 3)),
    "0-d": lambda: np.array(5),
    "days": lambda: np.array(["2020-01-01", "NaT"], "M8[D]"),
    "fields": lambda: np.zeros(2, [("a", "i4"), ("b", "U3"), ("c", "f8", (2,))]),
    "big-endian": lambda: np.arange(3, dtype=">i4"),
    "words": lambda: np.array(["a", "bcd"]),
    "nothing": lambda: np.zeros((0, 3), "c8"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back(name: str) -> None:
    """An array keeps shape, type, byte order and memory order."""
    array = ARRAYS[name]()
    blob = encode(array)
    back = decode(blob)
    assert blob.codec == "npy"
    np.testing.assert_array_equal(back, array)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.flags.f_contiguous == array.flags.f_contiguous


ODD_ARRAYS: dict[str, Any] = {
    "objects": np.array([1, "a", None], object),
    "masked": np.ma.array([1, 2], mask=[False, True]),
    "padded": np.zeros(2, np.dtype([("a", "i1"), ("b", "i8")], align=True)),
    "long double": np.ones(2, np.longdouble),
}


@pytest.mark.parametrize("array", ODD_ARRAYS.values(), ids=ODD_ARRAYS)
def test_arrays_with_bytes_not_their_own_are_pickled(array: Any) -> None:
    """Arrays that numpy's format would change or blur are pickled."""
    blob = encode(array, signer=SOMEBODY)
    back = decode(blob, trust=Trust(SOMEBODY))
    assert blob.codec == "pickle"
    assert type(back) is type(array)
    assert (back == array).all()


SCALARS = [
    np.float64(1.5),
    np.float32(0.1),
    np.int8(-3),
    np.uint64(2**63),
    np.bool_(True),
    np.complex64(1j),
    np.str_("x"),
    np.bytes_(b"x"),
    np.datetime64("2020-01", "M"),
    np.timedelta64(3, "s"),
    pd.Timestamp("2020-01-01 00:00:00.123456789", tz="Europe/Berlin"),
    pd.Timestamp("2020").as_unit("s"),
    pd.Timedelta("1s"),
    pd.NaT,
    pd.NA,
]


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda scalar: type(scalar).__name__)
def test_scalars_come_back_alone_and_inside(scalar: Any) -> None:
    """A numpy or pandas scalar stays one, also as a part of a result."""
    back = decode(encode({"x": [scalar]}))["x"][0]
    assert type(back) is type(scalar)
    assert back is scalar or back == scalar
    assert getattr(back, "dtype", None) == getattr(scalar, "dtype", None)
    assert getattr(back, "unit", None) == getattr(scalar, "unit", None)
    assert encode(scalar).codec == "data"


def test_tables_inside_data_need_no_pickle() -> None:
    """A dict of frames and arrays is data: no trust needed, canonical."""
    value: dict[str, Any] = {"train": FRAMES["plain"](), "weights": (np.eye(2), np.float32(0.5))}
    blob = encode(value)
    back = decode(blob)
    assert blob.codec == "data"
    testing.assert_frame_equal(back["train"], value["train"])
    np.testing.assert_array_equal(back["weights"][0], np.eye(2))
    assert not is_immutable(value)
