"""Results that come in pieces, at the wire."""

from typing import Any

from kernels import Answer, Kernel

TOOLS = """
import asyncio, os, stepwell

async def until(name):
    while not os.path.exists(name):
        await asyncio.sleep(0.005)

@stepwell.durable
async def write(topic):
    for word in ("all", "about", "<b>", topic):
        yield word + " "
        await until(word.strip("<>"))

@stepwell.durable
async def count(upto):
    for n in range(upto):
        yield f"{n} "
        await asyncio.sleep(0)
"""


def pages(kernel: Kernel, answer: Answer) -> list[str]:
    """Every state of the cell's card, as HTML."""
    shown: list[Any] = kernel.of(answer, "display_data") + kernel.of(answer, "update_display_data")
    return [content["data"].get("text/html", "") for content in shown]


def test_a_card_shows_the_pieces_as_they_come(kernel: Kernel) -> None:
    """Live, under the cell; as text, whatever a model says; and the result when it is stored."""
    kernel.ok(TOOLS)
    answer = kernel.ok("%%step a\na = ''.join([w async for w in write('pumps')])")
    for said, gate in [("all ", "all"), ("all about ", "about"), ("all about &lt;b&gt; ", "b")]:
        kernel.listen_until(
            lambda said=said: any(said.rstrip() in it for it in pages(kernel, answer))
        )
        (kernel.folder / gate).touch()
    kernel.listen_until(lambda: any("&lt;b&gt; pumps" in it for it in pages(kernel, answer)))
    (kernel.folder / "pumps").touch()
    kernel.ok("%stepwell wait")
    kernel.listen_until(lambda: kernel.cards(answer)[-1]["phase"] == "done")
    assert "write · " not in pages(kernel, answer)[-1]
    assert kernel.value("a") == "'all about <b> pumps '"


def test_a_fast_stream_does_not_flood_the_front_end(kernel: Kernel) -> None:
    """Ten thousand pieces are a few updates of one card."""
    kernel.ok(TOOLS)
    answer = kernel.ok("%%step a\na = len([w async for w in count(10_000)])")
    kernel.ok("%stepwell wait")
    kernel.listen_until(lambda: kernel.cards(answer)[-1]["phase"] == "done")
    seconds = kernel.cards(answer)[-1]["seconds"]
    assert len(pages(kernel, answer)) <= 6 + 5 * seconds
    assert max(map(len, pages(kernel, answer))) < 5000


def test_a_replayed_stream_does_not_flicker(kernel: Kernel) -> None:
    """What comes from the store is not shown as if it were new."""
    kernel.ok(TOOLS)
    failing = kernel.ok("%%step a\na = len([w async for w in count(2000)])\nraise ValueError")
    kernel.listen_until(lambda: kernel.cards(failing)[-1]["phase"] == "failed")
    answer = kernel.ok("%%step a\na = len([w async for w in count(2000)])")
    kernel.ok("%stepwell wait")
    kernel.listen_until(lambda: kernel.cards(answer)[-1]["phase"] == "done")
    assert not any("piece" in page for page in pages(kernel, answer))
