"""A line about any value, that never hurts."""

import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from stepwell.store.values import encode, is_immutable, preview, type_name


class Hostile:
    """Raises at every touch."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError("repr")

    __str__ = __repr__


class Key(BaseModel):
    """A model with a secret."""

    user: str
    value: SecretStr


def shouting() -> object:
    """Make an object with a representation of a megabyte."""

    class Loud:
        def __repr__(self) -> str:
            raise AssertionError("called")

    return Loud()


CASES: list[tuple[object, str]] = [
    ({"a": [1, "ü", None, True]}, '{"a":[1,"ü",null,true]}'),
    (("a", {1}), '("a",{1})'),
    ("text", '"text"'),
    (b"abc", "3 bytes"),
    (math.inf, "inf"),
    (Path("/x"), '"/x"'),
    (10**5000, "an integer of 16610 bits"),
    (len, "builtin_function_or_method len"),
    (ValueError("bad", 1), 'ValueError("bad",1)'),
    (Key(user="u", value=SecretStr("hunter2")), 'user="u", value="•••"'),
    (np.eye(2), "array 2\N{MULTIPLICATION SIGN}2 float64: 1.0, 0.0, 0.0, 1.0"),
    (
        pd.DataFrame({"a": [1] * 120, "b": [0.5] * 120}),
        "DataFrame 120 rows \N{MULTIPLICATION SIGN} 2 columns: a int64, b float64",
    ),
]


@pytest.mark.parametrize(("value", "expected"), CASES, ids=[str(n) for n in range(len(CASES))])
def test_previews_are_readable(value: object, expected: str) -> None:
    """A preview shows what a person would want to see first."""
    assert expected in preview(value)


@pytest.mark.parametrize(
    "value",
    [Hostile(), shouting(), [Hostile()], {"x": shouting()}, {Hostile: Hostile()}],
    ids=["hostile", "loud", "list", "dict", "key"],
)
def test_no_representation_is_called(value: object) -> None:
    """A broken or endless representation is not asked."""
    assert len(preview(value)) <= 200


@given(st.recursive(st.text() | st.integers() | st.binary(), lambda i: st.lists(i) | st.tuples(i)))
@settings(max_examples=60, deadline=None)
def test_a_preview_keeps_to_its_limit(value: object) -> None:
    """No preview is longer than asked for, and the blob's is one line."""
    assert len(preview(value, limit=30)) <= 30
    assert len(encode(value).preview) <= 200
    assert "\n" not in preview(value)


def test_huge_values_are_previewed_at_once() -> None:
    """Only the beginning of a value is looked at."""
    shared: Any = list(range(1000))
    for _ in range(200):
        shared = [shared, shared]
    assert preview(shared).startswith("[[[")
    assert preview({"a": "x" * 10**7}).startswith('{"a":"xxx')


def test_a_value_inside_itself_is_previewed() -> None:
    """A circle ends in dots."""
    circle: list[Any] = [1]
    circle.append(circle)
    assert preview(circle) == "[1,…]"


SECRETS: list[Any] = [
    {"api_key": "hunter2hunter2"},
    {"nested": {"DB_PASSWORD": "hunter2hunter2"}},
    {"token": "hunter2hunter2", "a": (1,)},
    ["sk-hunter2hunter2hunter2"],
    {"headers": {"Authorization": "Bearer hunter2hunter2"}},
    "x " * 75 + "ghp_hunter2hunter2hunter2hunter2hunter2" + "y" * 300,
]


@pytest.mark.parametrize("value", SECRETS, ids=lambda value: type(value).__name__)
def test_secrets_are_masked(value: object) -> None:
    """Neither preview shows what goes by a secret's name or looks like one."""
    for shown in (preview(value), encode(value).preview):
        assert "hunter2" not in shown
        assert "•••" in shown


def test_counting_tokens_is_no_secret() -> None:
    """Numbers and counts stay readable."""
    usage = {"total_tokens": 12, "token": 3, "key": "title"}
    assert preview(usage) == '{"total_tokens":12,"token":3,"key":"title"}'


def test_types_are_named_as_people_do(models: ModuleType) -> None:
    """Built-in names bare, library classes as they are imported, others in full."""
    assert type_name({}) == "dict"
    assert type_name(pd.DataFrame()) == "pandas.DataFrame"
    assert type_name(np.float64(1)) == "numpy.float64"
    assert type_name(Path()) == "pathlib.PosixPath"
    assert type_name(models.Point(1)) == "models_of_mine.Point"


def test_what_is_immutable_needs_no_copy(models: ModuleType) -> None:
    """Deeply immutable values are known; anything else is taken to change."""
    assert is_immutable((1, "a", frozenset({(None, b"x")}), models.Colour.RED, Path("x")))
    deep: Any = ()
    for _ in range(5000):
        deep = (deep,)
    assert is_immutable(deep)
    own = [models.Point(1), models.Name("a")]
    mutable: list[Any] = [[], (1, []), {}, bytearray(), np.eye(1), *own]
    for value in mutable:
        assert not is_immutable(value)
