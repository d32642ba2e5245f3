"""Runs called by runs: never two for one call, none lost, none done twice; ended together."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.errors import AgentTooDeep
from stepwell.orchestrator import (
    AttemptCompleted,
    AttemptStarted,
    ChildSettled,
    ChildStarted,
    RunSettled,
    RunStarted,
)
from tests.support.family import ROOT, Agent, Process, World, agent, go_on

MAIN = agent("main", plan=[], search=["reader", "reader", "writer"], publish=["writer"])
READER = agent("reader", look=[], read=["judge"])
WRITER = agent("writer", draft=["judge", "judge"])
JUDGE = agent("judge", judge=[])
ALL = {it.name: it for it in (MAIN, READER, WRITER, JUDGE)}
EXPECTED = Counter({"reader": 2, "writer": 2, "judge": 2 + 4})


def children(world: World) -> Counter[str]:
    """How many runs of each agent the disk knows."""
    return Counter(event.flow for _, _, event in world.events(RunStarted) if event.flow)


def completed(world: World) -> Counter[tuple[str, str]]:
    """How often each step of each run has completed, as far as the disk knows."""
    return Counter((run, step) for run, step, _ in world.events(AttemptCompleted))


def undisturbed() -> dict[str, str]:
    """What comes out when nothing goes wrong."""
    world = World(dict(ALL))
    process = world.boot()
    process.ask(MAIN)
    go_on(process, random.Random(0))
    return world.result()


def play(world: World, choose: random.Random, crashes: list[int], *, resume: bool) -> None:
    """To the end, with a crash after so many moves each."""
    process = world.boot()
    process.ask(MAIN)
    for moves in crashes:
        go_on(process, choose, moves=moves)
        world.crash(batch_arrived=choose.random() < 0.5)
        process = world.boot()
        process.ask(MAIN, resume=resume and bool(process.states[ROOT].flow))
    go_on(process, choose)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    crashes=st.lists(st.integers(1, 60), max_size=5),
    resume=st.booleans(),
)
def test_a_crash_anywhere_starts_no_second_child_and_repeats_no_completed_step(
    seed: int, crashes: list[int], resume: bool
) -> None:
    """The same result, one child to a call, and every step completed once."""
    world = World(dict(ALL))
    play(world, random.Random(seed), crashes, resume=resume)
    assert world.result() == undisturbed()
    assert children(world) == EXPECTED
    assert set(completed(world).values()) == {1}


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10_000), crashes=st.lists(st.integers(1, 60), max_size=4))
def test_a_child_and_its_call_begin_and_end_in_one_commit(seed: int, crashes: list[int]) -> None:
    """Whatever a crash leaves on the disk: no run without its call, no call without its run."""
    world = World(dict(ALL))
    play(world, random.Random(seed), crashes, resume=True)
    began = {event.child for _, _, event in world.events(ChildStarted)}
    ended = {event.child for _, _, event in world.events(ChildSettled)}
    runs = {run for run, _, _ in world.events(RunStarted) if run != ROOT}
    settled = {run for run, _, _ in world.events(RunSettled) if run != ROOT}
    assert began == runs
    assert ended == settled


def finished(world: World, choose: random.Random) -> Process:
    """A process in which everything asked for has come to its end."""
    process = world.boot()
    process.ask(MAIN)
    go_on(process, choose)
    return process


def broken(times: int = 1) -> World:
    """One in which the reader's second step fails the first so many times."""
    return World(
        dict(ALL), fails=lambda name, step, n: (name, step) == ("reader", "read") and n <= times
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_failed_child_stays_failed_on_resume(seed: int) -> None:
    """Nobody has asked for it again: the call fails as it did, and nothing of it runs."""
    world = broken(times=2)
    finished(world, random.Random(seed))
    ran = world.executions.copy()
    world.crash(batch_arrived=True)
    process = world.boot()
    process.ask(MAIN, resume=True)
    go_on(process, random.Random(seed))
    assert world.executions == ran
    assert process.states[ROOT].steps["search"].error is not None


@pytest.mark.parametrize("seed", range(5))
def test_a_failed_child_stays_failed_while_the_work_it_failed_in_is_cut_off(seed: int) -> None:
    """Crashes between its failure and the caller's end are no reason to try it again."""
    world = broken()
    process = world.boot()
    process.ask(MAIN)
    while not world.events(ChildSettled) or world.executions["reader", "read"] < 1:
        go_on(process, random.Random(seed), moves=1)
    for _ in range(3):
        go_on(process, random.Random(seed), moves=1)
        world.crash(batch_arrived=True)
        process = world.boot()
        process.ask(MAIN, resume=True)
    go_on(process, random.Random(seed))
    statuses = [event.status for _, _, event in world.events(ChildSettled)]
    assert statuses.count("failed") == 1
    assert process.states[ROOT].steps["search"].error is not None


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("crash", [False, True])
def test_asked_again_a_failed_child_goes_on_where_it_stopped(seed: int, crash: bool) -> None:
    """The same run; what it had completed is not done again, nor are its siblings."""
    world = broken()
    process = finished(world, random.Random(seed))
    if crash:
        world.crash(batch_arrived=True)
        process = world.boot()
    process.ask(MAIN)
    go_on(process, random.Random(seed))
    assert world.result() == undisturbed()
    assert children(world) == EXPECTED
    assert set(completed(world).values()) == {1}
    assert world.executions["reader", "look"] == 2


@pytest.mark.parametrize("seed", range(5))
def test_an_edited_agent_runs_again_what_has_changed_and_no_more(seed: int) -> None:
    """The calling step asked for again: its child goes on with the new step, in the same run."""
    world = broken(times=2)
    process = finished(world, random.Random(seed))
    new = agent("reader", look=[], read=["judge"])
    read = agent("reader", "2", look=[], read=["judge"]).steps[1]
    world.agents["reader"] = Agent("reader", (new.steps[0], read), new.calls, "2")
    process.ask(MAIN)
    go_on(process, random.Random(seed))
    assert process.states[ROOT].steps["publish"].checkpoint is not None
    assert children(world)["reader"] == 2
    assert world.executions["reader", "look"] == 2
    assert children(world)["judge"] == EXPECTED["judge"]


@pytest.mark.parametrize("moves", range(1, 60, 6))
@pytest.mark.parametrize("crash", [False, True])
def test_cancelling_the_parent_cancels_all_below_for_good(moves: int, crash: bool) -> None:
    """In one commit with the parent: a crash afterwards brings nothing back to life."""
    world = World(dict(ALL))
    process = world.boot()
    process.ask(MAIN)
    go_on(process, random.Random(moves), moves=moves)
    process.cancel()
    process.commit()
    if crash:
        world.crash(batch_arrived=True)
        process = world.boot()
        process.ask(MAIN, resume=True)
    started = len(world.events(AttemptStarted))
    go_on(process, random.Random(moves))
    assert len(world.events(AttemptStarted)) == started
    ended = {event.child for _, _, event in world.events(ChildSettled)}
    assert ended == {run for run, _, _ in world.events(RunStarted) if run != ROOT}


@pytest.mark.parametrize("moves", range(1, 60, 6))
def test_what_was_cancelled_goes_on_when_it_is_asked_for_again(moves: int) -> None:
    """With everything below it, and nothing completed is done twice."""
    world = World(dict(ALL))
    process = world.boot()
    process.ask(MAIN)
    go_on(process, random.Random(moves), moves=moves)
    process.cancel()
    go_on(process, random.Random(moves))
    process.ask(MAIN)
    go_on(process, random.Random(moves))
    assert world.result() == undisturbed()
    assert children(world) == EXPECTED
    assert set(completed(world).values()) == {1}


def test_agents_that_call_each_other_without_end_are_stopped() -> None:
    """At the depth that is allowed, before anything of the run too many is written."""
    world = World({"main": agent("main", ask=["loop"]), "loop": agent("loop", again=["loop"])})
    process = world.boot()
    process.ask(world.agents["main"])
    with pytest.raises(AgentTooDeep, match="'loop' is called 10 runs deep"):
        go_on(process, random.Random(0))
    process.commit()
    assert children(world)["loop"] == 10
    depths = [it.depth for _, _, it in world.events(RunStarted)]
    assert depths == list(range(11))


def test_children_that_are_done_are_not_kept_in_memory() -> None:
    """The store has them; a run of thousands of calls does not hold them all."""
    process = finished(World(dict(ALL)), random.Random(1))
    assert set(process.states) == {ROOT}
