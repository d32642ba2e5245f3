"""Every value comes back equal and of the same type."""

import math
from base64 import b64decode
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath, PureWindowsPath
from types import ModuleType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.store.values import Signer, Trust, decode, encode, is_canonical

RoundTrip = Callable[[object], object]
SOMEBODY = Signer(b"somebody's key, 32 bytes or more")


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of the same types throughout, order of dicts included."""
    if type(one) is not type(other):
        return False
    kinds: set[Any] = set(type(one).__mro__)
    if float in kinds:
        return repr(one) == repr(other)
    if dict in kinds:
        return same(list(one.items()), list(other.items()))
    if kinds & {list, tuple, deque}:
        return len(one) == len(other) and all(map(same, one, other))
    if kinds & {set, frozenset}:
        return bool(one == other) and Counter(map(type, one)) == Counter(map(type, other))
    return bool(one == other)


json_atoms = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
json_values = st.recursive(
    json_atoms.filter(lambda value: value not in (math.inf, -math.inf)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
surrogates = st.text(st.characters(codec=None))
atoms = (
    json_atoms
    | surrogates
    | st.binary()
    | st.complex_numbers(allow_nan=False)
    | st.dates()
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.uuids()
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Whatever holds other values."""
    deques: Callable[..., deque[Any]] = deque
    return (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.sets(atoms)
        | st.frozensets(atoms)
        | st.dictionaries(atoms, inner)
        | st.dictionaries(st.sampled_from(["$", "v", "a"]), inner)
        | st.builds(deques, st.lists(inner), st.none() | st.integers(0, 5))
    )


values = st.recursive(atoms, containers, max_leaves=20)


@given(json_values)
@settings(max_examples=150, deadline=None)
def test_json_data_comes_back_exactly(value: object) -> None:
    """JSON data is written as JSON and comes back with its types and its order."""
    blob = encode(value)
    assert blob.codec == "json"
    assert same(decode(blob), value)


@given(values)
@settings(max_examples=200, deadline=None)
def test_plain_data_comes_back_without_trust(value: object) -> None:
    """Data of built-in and standard types needs no pickle and no trust."""
    blob = encode(value)
    assert is_canonical(blob.codec)
    assert same(decode(blob), value)
    assert encode(decode(blob)).digest == blob.digest


STANDARD: list[Any] = [
    2**64,
    -(2**63) - 1,
    10**400,
    10**5000,
    1e22,
    -0.0,
    math.inf,
    "\ud800",
    {"\ud800": 1},
    {"$": "tuple", "v": [1]},
    {"a": {"$": [1, (2,)]}},
    {1: "one", None: 2, (1, "x"): {3}},
    [1, 1.0, True],
    ((), [], {}, set(), frozenset()),
    b"",
    b"\x28\xb5\x2f\xfd but no frame",
    b"\x00" * 5000,
    bytearray(b"grows"),
    {"raw": b"inside"},
    1 - 2j,
    complex(math.inf, -0.0),
    ...,
    range(1, 10, 3),
    slice(None, 3),
    date(2024, 2, 29),
    datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(2024, 1, 1, 1, 1, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45), "NPT")),
    time(23, 59, tzinfo=UTC),
    timedelta(days=-1, microseconds=1),
    UTC,
    ZoneInfo("UTC"),
    Decimal("1.00"),
    Decimal("Infinity"),
    Fraction(10**400, 3),
    UUID(int=7),
    PosixPath("a/b"),
    PurePosixPath("/x"),
    PureWindowsPath("c:/x"),
    PosixPath("\udcff"),
    deque([1, (2,)], maxlen=3),
    OrderedDict(b=1, a=2),
    Counter("abca"),
    defaultdict(list, a=[1]),
    defaultdict(None, a=1),
]


@pytest.mark.parametrize("value", STANDARD, ids=lambda value: type(value).__name__)
def test_standard_types_come_back(value: object) -> None:
    """What the standard library has comes back as itself, also out of an untrusted store."""
    back = decode(encode(value))
    assert same(back, value)
    if isinstance(value, defaultdict):
        assert isinstance(back, defaultdict)
        assert back.default_factory is value.default_factory


def test_fold_and_time_zone_survive() -> None:
    """The second of two equal hours stays the second."""
    later = datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    back = decode(encode(later))
    assert (back.fold, back.tzinfo, back.utcoffset()) == (1, later.tzinfo, timedelta(hours=1))


def test_nan_comes_back_as_nan() -> None:
    """NaN equals nothing, and is still NaN afterwards."""
    back = decode(encode([math.nan, Decimal("NaN")]))
    assert math.isnan(back[0])
    assert back[1].is_nan()


OWN: list[tuple[str, Callable[[ModuleType], object]]] = [
    ("enum", lambda m: [m.Colour.RED, m.Colour.BLUE, {m.Rank.LOW: m.Access.READ | m.Access.WRITE}]),
    ("dataclass", lambda m: m.Source("https://a.b/c", [1, (2,)])),
    ("slots", lambda m: {m.Point(1.5): m.Point(-0.0, math.inf)}),
    ("post_init", lambda m: m.Counted(3)),
    ("namedtuple", lambda m: (m.Pair(1), m.Old([1], (2,)))),
    ("model", lambda m: m.Plan(title="t", steps=["a"], best=m.Point(1))),
    ("extra", lambda m: m.Open(a=1, b=(2, 3))),
    ("generic", lambda m: [m.Box[int](content=1), m.Box[m.Plan](content=m.Plan(title="x"))]),
    ("subclasses", lambda m: [m.Name("n"), m.Names([m.Name("a")]), m.Table(a=1), m.Celsius(1.5)]),
    ("factory", lambda m: defaultdict(m.Names, a=m.Names())),
]


@pytest.mark.parametrize(("name", "make"), OWN, ids=[name for name, _ in OWN])
def test_own_classes_come_back(
    name: str, make: Callable[[ModuleType], Any], models: ModuleType, round_trip: RoundTrip
) -> None:
    """Enums, dataclasses, models and the like come back as instances of their own class."""
    value = make(models)
    blob = encode(value, signer=SOMEBODY)
    assert blob.codec == "data"
    assert same(round_trip(value), value)


def test_reading_runs_no_constructor(
    models: ModuleType, round_trip: RoundTrip, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dataclass is put back as it was, not built again."""
    value = models.Counted(3)
    value.twice = 7
    capsys.readouterr()
    assert getattr(round_trip(value), "twice") == 7  # noqa: B009 - of an unknown type
    assert capsys.readouterr().out == ""


def test_a_model_keeps_what_was_set_and_what_is_private(
    models: ModuleType, round_trip: RoundTrip
) -> None:
    """Fields set, extra fields and private attributes of a model survive."""
    plan = models.Plan(title="t")
    plan._seen = 3
    back: Any = round_trip(plan)
    assert back.model_fields_set == {"title"}
    assert back._seen == 3


def test_attributes_of_a_subclass_survive(models: ModuleType, round_trip: RoundTrip) -> None:
    """A list of one's own class keeps what was hung on it."""
    names = models.Names(["a"])
    names.source = ("web", 1)
    back: Any = round_trip(names)
    assert (back, back.source) == (["a"], ("web", 1))


def test_everything_else_is_pickled(models: ModuleType, round_trip: RoundTrip) -> None:
    """Any other object comes back by pickle, functions of the notebook included."""
    scale = 3
    value = {"object": models.Plain([1]), "pattern": __import__("re").compile("a+")}
    assert encode(value).codec == "pickle"
    assert round_trip(value) == value

    def scaled(number: int) -> int:
        return number * scale

    back: Any = round_trip(scaled)
    assert back(2) == 6


def test_objects_that_know_their_parents_come_back(
    models: ModuleType, round_trip: RoundTrip
) -> None:
    """Circles through objects are no trouble, only containers inside themselves are."""
    parent = models.Source("https://a.b/c")
    parent.tags.append({"parent": parent})
    back: Any = round_trip(parent)
    assert back.tags[0]["parent"] is back


@pytest.mark.parametrize("levels", [50, 150, 400])
def test_nested_values_come_back(levels: int, round_trip: RoundTrip) -> None:
    """Some hundred levels are no trouble, also for what is not JSON."""
    plain: Any = []
    tagged: Any = ()
    for _ in range(levels):
        plain, tagged = [plain], [tagged]
    assert round_trip(plain) == plain
    assert round_trip(tagged) == tagged


def test_a_value_is_read_from_a_deep_stack() -> None:
    """What was written from a shallow stack can be read from a deep one."""
    value: Any = []
    for _ in range(300):
        value = [(value,)] if len(value) == 0 else [value]
    blob = encode(value, signer=SOMEBODY)

    def descend(levels: int) -> object:
        return descend(levels - 1) if levels else decode(blob, trust=Trust(SOMEBODY))

    assert descend(600) == value


def test_small_values_are_readable_bytes() -> None:
    """Small JSON lies in the store as it is; raw bytes as themselves."""
    assert encode({"a": [1, "ü"]}).data == '{"a":[1,"ü"]}'.encode()
    assert encode(b"abc").data == b"abc"
    assert b64decode(b"eA==") == decode(encode(b"x"))


def test_large_values_are_compressed_where_it_helps() -> None:
    """Compression is for what becomes smaller; the size is that of the value."""
    text = encode("na" * 5000)
    assert text.data is not None
    assert (text.size, len(text.data) < 200) == (10_002, True)
    noise = bytes((number * 7919 + number**2) % 251 for number in range(700))
    kept = encode(noise)
    assert kept.data is not None
    assert len(kept.data) <= kept.size == 700
    assert decode(text) == "na" * 5000
