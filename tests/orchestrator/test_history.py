"""Reading a run back."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import World, play, random_flow

from stepwell.errors import StoreCorrupt, UnknownRun
from stepwell.orchestrator import RunStarted, State, apply, load, recover, runs
from stepwell.store import MemoryStore, Record


def stored(world: World) -> MemoryStore:
    """The simulated disk as a store."""
    store = MemoryStore()
    for step, item, attempt, at, event in world.disk:
        kind: Any = type(event).__struct_config__.tag
        store.commit([Record(kind, "r", step, item, attempt, at, msgspec.json.encode(event))])
    return store


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 10), crashes=st.integers(0, 3))
def test_a_run_read_back_is_the_run_that_was_written(seed: int, size: int, crashes: int) -> None:
    """The quick way through a long history ends in the state that applying each event gives."""
    choose = random.Random(seed)
    world = World(fails=lambda name, execution: choose.random() < 0.1)
    play(world, random_flow(choose, size), choose, crashes=crashes, by_resume=False)
    world.disk = world.disk[: choose.randrange(3, len(world.disk) + 1)]
    slowly = State("r")
    for step, item, attempt, at, event in world.disk:
        slowly = apply(slowly, event, step=step, item=item, attempt=attempt, at=at)
    slowly = recover(slowly)
    quickly = load(stored(world), "r")
    for state in (slowly, quickly):
        for step_state in state.steps.values():
            step_state.waiting = {}
    assert quickly.steps == slowly.steps
    assert quickly.unfinished == slowly.unfinished
    assert quickly.running == slowly.running
    assert quickly.troubled == slowly.troubled
    assert list(quickly.flow) == list(slowly.flow)
    assert (quickly.owed, quickly.settled) == (slowly.owed, slowly.settled)


def test_an_unknown_run_is_an_error_that_names_what_there_is() -> None:
    """No silent restart: a run that is not there is not begun."""
    store = MemoryStore()
    store.commit([Record("run_started", "abc123", body=msgspec.json.encode(RunStarted()))])
    with pytest.raises(UnknownRun, match="abc123"):
        load(store, "abc124")
    assert [run for run, _, _ in runs(store)] == ["abc123"]


def test_a_record_this_version_cannot_read_is_an_error_that_says_which() -> None:
    """An event of a later version stops the run from being continued, and changes nothing."""
    store = MemoryStore()
    store.commit([Record("time_travelled", "r", body=b'{"kind":"time_travelled"}')])
    with pytest.raises(StoreCorrupt, match="record 1 "):
        load(store, "r")
