"""Pausing, stopping, limits and priorities, in a notebook."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from controlled import wait_for
from sessions import Notebook

from stepwell.errors import StepNotRun
from stepwell.flow import MapOver, Policies
from stepwell.orchestrator import Phase
from stepwell.store import MemoryStore


class Doors:
    """Steps come in, are counted, and wait to be let out."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0
        self.came: list[str] = []
        self.out = threading.Event()

    def enter(self, name: str) -> int:
        """Come in, and wait."""
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.came.append(name)
        self.out.wait(20)
        with self.lock:
            self.inside -= 1
        return 1


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook with a store in memory."""
    made = Notebook(tmp_path, MemoryStore())
    made.names["doors"] = Doors()
    yield made
    doors(made).out.set()
    made.session.close()


def doors(notebook: Notebook) -> Doors:
    """Those that the notebook's steps go through."""
    found = notebook.names["doors"]
    assert isinstance(found, Doors)
    return found


def enter(notebook: Notebook, name: str, *, after: str = "", **policies: object) -> None:
    """A step that goes through the doors."""
    source = f"{name} = doors.enter('{name}')" + (f" + {after}" if after else "")
    notebook.step(name, source, policies=Policies(**policies))  # type: ignore[arg-type]


# -- pause and stop ---------------------------------------------------------------------------


def test_a_paused_run_finishes_what_runs_and_starts_nothing(notebook: Notebook) -> None:
    """Suspend requested during a step → stops at the next boundary. Resumed, it goes on."""
    enter(notebook, "a")
    enter(notebook, "b", after="a")
    wait_for(lambda: doors(notebook).came == ["a"])
    notebook.session.pause()
    doors(notebook).out.set()
    wait_for(lambda: notebook.view("a").phase is Phase.COMPLETED)
    wait_for(lambda: notebook.pane.says("b:", "waiting", "paused"))
    assert doors(notebook).came == ["a"]
    notebook.session.go_on()
    notebook.session.wait(["b"], timeout=20)
    assert doors(notebook).came == ["a", "b"]


def test_a_cell_does_not_wait_for_a_paused_run(notebook: Notebook) -> None:
    """It is told, and what to type."""
    notebook.session.pause()
    enter(notebook, "a")
    with pytest.raises(StepNotRun, match=r"paused: %stepwell resume"):
        notebook.session.wait_for_names(["a"], 5)


def test_a_paused_run_is_still_paused_after_a_restart(notebook: Notebook) -> None:
    """Whatever is asked for meanwhile."""
    notebook.session.pause()
    enter(notebook, "a")
    again = notebook.restarted()
    again.names["doors"] = Doors()
    assert again.session.state.is_paused
    enter(again, "a")
    assert again.view("a").phase is Phase.WAITING
    doors(again).out.set()
    again.session.go_on()
    again.session.wait(["a"], timeout=20)
    again.session.close()


def test_a_run_may_stop_after_the_current_step(notebook: Notebook) -> None:
    """What runs is finished and kept; the rest is cancelled, for good."""
    enter(notebook, "a")
    enter(notebook, "b", after="a")
    wait_for(lambda: doors(notebook).came == ["a"])
    notebook.session.stop()
    doors(notebook).out.set()
    wait_for(lambda: notebook.session.state.settled == "cancelled")
    wait_for(lambda: notebook.view("a").phase is Phase.COMPLETED)
    assert notebook.view("b").phase is Phase.CANCELLED
    again = notebook.restarted()
    assert again.view("b").phase is Phase.CANCELLED
    again.session.close()


# -- limits and priorities ----------------------------------------------------------------------


def test_steps_share_a_limit(notebook: Notebook) -> None:
    """Never more at once; all of them in the end, items of mapped steps too."""
    notebook.session.limit("model", concurrent=2)
    for name in "abcde":
        enter(notebook, name, limit="model")
    notebook.done("ns", "ns = [1, 2, 3]")
    over = MapOver(item="n", source="ns")
    notebook.step("m", "m = doors.enter(str(n))", policies=Policies(map=over, limit="model"))
    wait_for(lambda: len(doors(notebook).came) == 2)
    wait_for(lambda: notebook.pane.says("c:", "waiting", "limit 'model'"))
    doors(notebook).out.set()
    notebook.session.wait(timeout=20)
    assert len(doors(notebook).came) == 8
    assert doors(notebook).most == 2


def test_a_limit_is_kept_with_the_store(notebook: Notebook) -> None:
    """Over a restart and for new runs; without numbers it is taken away."""
    notebook.session.limit("model", concurrent=1)
    again = notebook.restarted()
    again.names["doors"] = Doors()
    again.session.begin_fresh()
    for name in "ab":
        enter(again, name, limit="model")
    wait_for(lambda: len(doors(again).came) == 1)
    again.session.limit("model")
    wait_for(lambda: len(doors(again).came) == 2)
    doors(again).out.set()
    again.session.close()


def test_steps_are_begun_at_a_rate(notebook: Notebook) -> None:
    """No more within the time; then the next ones, by themselves."""
    doors(notebook).out.set()
    notebook.session.limit("model", rate=2, per=0.5)
    for name in "abcd":
        enter(notebook, name, limit="model")
    notebook.session.wait(timeout=20)
    began = sorted(
        what.at - round(what.seconds * 1e6)
        for step in notebook.session.state.steps.values()
        if (what := step.checkpoint) is not None
    )
    assert began[2] - began[0] > 400_000


def test_the_highest_priority_goes_first(notebook: Notebook) -> None:
    """Of those that wait for the same place."""
    notebook.session.limit("one", concurrent=1)
    enter(notebook, "a", limit="one")
    wait_for(lambda: doors(notebook).came == ["a"])
    enter(notebook, "b", limit="one")
    enter(notebook, "c", limit="one", priority=5)
    enter(notebook, "d", limit="one", priority=-1)
    enter(notebook, "e", limit="one", priority=5)
    doors(notebook).out.set()
    notebook.session.wait(timeout=20)
    assert doors(notebook).came == ["a", "c", "e", "b", "d"]


def enter_each(notebook: Notebook, name: str, items: str, **policies: object) -> None:
    """A step that goes through the doors once for each letter."""
    each = MapOver(item="it", source=repr(list(items)))
    how = Policies(map=each, **policies)  # type: ignore[arg-type]
    notebook.step(name, f"{name} = doors.enter('{name}' + it)", policies=how)


def test_items_of_the_highest_priority_go_first(notebook: Notebook) -> None:
    """Through the same limit, before plain steps of a lower one, and after those of a higher."""
    notebook.session.limit("one", concurrent=1)
    enter(notebook, "a", limit="one")
    wait_for(lambda: doors(notebook).came == ["a"])
    enter_each(notebook, "low", "xy", limit="one")
    enter(notebook, "b", limit="one")
    enter_each(notebook, "high", "xy", limit="one", priority=5)
    enter(notebook, "c", limit="one", priority=9)
    wait_for(lambda: all((it := notebook.view(n).items) and it.total == 2 for n in ("low", "high")))
    doors(notebook).out.set()
    notebook.session.wait(timeout=20)
    came = doors(notebook).came
    assert came[:4] == ["a", "c", "highx", "highy"]
    assert sorted(came[4:]) == ["b", "lowx", "lowy"]
