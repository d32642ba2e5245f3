"""Results that come in pieces, as people see them while they come."""

import pytest
from controlled import wait_for
from effects import Effects, durable_cells, fails
from sessions import Notebook

from stepwell.flow import MapOver, Policies
from stepwell.orchestrator import Phase, StreamView

WRITER = """
@stepwell.durable
async def write(topic, words="one two three"):
    for word in words.split():
        yield word + " "
    await asyncio.to_thread(effects.gate.wait)
    yield "end"

@stepwell.durable
async def numbers(upto):
    for n in range(upto):
        yield {"n": n}
    await asyncio.to_thread(effects.gate.wait)
"""


@pytest.fixture(autouse=True)
def tools(notebook: Notebook, effects: Effects) -> None:
    """Writers who stop before the end until the gate is open."""
    durable_cells(notebook, effects, WRITER)


def coming(notebook: Notebook, count: int = 1, step: str = "a") -> tuple[StreamView, ...]:
    """What comes to the step, once so many have come so far as they do."""
    # The first sign goes at once, the rest some time after: all of it is there by the next piece.
    wait_for(lambda: len(notebook.view(step).streams) == count)
    return notebook.view(step).streams


def test_what_has_come_is_seen_while_the_rest_is_awaited(
    notebook: Notebook, effects: Effects
) -> None:
    """On the step's card, under what makes it; gone when the step is done."""
    notebook.step("a", "a = [w async for w in write('x', 'one')]")
    [stream] = coming(notebook)
    assert (stream.name, stream.text, stream.pieces, stream.is_over) == ("write", "one ", 1, False)
    wait_for(lambda: notebook.pane.says("a: running", "write · 1 piece: one"))
    effects.gate.set()
    notebook.session.wait(["a"], timeout=60)
    assert notebook.view("a").streams == ()
    wait_for(lambda: notebook.pane.says("a: done"))
    assert not notebook.pane.says("write · ")


def test_what_is_answered_from_the_store_does_not_flicker(
    notebook: Notebook, effects: Effects
) -> None:
    """Replayed pieces are nothing new."""
    effects.gate.set()
    fails(notebook, "a", "a = [w async for w in write('x')]\nraise ValueError")
    effects.gate.clear()
    source = "a = [w async for w in write('x')]\nb = [w async for w in write('y', 'new')]"
    notebook.step("a", source)
    [stream] = coming(notebook)
    assert stream.text == "new "
    effects.gate.set()


def test_the_latest_stays_until_another_begins(notebook: Notebook, effects: Effects) -> None:
    """Nothing blinks between one answer and the next; what is over says so."""
    effects.gate.set()
    notebook.step(
        "a",
        "effects.gate.set()\n_ = [w async for w in write('x')]\neffects.gate.clear()\n"
        "await asyncio.to_thread(effects.gate.wait)\n"
        "effects.gate.clear()\na = [w async for w in write('y', 'more')]",
    )
    [first] = coming(notebook)
    wait_for(lambda: all(it.is_over for it in notebook.view("a").streams))
    assert coming(notebook)[0].text == "one two three end"
    effects.gate.set()
    wait_for(lambda: notebook.view("a").streams[0].text == "more ")
    assert notebook.view("a").streams[0].call != first.call
    effects.gate.set()


def test_a_long_text_is_kept_by_its_end(notebook: Notebook, effects: Effects) -> None:
    """However much comes, and however fast."""
    notebook.step(
        "a",
        "a = [w async for w in write('x', 'word ' * 200_000)]\n"
        "effects.gate.clear()\nawait asyncio.to_thread(effects.gate.wait)",
    )
    wait_for(lambda: any(it.pieces > 1 for it in notebook.view("a").streams))
    effects.gate.set()
    wait_for(lambda: any(it.text.endswith("word end") for it in notebook.view("a").streams))
    [stream] = notebook.view("a").streams
    assert len(stream.text) == 2000
    assert stream.is_cut
    effects.gate.set()


def test_pieces_that_are_no_text_are_shown_shortened(notebook: Notebook, effects: Effects) -> None:
    """A line for each."""
    notebook.step("a", "a = [it async for it in numbers(1)]")
    [stream] = coming(notebook)
    assert stream.text == '{"n":0}\n'
    effects.gate.set()


def test_streams_side_by_side_are_shown_together(notebook: Notebook, effects: Effects) -> None:
    """The few that began first; the others are counted."""
    notebook.step(
        "a",
        "async def read(n):\n    return [w async for w in write(n, f'w{n}')]\n"
        "a = await asyncio.gather(*[read(n) for n in range(5)])",
    )
    streams = coming(notebook, 3)
    wait_for(lambda: notebook.view("a").more_streams == 2)
    assert [it.text for it in streams] == ["w0 ", "w1 ", "w2 "]
    effects.gate.set()


def test_a_mapped_step_shows_its_elements_streams(notebook: Notebook, effects: Effects) -> None:
    """Each with its element's key; an element that is done makes room for the next."""
    policies = Policies(map=MapOver(item="word", source="words", key="word"))
    notebook.done("words", "words = ['x', 'y', 'z', 'zz']")
    notebook.step("a", "a = [w async for w in write(word, word)]", policies=policies)
    streams = coming(notebook, 3)
    assert {(it.item, it.text.strip()) for it in streams} <= {(k, k) for k in ("x", "y", "z", "zz")}
    wait_for(lambda: notebook.view("a").more_streams == 1)
    wait_for(lambda: notebook.pane.says("a: running", "write · 1 piece"))
    effects.gate.set()
    notebook.session.wait(["a"], timeout=60)
    assert notebook.view("a").streams == ()


def test_a_child_runs_streams_are_seen_where_it_was_called(
    notebook: Notebook, effects: Effects
) -> None:
    """Under the step that waits for it, with the child's step."""
    notebook.session.define_agent("author(topic: str) -> text", max_depth=3)
    notebook.step("draft", "text = [w async for w in write(topic, 'deep')]", flow="author")
    notebook.step("a", "a = await author(topic='x')")
    [stream] = coming(notebook)
    assert (stream.step, stream.name, stream.text) == ("draft", "write", "deep ")
    effects.gate.set()


def test_a_stream_that_failed_or_was_left_is_over(notebook: Notebook, effects: Effects) -> None:
    """No more is to come from it, and the card says so."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable\nasync def cut():\n    yield 'half'\n    raise KeyError('x')\n",
    )
    notebook.step(
        "a",
        "try:\n    [w async for w in cut()]\nexcept KeyError: pass\n"
        "await asyncio.to_thread(effects.gate.wait)\neffects.gate.clear()\n"
        "async for w in write('y'):\n    break\nawait asyncio.to_thread(effects.gate.wait)",
    )
    wait_for(lambda: [(it.text, it.is_over) for it in coming(notebook)] == [("half", True)])
    effects.gate.set()
    wait_for(lambda: [(it.text, it.is_over) for it in coming(notebook)] == [("one ", True)])
    effects.gate.set()


def test_a_card_that_asks_stands_still(notebook: Notebook, effects: Effects) -> None:
    """Somebody may be writing in the form that is drawn over it."""
    notebook.step(
        "a",
        "async def read():\n    return [w async for w in write('x')]\n"
        "_task = asyncio.create_task(read())\n"
        "await stepwell.approve('Go on?')\na = await _task",
    )
    wait_for(lambda: bool(notebook.view("a").approval))
    assert notebook.view("a").phase is Phase.RUNNING
    assert notebook.view("a").streams == ()
    notebook.session.decide("a", "approve")
    coming(notebook)
    effects.gate.set()
