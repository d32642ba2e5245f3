"""A notebook whose steps call tools, and what those do outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from effects import Effects, durable_cells
from sessions import Notebook

from stepwell.store import MemoryStore

TOOLS = """
async def ask(question, *, model="small"):
    effects.add(question)
    await asyncio.sleep(0)
    return question.upper()

def look(word):
    effects.add(word)
    return {"word": word}

@stepwell.durable
async def search(query, limit=3):
    effects.add(query)
    return [query] * limit

@stepwell.durable
def read(path):
    effects.add(path)
    return len(path)
"""


@pytest.fixture
def effects() -> Effects:
    """What the steps of the test do outside."""
    return Effects()


@pytest.fixture
def notebook(tmp_path: Path, effects: Effects) -> Iterator[Notebook]:
    """A notebook with some tools."""
    made = Notebook(tmp_path, MemoryStore())
    durable_cells(made, effects, TOOLS)
    yield made
    effects.gate.set()
    made.session.close()
