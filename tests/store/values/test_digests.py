"""Equal values have equal digests, in every process."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from stepwell.store.values import digest_value, encode, is_canonical

RunProgram = Callable[..., str]

PROGRAM = """
import datetime, decimal, json, sys
import numpy as np
import pandas as pd
import polars as pl
import models_of_mine as m
from stepwell.store.values import digest_value

words = [f"word {number}" for number in range(50)]
frame = pd.DataFrame({"w": words, "n": range(50)})
values = {
    "json": {"b": 1, "a": [1.5, "ü", None]},
    "set": {1: set(words), "deep": frozenset({frozenset(words), ("a", 1)})},
    "dataclass": m.Source("https://a.b/c", {m.Colour.RED, m.Colour.BLUE}),
    "model": m.Plan(title="t", steps=words, best=m.Point(1)),
    "time": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
    "pandas": frame,
    "polars": pl.DataFrame({"w": words}),
    "categorical": frame.w.astype("category"),
    "numpy": np.arange(5.0),
    "nested": {"frame": frame, "scalar": np.float32(0.1)},
}
print(json.dumps({name: digest_value(value) for name, value in values.items()}))
"""


def test_two_processes_agree(models: ModuleType, run_program: RunProgram) -> None:
    """Digests do not depend on how a process hashes its strings."""
    first = run_program(PROGRAM, PYTHONHASHSEED="1")
    second = run_program(PROGRAM, PYTHONHASHSEED="2")
    assert first == second
    assert "null" not in first


EQUALS: list[Callable[[], tuple[object, object]]] = [
    lambda: ({3, 1, 2}, {2, 3, 1}),
    lambda: ([1, 2], list(range(1, 3))),
    lambda: ((1, {"a": (2,)}), (1, {"a": tuple(range(2, 3))})),
]


@pytest.mark.parametrize("make", EQUALS)
def test_equal_values_have_equal_digests(make: Callable[[], tuple[object, object]]) -> None:
    """However a value came about, its digest is the same."""
    one, other = make()
    assert digest_value(one) == digest_value(other) is not None


def test_types_and_codecs_are_told_apart() -> None:
    """Values that are equal but not of one type have digests of their own."""
    alike: list[Any] = [1, 1.0, True, "1", b"1", (1,), [1], {1}, {"1": 1}]
    assert len({digest_value(value) for value in alike}) == len(alike)


def test_the_digest_is_the_one_of_the_blob() -> None:
    """A digest taken alone is the digest that is stored."""
    for value in ({"a": 1}, (1,), b"x", {"k": {1, 2}}):
        assert digest_value(value) == encode(value).digest


def test_what_is_pickled_has_no_canonical_digest() -> None:
    """A value that only pickle can take, or that cannot be stored, is not told apart."""
    assert digest_value(object()) is None
    assert digest_value([lambda: None]) is None
    assert digest_value(number for number in ()) is None
    assert not is_canonical(encode(object()).codec)
    assert is_canonical("json")


def test_a_remembered_property_does_not_count(models: ModuleType) -> None:
    """What a cached property remembers is no part of the value."""
    fresh, asked = models.Source("https://a.b/c"), models.Source("https://a.b/c")
    assert asked.host == "a.b"
    assert digest_value(fresh) == digest_value(asked)
