"""Results that come in pieces."""

import pytest
from effects import Effects, durable_cells, fails, written
from sessions import Notebook

from stepwell.orchestrator import AttemptId, Sign

WRITER = """
@stepwell.durable(retries=1, backoff=0)
async def write(topic, fail_at=99):
    for at, word in enumerate(f"all about {topic}".split()):
        effects.add(word)
        if at == fail_at and not effects.gate.is_set():
            raise ConnectionError("cut off")
        await asyncio.sleep(0)
        yield word

@stepwell.durable
async def tables():
    for rows in ([1], [2, 3]):
        effects.add(rows)
        yield rows
"""
READ = "a = [word async for word in write('pumps')]"


@pytest.fixture(autouse=True)
def tools(notebook: Notebook, effects: Effects) -> None:
    """Somebody who writes word by word."""
    durable_cells(notebook, effects, WRITER)


def test_a_stream_is_stored_when_complete_and_replays_as_a_stream(
    notebook: Notebook, effects: Effects
) -> None:
    """The same pieces, without making them."""
    fails(notebook, "a", READ + "\nraise ValueError")
    assert effects.take() == ["all", "about", "pumps"]
    assert notebook.done("a", READ) == ["all", "about", "pumps"]
    assert effects.take() == []


def test_pieces_are_shown_as_they_come(notebook: Notebook) -> None:
    """To whoever watches; all of the text, however fast it comes."""
    shown: list[Sign] = []

    def watch(attempt: AttemptId, sign: Sign) -> None:
        if sign.kind == "piece":
            shown.append(sign)

    notebook.session.engine.orchestrator.watch_signs(watch)
    notebook.done("a", READ)
    assert "".join(sign.text for sign in shown) == "allaboutpumps"
    assert shown[-1].done == 3
    assert {sign.subject for sign in shown} == {written(notebook, "call_completed")[0]["call"]}


def test_a_stream_that_is_left_early_is_made_again(notebook: Notebook, effects: Effects) -> None:
    """What was not complete is not stored."""
    source = "async for a in write('pumps'):\n    break"
    notebook.done("a", source)
    assert written(notebook, "call_completed", "call_failed") == []
    notebook.done("a", source + "\nb = 1")
    assert effects.take() == ["all", "all"]


def test_a_stream_is_tried_again_before_its_first_piece_only(
    notebook: Notebook, effects: Effects
) -> None:
    """What was given cannot be taken back."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable(retries=1, backoff=0)\n"
        "async def late():\n"
        "    effects.add('try')\n"
        "    if len(effects.all) == 1: raise ConnectionError\n"
        "    yield 'x'\n",
    )
    assert notebook.done("a", "a = [it async for it in late()]") == ["x"]
    assert effects.take() == ["try", "try"]
    said = fails(notebook, "b", "b = [word async for word in write('pumps', 1)]")
    assert "cut off" in said
    assert effects.take() == ["all", "about"]


def test_a_piece_is_kept_as_it_was_given(notebook: Notebook) -> None:
    """Whatever its reader does with it."""
    source = "a = []\nasync for rows in tables():\n    rows.append(0); a.append(rows)\ndel rows"
    notebook.done("a", source)
    assert notebook.done("a", source + "\nb = 1") == [[1, 0], [2, 3, 0]]


def test_outside_of_steps_it_is_an_async_generator(notebook: Notebook) -> None:
    """As it was written."""
    import asyncio

    async def read() -> list[str]:
        return [word async for word in notebook.names["write"]("x")]

    assert asyncio.run(read()) == ["all", "about", "x"]
