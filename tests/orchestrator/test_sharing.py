"""Forks, simulated: what is shared is not run, what is not shared is, through any crashes."""

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import Entry, World, chain, play, random_flow, undisturbed

from stepwell.orchestrator import (
    CheckpointShared,
    Event,
    Output,
    RunStarted,
    State,
    apply,
    current_inputs,
    inherited,
)


def folded(world: World) -> State:
    """What the disk says."""
    state = State("r")
    for step, item, attempt, at, event in world.disk:
        state = apply(state, event, step=step, item=item, attempt=attempt, at=at)
    return state


def forked(parent: State, *, without: tuple[str, ...], given: dict[str, Output]) -> World:
    """A disk with nothing but what a fork begins with, as it is written down."""
    decode = msgspec.json.Decoder(Event).decode
    entries: list[Entry] = [("", "", 0, 1, RunStarted(forked_from=parent.run))]
    values = {name: {name: output} for name, output in given.items()}
    for at, it in enumerate(inherited(parent, without=without, given=values), 2):
        entries.append((it.step, it.item, it.attempt, at, decode(msgspec.json.encode(it.event))))
    return World(disk=entries, clock=len(entries) + 1)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 9), crashes=st.integers(0, 3))
def test_a_fork_runs_what_it_does_not_share(seed: int, size: int, crashes: int) -> None:
    """Killed at any moment it comes to the same results, and pays for nothing it shares."""
    choose = random.Random(seed)
    steps = random_flow(choose, size)
    first = World(fails=lambda name, execution: choose.random() < 0.2)
    play(first, steps, choose, crashes=choose.randint(0, 2), by_resume=True)
    parent = folded(first)
    start = choose.choice(steps).name
    again = (start, *parent.flow.descendants(start)) if choose.random() < 0.7 else ()
    shared = {
        name
        for name, step in parent.steps.items()
        if name not in again and step.checkpoint is not None
    }
    second = forked(parent, without=again, given={})
    play(second, steps, choose, crashes=crashes, by_resume=False)
    assert second.outputs() == undisturbed(steps)
    assert not shared & {*second.executions}
    assert all(second.completed()[step.name] == 1 for step in steps if step.name not in shared)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(2, 9))
def test_a_given_output_is_read_by_all_below_it(seed: int, size: int) -> None:
    """Its own step does not run; every reader runs, unless what it reads comes out the same."""
    choose = random.Random(seed)
    steps = random_flow(choose, size)
    first = World()
    play(first, steps, choose, crashes=0, by_resume=True)
    parent = folded(first)
    name = choose.choice(steps).name
    second = forked(parent, without=(), given={name: Output("another")})
    play(second, steps, choose, crashes=choose.randint(0, 2), by_resume=False)
    state = folded(second)
    assert second.outputs()[name] == "another"
    assert {*second.executions} == {*parent.flow.descendants(name)}
    for step in state.flow:
        checkpoint = state.steps[step.name].checkpoint
        assert checkpoint is not None
        assert checkpoint.inputs == current_inputs(state, step)


def test_a_shared_result_is_no_attempt() -> None:
    """It has the time and the attempt of the other run; the first attempt here is the first."""
    first = World()
    play(first, chain(2), random.Random(1), crashes=0, by_resume=True)
    parent = folded(first)
    state = folded(forked(parent, without=("s1",), given={}))
    shared, made = state.steps["s0"], parent.steps["s0"].checkpoint
    assert (shared.checkpoint, shared.attempts, shared.restored) == (made, 0, True)
    assert state.steps["s1"].checkpoint is None
    events = [it for it in inherited(parent) if isinstance(it.event, CheckpointShared)]
    assert [it.step for it in events] == ["s0", "s1"]
