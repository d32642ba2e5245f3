"""What a front end asks for while it looks, without a front end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from controlled import wait_for
from sessions import Notebook

from stepwell.errors import InvalidUsage
from stepwell.flow import MapOver, Policies
from stepwell.store import MemoryStore
from stepwell.widgets import Message

OVER = Policies(map=MapOver(item="n", source="ns", keep_going=True))


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook with a store in memory."""
    made = Notebook(tmp_path, MemoryStore())
    yield made
    made.session.close()


def asked(notebook: Notebook, kind: str, step: str, **more: Any) -> Message:
    """An answer of the window's."""
    found = notebook.session.window.answer(kind, {"step": step, **more})
    assert isinstance(found, dict)
    return cast("Message", found)


def keys(page: Message) -> list[str]:
    """Of the items on a page."""
    return [item["key"] for item in page["items"]]


def test_all_items_can_be_reached_a_page_at_a_time(notebook: Notebook) -> None:
    """In order, however many; by key and by state where somebody looks for some."""
    notebook.done("ns", "ns = list(range(450))")
    notebook.step("odd", "if n == 7: raise ValueError('unlucky')\nx = n", policies=OVER)
    wait_for(lambda: notebook.pane.says("odd", "failed"))
    first = asked(notebook, "items", "odd")
    assert (first["total"], len(first["items"]), first["items"][0]["state"]) == (450, 100, "done")
    rest = [asked(notebook, "items", "odd", at=at, most=150) for at in (100, 250, 400)]
    assert [key for page in (first, *rest) for key in keys(page)] == [str(n) for n in range(450)]
    assert keys(asked(notebook, "items", "odd", query="44")) == [
        "44",
        "144",
        "244",
        "344",
        *(str(n) for n in range(440, 450)),
    ]
    [failed] = asked(notebook, "items", "odd", only="failed")["items"]
    assert (failed["key"], failed["said"]) == ("7", "ValueError: unlucky")
    assert failed["start"] <= failed["end"]
    assert keys(asked(notebook, "items", "odd", only="waiting")) == []


def test_one_item_is_seen_from_close_by(notebook: Notebook) -> None:
    """What it made, and how its attempts ended; none of the others'."""
    notebook.done("ns", "ns = [1, 2]")
    notebook.done("twice", "x = 2 * n", policies=OVER)
    found = asked(notebook, "step", "twice", item="2")
    assert [output["value"]["text"] for output in found["outputs"]] == ["4"]
    assert [attempt["outcome"] for attempt in found["attempts"]] == ["done"]
    with pytest.raises(InvalidUsage, match="no item '3'"):
        asked(notebook, "step", "twice", item="3")
