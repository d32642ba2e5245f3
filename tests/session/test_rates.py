"""A rate counts what has begun before a restart, too."""

from pathlib import Path

import stepwell
from stepwell.flow import MapOver, Policies
from stepwell.orchestrator import Phase
from stepwell.store import MemoryStore
from stepwell.testing import VirtualClock
from tests.support.controlled import wait_for
from tests.support.sessions import Notebook

MODEL = Policies(limit="model")
EACH = Policies(limit="model", map=MapOver(item="n", source="ns"))


def opened(folder: Path, store: MemoryStore, clock: VirtualClock) -> Notebook:
    """A process on the store."""
    store.close = lambda: None  # type: ignore[method-assign]
    notebook = Notebook(folder, store, clock=clock)
    notebook.names.update(ns=[1, 2, 3], stepwell=stepwell)
    return notebook


def test_what_was_begun_before_a_restart_counts_and_what_is_older_does_not(tmp_path: Path) -> None:
    """Steps, and items of mapped steps, of whatever run; the next one begins when it may."""
    store, clock = MemoryStore(), VirtualClock(auto=False)
    first = opened(tmp_path, store, clock)
    first.session.limit("model", rate=5, per=3600)
    first.done("old", "old = 1", policies=MODEL)
    clock.advance(3000)
    first.done("a", "a = 1", policies=MODEL)
    first.done("each", "each = n", policies=EACH)
    first.session.begin_fresh()
    first.session.close()
    again = opened(tmp_path, store, clock)
    again.step("b", "b = 1", policies=MODEL)
    wait_for(lambda: again.pane.says("b:", "limit 'model'"))
    clock.advance(601)
    again.session.wait(["b"], timeout=20)
    again.step("c", "c = 1", policies=MODEL)
    wait_for(lambda: again.pane.says("c:", "limit 'model'"))
    assert again.view("c").phase is Phase.WAITING
    clock.advance(3000)
    again.session.wait(["c"], timeout=20)
    again.session.close()


def test_calls_count_as_well(tmp_path: Path) -> None:
    """Those that have come to an end, whatever that was."""
    store, clock = MemoryStore(), VirtualClock(auto=False)
    source = """
@stepwell.durable(limit="model")
def double(n):
    if n == 3:
        raise ValueError("not three")
    return n * 2
"""
    first = opened(tmp_path, store, clock)
    first.names["__name__"] = "__main__"
    exec("import stepwell\n" + source, first.names)
    first.session.limit("model", rate=3, per=3600)
    first.done("a", "a = [double(1), double(2)]\ntry:\n    double(3)\nexcept Exception:\n    pass")
    first.session.close()
    again = opened(tmp_path, store, clock)
    again.step("b", "b = 1", policies=MODEL)
    wait_for(lambda: again.pane.says("b:", "limit 'model'"))
    clock.advance(3601)
    again.session.wait(["b"], timeout=20)
    again.session.close()
