"""Messages that steps and people send, in a session without a kernel."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from controlled import wait_for
from effects import Effects, as_if_killed, fails, written
from sessions import Notebook

import stepwell
from stepwell.orchestrator import Phase
from stepwell.session import SessionNotebook
from stepwell.store import MemoryStore


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook that has imported the package."""
    made = Notebook(tmp_path, MemoryStore())
    made.names["stepwell"] = stepwell
    yield made
    made.session.close()


MINE = "_run = stepwell.current().run\n"


@pytest.mark.parametrize("how", ["await stepwell.send", "stepwell.send"])
def test_a_step_sends_once_however_often_it_runs(notebook: Notebook, how: str) -> None:
    """In order; what was sent before is not sent again, what is new is."""
    is_async = "await" in how
    again = "import asyncio\n" if is_async else ""
    source = f"{again}{MINE}for n in (1, 2): {how}(_run, 'news', n)\n"
    fails(notebook, "a", source + "raise ValueError")
    notebook.done("a", source + f"{how}(_run, 'news', 3)\na = 1")
    assert len(written(notebook, "message_sent")) == 3
    read = "b = [await stepwell.receive('news', timeout='1s') for _ in range(3)]"
    assert notebook.done("b", read) == [1, 2, 3]


def test_equal_messages_are_as_many_as_were_sent(notebook: Notebook) -> None:
    """The same words twice are two messages; and each is received by one."""
    notebook.done("a", f"{MINE}for _ in range(2): await stepwell.send(_run, 'news', 'same')\na = 1")
    read = "await stepwell.receive('news', timeout='{}')"
    assert notebook.done("b", f"b = [{read.format('1s')}, {read.format('1s')}]") == ["same", "same"]
    assert "MessageTimedOut" in fails(notebook, "c", f"c = {read.format('10ms')}")


def test_a_message_to_nobody_is_an_error_and_to_another_run_arrives(notebook: Notebook) -> None:
    """An unknown run is named; one of the store receives it when it goes on."""
    assert "UnknownRun" in fails(notebook, "a", "await stepwell.send('nobody', 'news', 1)")
    before = notebook.session.engine.run
    notebook.session.begin_fresh()
    source = f"await stepwell.send({before!r}, 'news', 7)\nb = 1"
    assert notebook.done("b", source) == 1
    notebook.session.engine.switch(before)
    assert notebook.done("c", "c = await stepwell.receive('news', timeout='1s')") == 7


def test_what_cannot_be_stored_is_named_and_nothing_is_sent(notebook: Notebook) -> None:
    """As for any value."""
    said = fails(
        notebook, "a", f"{MINE}import threading\nawait stepwell.send(_run, 'x', threading.Lock())"
    )
    assert "the message on 'x'" in said
    assert written(notebook, "message_sent") == []


def test_a_person_sends_by_the_verb(notebook: Notebook) -> None:
    """To a step that waits, and to one that will."""
    typed = SessionNotebook(notebook.session, None).send
    typed("", "orders", "first")
    notebook.step("a", "a = [await stepwell.receive('orders') for _ in range(2)]")
    wait_for(lambda: notebook.view("a").phase is Phase.RUNNING)
    typed(notebook.session.engine.run, "orders", "second")
    notebook.session.wait(["a"], timeout=20)
    assert notebook.names["a"] == ["first", "second"]


def test_between_send_and_receive_nothing_is_lost(notebook: Notebook, effects: Effects) -> None:
    """The process dies when all is sent and one is received: each is delivered once, in order."""
    notebook.names["effects"] = effects
    send = f"{MINE}for n in range(3): await stepwell.send(_run, 'news', n)\na = 1"
    receive = "await stepwell.receive('news')"
    read = f"b = [{receive}]\n{{}}\nb += [{receive} for _ in 'xy']"
    notebook.done("a", send)
    notebook.step("b", read.format("effects.add(b[0])\nimport asyncio\nawait asyncio.sleep(60)"))
    wait_for(lambda: effects.all == [0])
    again = as_if_killed(notebook, effects, "")
    again.names["stepwell"] = stepwell
    assert again.done("a", send) == 1
    assert again.done("b", read.format("pass")) == [0, 1, 2]
    assert len(written(again, "message_sent")) == 3
    again.session.close()
