"""Durable generators in code that does not await."""

import pytest
from effects import Effects, durable_cells, fails
from sessions import Notebook

COUNTERS = """
@stepwell.durable(retries=1, backoff=0)
def count(upto, fail_at=-1):
    for n in range(upto):
        effects.add(n)
        if n == fail_at and not effects.gate.is_set():
            raise ConnectionError("cut off")
        yield n
    return {"counted": upto, "usage": {"output_tokens": upto}}
"""


@pytest.fixture(autouse=True)
def counters(notebook: Notebook, effects: Effects) -> None:
    """Somebody who counts."""
    durable_cells(notebook, effects, COUNTERS)


def test_it_is_stored_when_complete_and_replays_as_a_generator(
    notebook: Notebook, effects: Effects
) -> None:
    """The same pieces, without making them; what it returns, too."""
    source = (
        "def read():\n    found = yield from count(3)\n    yield found['counted']\na = [*read()]\n"
    )
    fails(notebook, "a", source + "raise ValueError")
    assert effects.take() == [0, 1, 2]
    assert notebook.done("a", source) == [0, 1, 2, 3]
    assert effects.take() == []
    assert notebook.view("a").tokens == 3


def test_one_that_is_left_early_is_made_again(notebook: Notebook, effects: Effects) -> None:
    """What was not complete is not stored."""
    source = "for a in count(3):\n    break\n"
    fails(notebook, "a", source + "raise ValueError")
    notebook.done("a", source)
    assert effects.take() == [0, 0]


def test_it_is_tried_again_before_its_first_piece_only(
    notebook: Notebook, effects: Effects
) -> None:
    """What was given cannot be taken back."""
    assert "cut off" in fails(notebook, "a", "a = [*count(3, 1)]")
    assert effects.take() == [0, 1]
    assert "cut off" in fails(notebook, "b", "b = [*count(3, 0)]")
    assert effects.take() == [0, 0]


def test_it_works_in_code_that_awaits(notebook: Notebook, effects: Effects) -> None:
    """As any generator does, beside other calls."""
    source = "await asyncio.sleep(0)\na = [n for n in count(2)]"
    assert notebook.done("a", source) == [0, 1]
    assert notebook.done("a", source + "\nb = 1") == [0, 1]
    assert effects.take() == [0, 1]


def test_calls_inside_are_remembered_by_themselves(notebook: Notebook, effects: Effects) -> None:
    """A generator that was cut off pays only for what is new; and who reads it is outside."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable\ndef one(n):\n    effects.add(n)\n    return n\n"
        "@stepwell.durable\ndef several():\n    for n in range(3): yield one(n)\n",
    )
    source = (
        "for n in several():\n    if n == 1 and not effects.gate.is_set(): raise ValueError\na = n"
    )
    fails(notebook, "a", source)
    assert effects.take() == [0, 1]
    effects.gate.set()
    assert notebook.done("a", source) == 2
    assert effects.take() == [2]


def test_nothing_can_be_sent_to_it(notebook: Notebook) -> None:
    """What it would answer is not among what is stored."""
    said = fails(notebook, "a", "it = count(3)\nnext(it)\na = it.send('x')")
    assert "nothing can be sent to 'count'" in said
    said = fails(notebook, "a", "a = await stepwell.call(count, 3)")
    assert "go through them with `for`" in said


def test_its_time_is_the_calls_and_not_its_readers(notebook: Notebook, effects: Effects) -> None:
    """A time-out is for the code that makes the pieces."""
    durable_cells(
        notebook,
        effects,
        "import time\n@stepwell.durable(timeout=1)\ndef slow(at):\n"
        "    for n in range(2):\n        if n == at: effects.gate.wait(30)\n        yield n\n",
    )
    assert notebook.done("a", "for n in slow(9): time.sleep(0.7)\na = n") == 1
    assert "took longer than 1 s" in fails(notebook, "b", "b = [*slow(1)]")
    effects.gate.set()
