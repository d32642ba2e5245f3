"""Nobody is told that a step is done before its result is on disk."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from stepwell.defining import step_from_cell
from stepwell.errors import WaitTimedOut
from stepwell.frontend import NoFrontend
from stepwell.orchestrator import Phase
from stepwell.place import Place
from stepwell.session import Session
from stepwell.store import MemoryStore, Record
from stepwell.store._port import Then


class SlowStore(MemoryStore):
    """A disk that takes until `let_go` to write that a step is done."""

    def __init__(self) -> None:
        super().__init__()
        self.is_writing = threading.Event()
        self._kept: tuple[Sequence[Record], Then | None] | None = None

    def append(self, records: Sequence[Record], then: Then | None = None) -> None:
        """Hold what says that a step has completed; anything else is durable at once."""
        if self._kept is None and any(record.kind == "attempt_completed" for record in records):
            self._kept = records, then
            self.is_writing.set()
        else:
            super().append(records, then)

    def let_go(self) -> None:
        """The disk has caught up."""
        assert self._kept is not None
        super().append(*self._kept)


@pytest.fixture
def store() -> SlowStore:
    """A store whose first completion hangs."""
    return SlowStore()


@pytest.fixture
def session(store: SlowStore, tmp_path: Path) -> Iterator[Session]:
    """A session on it, without a front end."""
    made = Session({}, NoFrontend(), place=Place(None, tmp_path / "x"), store=store)
    yield made
    made.close()


def run(session: Session, source: str) -> None:
    """Have a step called `a` run."""
    session.define([step_from_cell("a", source, source)])
    session.ask(["a"], by="cell")


@pytest.mark.parametrize("source", ["x = 1", "_ = 1"])
def test_waiting_ends_when_the_result_is_on_disk(
    session: Session, store: SlowStore, source: str
) -> None:
    """Neither naming the step nor waiting for everything ends sooner, outputs or none."""
    run(session, source)
    assert store.is_writing.wait(10)
    for names in ([], ["a"]):
        with pytest.raises(WaitTimedOut):
            session.wait(names, timeout=0.2)
    assert "x" not in session.namespace
    store.let_go()
    session.wait(timeout=10)
    assert ("x" in session.namespace) is (source == "x = 1")


def test_a_card_says_done_when_the_result_is_on_disk(session: Session, store: SlowStore) -> None:
    """Until then the step is running, whoever asks and however often."""
    run(session, "x = 1")
    assert store.is_writing.wait(10)
    assert session.state.steps["a"].checkpoint is not None
    view = session.view("a")
    assert (view.phase, view.outputs) == (Phase.RUNNING, {})
    store.let_go()
    wait_for(lambda: session.view("a").phase is Phase.COMPLETED)


def wait_for(is_there: Callable[[], bool]) -> None:
    """Return as soon as the condition holds."""
    until = time.monotonic() + 60
    while not is_there():
        assert time.monotonic() < until
        time.sleep(0.001)
