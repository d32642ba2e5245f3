"""Values bring their libraries along; reading and writing loads no others."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import pytest

from stepwell.store.values import decode, encode

RunProgram = Callable[..., str]

PROGRAM = """
import sys
from stepwell.store.values import decode, encode, preview
for value in ({"a": 1}, "x" * 5000, [None], 1.5):
    assert decode(encode(value)) == value
loaded = set(sys.modules) & {
    "numpy", "pandas", "polars", "pyarrow", "pydantic", "cloudpickle", "IPython", "jupyter_core"
}
print(sorted(loaded))
value = {"t": (1, 2), "s": {3}}
assert decode(encode(value)) == value
print(sorted(set(sys.modules) & {"numpy", "pandas", "polars", "pyarrow", "cloudpickle"}))
"""


def test_plain_values_load_no_library(run_program: RunProgram) -> None:
    """JSON and plain data need neither numpy nor pandas nor pickling."""
    assert run_program(PROGRAM).splitlines() == ["[]", "[]"]


@dataclass(frozen=True)
class Point:
    """A value of a class of its own."""

    x: int


def test_a_library_that_is_just_being_imported_is_not_in_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another thread may have begun to; a module is there before what it defines."""
    monkeypatch.setitem(sys.modules, "pydantic.main", ModuleType("pydantic.main"))
    assert decode(encode(Point(1))) == Point(1)
