"""Instances of classes that a notebook defines, before and after a restart."""

import types
from collections.abc import Callable
from typing import Any

import pytest

from stepwell.errors import ValueUnreadable
from stepwell.store.values import Signer, Trust, decode, encode

RunProgram = Callable[..., str]
SOMEBODY = Signer(b"somebody's key, 32 bytes or more")

CELL = """
from dataclasses import dataclass
from enum import Enum

@dataclass
class Plan:
    title: str

class Mood(Enum):
    GOOD = 1

class Client:
    def __init__(self, url):
        self.url = url
"""


def run_cell(source: str = CELL) -> dict[str, Any]:
    """Run a cell as a kernel would, in a namespace called `__main__`."""
    module = types.ModuleType("__main__")
    exec(source, vars(module))
    return vars(module)


def test_data_of_the_notebook_finds_its_class_again() -> None:
    """After a restart an instance belongs to the class as it is defined now."""
    before, after = run_cell(), run_cell()
    blob = encode([before["Plan"]("t"), before["Mood"].GOOD], resolve=before.get)
    assert blob.codec == "data"
    assert decode(blob, resolve=after.get) == [after["Plan"]("t"), after["Mood"].GOOD]


def test_the_digest_does_not_know_which_kernel_it_was() -> None:
    """Equal instances of a notebook's class have equal digests in two kernels."""
    first, second = run_cell(), run_cell()
    one = encode(first["Plan"]("t"), resolve=first.get)
    other = encode(second["Plan"]("t"), resolve=second.get)
    assert one.digest == other.digest


def test_a_missing_class_is_named() -> None:
    """The error names the class and says which cell to run."""
    before = run_cell()
    blob = encode(before["Plan"]("t"), resolve=before.get)
    with pytest.raises(ValueUnreadable, match=r"'Plan' was defined in the notebook.*%%setup"):
        decode(blob)


def test_a_class_that_is_out_of_reach_travels_along() -> None:
    """An instance of a class that no name leads to is pickled together with its class."""
    plan = run_cell()["Plan"]("t")
    blob = encode(plan, signer=SOMEBODY)
    back = decode(blob, trust=Trust(SOMEBODY))
    assert (blob.codec, back.title) == ("pickle", "t")


def test_pickled_instances_find_the_class_of_today() -> None:
    """Any object of a notebook's class is an instance of the class defined after a restart."""
    before, after = run_cell(), run_cell()
    blob = encode({"c": before["Client"]("u")}, signer=SOMEBODY, resolve=before.get)
    back = decode(blob, trust=Trust(SOMEBODY), resolve=after.get)
    assert blob.codec == "pickle"
    assert type(back["c"]) is after["Client"]
    assert back["c"].url == "u"


def test_pickled_instances_bring_their_class_if_need_be(run_program: RunProgram) -> None:
    """Where the notebook's class is not defined, the one that was stored is used."""
    program = f"""
import sys
from stepwell.store.values import Signer, Trust, decode, encode
exec({CELL!r})
blob = encode(Client("u"), signer=Signer(b"k" * 32))
del Client
print(decode(blob, trust=Trust(Signer(b"k" * 32))).url)
"""
    assert run_program(program).strip() == "u"


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("class Plan: pass", "not a dataclass any more"),
        ("Plan = None", "defined in the notebook"),
        (CELL.replace("title: str", "title: str\n    pages: int"), "has no 'pages'"),
    ],
    ids=["other kind", "gone", "new field"],
)
def test_a_class_that_has_changed_is_said(now: str, said: str) -> None:
    """A value is not forced into a class that has become something else."""
    before = run_cell()
    blob = encode(before["Plan"]("t"), resolve=before.get)
    with pytest.raises(ValueUnreadable, match=said):
        decode(blob, resolve=run_cell(now).get)


def test_new_fields_with_defaults_are_filled_in() -> None:
    """A field that was added with a default has it in what was stored before."""
    before = run_cell()
    after = run_cell(CELL.replace("title: str", "title: str\n    pages: int = 3"))
    blob = encode(before["Plan"]("t"), resolve=before.get)
    assert decode(blob, resolve=after.get) == after["Plan"]("t", 3)


def test_a_member_that_is_gone_is_said() -> None:
    """An enum member that no longer exists is named."""
    before, after = run_cell(), run_cell(CELL.replace("GOOD", "FINE"))
    blob = encode(before["Mood"].GOOD, resolve=before.get)
    with pytest.raises(ValueUnreadable, match="no member 'GOOD'"):
        decode(blob, resolve=after.get)
