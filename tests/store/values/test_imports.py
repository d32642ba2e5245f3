"""Values bring their libraries along; reading and writing loads no others."""

from collections.abc import Callable

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
