"""Pieces that come while a block runs: durable `async with` and `with`."""

import asyncio

import pytest
from effects import Effects, durable_cells, fails
from sessions import Notebook

from stepwell.errors import InvalidUsage
from stepwell.inside import Stream, durable

CLIENTS = """
from contextlib import asynccontextmanager, contextmanager

class Live:
    # As clients of models have them: pieces while it is open, and a message at its end.
    def __init__(self, topic):
        self.topic = topic

    async def __aenter__(self):
        effects.add("in")
        return self

    async def __aexit__(self, kind, error, at):
        effects.add("out" if kind is None else kind.__name__)

    async def pieces(self):
        for word in f"all about {self.topic}".split():
            effects.add(word)
            await asyncio.sleep(0)
            yield word

    async def message(self):
        return {"text": self.topic, "usage": {"output_tokens": 3, "input_tokens": 1}}

@stepwell.durable
@asynccontextmanager
async def writing(topic):
    async with Live(topic) as live:
        yield stepwell.Stream(live.pieces(), result=live.message)

@stepwell.durable(retries=2, backoff=0)
@asynccontextmanager
async def plain(topic, failures=0):
    effects.add("try")
    if effects.all.count("try") <= failures:
        raise ConnectionError("no answer")
    async with Live(topic) as live:
        yield live.pieces()

@stepwell.durable
@contextmanager
def reading(path, fail=False):
    effects.add("open")
    try:
        yield line_by_line(path, fail)
    except KeyError:
        effects.add("caught")
    finally:
        effects.add("close")

def line_by_line(path, fail):
    for n in range(3):
        effects.add(f"{path}{n}")
        if fail and n == 2:
            raise OSError("torn")
        yield f"{path}{n}"
"""
WRITE = """
async with writing("pumps") as stream:
    words = [word async for word in stream]
    message = stream.result
a = (words, message["text"])
"""
READ = "with reading('x') as lines:\n    a = list(lines)\n"


@pytest.fixture(autouse=True)
def clients(notebook: Notebook, effects: Effects) -> None:
    """A client of a model, and one that does not await."""
    durable_cells(notebook, effects, CLIENTS)


def test_a_block_is_replayed_without_entering_anything(
    notebook: Notebook, effects: Effects
) -> None:
    """The same pieces, the same result."""
    fails(notebook, "a", WRITE + "raise ValueError")
    assert effects.take() == ["in", "all", "about", "pumps", "out"]
    assert notebook.done("a", WRITE) == (["all", "about", "pumps"], "pumps")
    assert effects.take() == []


def test_what_its_result_has_consumed_is_counted_once(notebook: Notebook) -> None:
    """Replayed it costs nothing."""
    fails(notebook, "a", WRITE + "raise ValueError")
    notebook.done("a", WRITE)
    assert notebook.view("a").tokens == 4


def test_pieces_are_stored_before_their_reader_goes_on(
    notebook: Notebook, effects: Effects
) -> None:
    """What follows inside the block goes by pieces that are not made again."""
    source = WRITE.replace(
        "    message", "    if not effects.gate.is_set(): raise ValueError\n    message"
    )
    fails(notebook, "a", source)
    assert effects.take() == ["in", "all", "about", "pumps", "ValueError"]
    effects.gate.set()
    notebook.done("a", source)
    assert effects.take() == []


def test_a_block_that_is_left_early_leaves_nothing_behind(
    notebook: Notebook, effects: Effects
) -> None:
    """By a `break` the real thing is left as it is when all is well, and entered again then."""
    source = "async with plain('pumps') as stream:\n    async for a in stream: break\n"
    fails(notebook, "a", source + "raise ValueError")
    assert effects.take() == ["try", "in", "all", "out"]
    notebook.done("a", source)
    assert effects.take() == ["try", "in", "all", "out"]


def test_an_error_inside_the_block_reaches_the_real_thing(
    notebook: Notebook, effects: Effects
) -> None:
    """As does a cancellation; nothing is stored."""
    source = "async with plain('pumps') as stream:\n    async for a in stream: raise KeyError\n"
    fails(notebook, "a", source)
    assert effects.take() == ["try", "in", "all", "KeyError"]
    late = (
        "async def slow():\n"
        "    async with plain('pumps') as stream:\n"
        "        await asyncio.sleep(60)\n"
        "try: await asyncio.wait_for(slow(), 0.01)\n"
        "except TimeoutError: a = 1"
    )
    notebook.done("a", late)
    assert effects.take() == ["try", "in", "CancelledError"]


def test_entering_is_tried_again(notebook: Notebook, effects: Effects) -> None:
    """As the options say; then it is what entering has failed with that is raised."""
    source = "async with plain('p', {}) as stream:\n    {} = [w async for w in stream]\n"
    assert notebook.done("a", source.format(2, "a")) == ["all", "about", "p"]
    assert effects.take() == ["try", "try", "try", "in", "all", "about", "p", "out"]
    assert "no answer" in fails(notebook, "b", source.format(3, "b"))
    assert effects.take() == ["try", "try", "try"]


def test_what_cannot_be_brought_back_is_refused(notebook: Notebook, effects: Effects) -> None:
    """Named, with the way out; and the real thing is left again."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable\n@asynccontextmanager\nasync def connected():\n"
        "    async with Live('x') as live:\n        yield live\n"
        "@stepwell.durable\n@contextmanager\ndef listed():\n"
        "    effects.add('in')\n    yield [1, 2]\n    effects.add('out')\n"
        "@stepwell.durable\ndef plainly():\n    return Live('y')\n",
    )
    said = fails(notebook, "a", "async with connected() as a: pass")
    assert "'connected' gives its block a Live" in said
    assert "make durable what is called with it" in said
    assert effects.take() == ["in", "out"]
    assert "'listed' gives its block a list" in fails(notebook, "b", "with listed() as b: pass")
    assert effects.take() == ["in", "out"]
    said = fails(notebook, "c", "with plainly() as c: pass")
    assert "asynccontextmanager which yields" in said


def test_a_plain_block_does_the_same(notebook: Notebook, effects: Effects) -> None:
    """In code that does not await."""
    fails(notebook, "a", READ + "raise ValueError")
    assert effects.take() == ["open", "x0", "x1", "x2", "close"]
    assert notebook.done("a", READ) == ["x0", "x1", "x2"]
    assert effects.take() == []
    early = "with reading('y') as lines:\n    b = next(lines)\n    raise KeyError\nb = 1"
    assert notebook.done("b", early) == 1
    assert effects.take() == ["open", "y0", "caught", "close"]
    assert "torn" in fails(notebook, "c", "with reading('z', True) as lines:\n    c = list(lines)")
    assert effects.take() == ["open", "z0", "z1", "z2", "close"]


def test_pieces_cannot_be_read_after_the_block(notebook: Notebook) -> None:
    """Half of them are not taken for all; nor is there a result before the end."""
    source = "async with writing('p') as stream:\n    {}\n{} = [w async for w in stream]"
    said = fails(notebook, "a", source.format("await anext(stream)", "a"))
    assert "left before the end" in said
    assert "no result before" in fails(notebook, "b", source.format("stream.result", "b"))
    all_read = "[w async for w in stream]"
    assert notebook.done("a", source.format(all_read, "a")) == []


def test_a_step_that_is_retried_is_not_charged_for_what_was_left(notebook: Notebook) -> None:
    """What was consumed before a block was left is counted: it was consumed."""
    durable_cells(
        notebook,
        notebook.names["effects"],
        "@stepwell.durable\n@asynccontextmanager\nasync def costly():\n"
        "    stepwell.cost(0.5)\n    yield words()\n    stepwell.cost(0.25)\n"
        "async def words():\n    yield 'a'\n    yield 'b'\n",
    )
    early = "async with costly() as stream:\n    async for _ in stream: break\na = 1"
    notebook.done("a", early)
    assert notebook.view("a").cost == 0.75
    whole = "async with costly() as stream:\n    b = [w async for w in stream]\n"
    fails(notebook, "b", whole + "raise ValueError")
    assert notebook.view("b").cost == 0.75
    notebook.done("b", whole)
    assert notebook.view("b").cost == 0.75


def test_a_time_out_leaves_it(notebook: Notebook, effects: Effects) -> None:
    """The time that entering and pieces take is the call's; what a reader takes is not."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable(timeout=1)\n@asynccontextmanager\nasync def slow(at):\n"
        "    await asyncio.sleep(60 * (at == 0))\n"
        "    try: yield words(at)\n"
        "    finally: effects.add('left')\n"
        "async def words(at):\n"
        "    for n in (1, 2):\n"
        "        await asyncio.sleep(60 * (at == n))\n        yield n\n",
    )
    source = (
        "async with slow({}) as stream:\n"
        "    async for _ in stream: await asyncio.sleep(0.7)\n"
        "{} = 2"
    )
    assert notebook.done("a", source.format(9, "a")) == 2
    effects.take()
    assert "took longer than 1 s" in fails(notebook, "b", source.format(0, "b"))
    assert effects.take() == []
    assert "took longer than 1 s" in fails(notebook, "b", source.format(2, "b"))
    assert effects.take() == ["left"]


def test_outside_of_steps_it_is_the_real_thing() -> None:
    """As it was written; a `Stream` works there by itself."""
    from collections.abc import AsyncGenerator, AsyncIterator
    from contextlib import asynccontextmanager

    async def words() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    @durable
    @asynccontextmanager
    async def writing() -> AsyncGenerator[Stream[str, int]]:
        yield Stream(words(), result=lambda: 2)

    async def use() -> tuple[list[str], int]:
        async with writing() as stream:
            with pytest.raises(InvalidUsage, match="before all pieces"):
                _ = stream.result
            return [word async for word in stream], stream.result

    assert asyncio.run(use()) == (["a", "b"], 2)
