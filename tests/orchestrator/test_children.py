"""Runs called by runs: never two for one call, none lost, none done twice; ended together."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.errors import AgentTooDeep
from stepwell.flow import Deadlines, Retry
from stepwell.orchestrator import (
    ApprovalDecided,
    ApprovalRequested,
    AttemptCompleted,
    AttemptStarted,
    ChildSettled,
    ChildStarted,
    Failure,
    RunHeld,
    RunReleased,
    RunSettled,
    RunStarted,
)
from tests.support.family import ROOT, Agent, Process, World, agent, changed, go_on

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


# -- time: while a child waits for a person, nobody's clock goes on --------------------------

IMPATIENT = Deadlines(attempt=100.0, total=100.0, stall=100.0)
ASKING = {
    "main": changed(MAIN, "search", deadlines=IMPATIENT),
    "reader": changed(
        agent("reader", look=["?"], read=["judge", "?"]), "read", deadlines=IMPATIENT
    ),
    "writer": changed(WRITER, "draft", deadlines=IMPATIENT),
    "judge": changed(agent("judge", judge=["?"]), "judge", deadlines=IMPATIENT),
}


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10_000), crashes=st.lists(st.integers(1, 90), max_size=4))
def test_no_clock_goes_on_while_only_people_are_waited_for(seed: int, crashes: list[int]) -> None:
    """A day for each answer, at whatever depth, over crashes: nothing has taken too long."""
    world = World(dict(ASKING))
    play(world, random.Random(seed), crashes, resume=True)
    assert world.timeouts == 0
    assert world.result() == undisturbed()
    assert set(completed(world).values()) == {1}


@pytest.mark.parametrize("seed", range(5))
def test_a_child_that_works_for_too_long_is_too_long_for_its_caller(seed: int) -> None:
    """The clock stands still for people only."""
    world = World({"main": ASKING["main"], "reader": READER, "writer": WRITER, "judge": JUDGE})
    process = world.boot()
    process.ask(world.agents["main"])
    while not children(world)["reader"]:
        go_on(process, random.Random(seed), moves=1)
    world.clock += 99_000_000
    process.advance()
    assert world.timeouts == 0
    world.clock += 1_000_000
    process.advance()
    assert world.timeouts == 1
    go_on(process, random.Random(seed))
    ended = {event.status for _, _, event in world.events(ChildSettled)}
    assert "cancelled" in ended


@pytest.mark.parametrize("seed", range(5))
def test_once_a_person_has_answered_the_clock_goes_on(seed: int) -> None:
    """What was worked before the question counts, and what is worked after it."""
    lone = changed(agent("main", search=["judge"]), "search", deadlines=IMPATIENT)
    world = World({"main": lone, "judge": agent("judge", judge=["?"])})
    process = world.boot()
    process.ask(lone)
    while not any(state.pending for state in process.states.values()):
        go_on(process, random.Random(seed), moves=1)
        world.clock += 10_000_000
    process.decide_one(random.Random(seed))
    process.commit()
    world.clock += 40_000_000
    process.advance()
    assert world.timeouts == 0
    world.clock += 60_000_000
    process.advance()
    assert world.timeouts == 1


# -- failures: what may pass is tried again through the caller's retries ----------------------

PASSING = Failure(("ConnectionError",), is_transient=True)
TRYING = {**ALL, "main": changed(MAIN, "search", retry=Retry(retries=3, backoff=1.0))}


def failing(agents: dict[str, Agent], times: int, failure: dict[str, Failure]) -> World:
    """One in which the last steps of these agents fail the first so many times."""
    last = {"reader": "read", "writer": "draft"}
    return World(
        agents,
        fails=lambda name, step, n: name in failure and last.get(name) == step and n <= times,
        failure=lambda name: failure.get(name, Failure()),
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    crashes=st.lists(st.integers(1, 60), max_size=3),
    times=st.integers(1, 3),
)
def test_what_has_failed_in_passing_is_tried_again_by_the_callers_retries(
    seed: int, crashes: list[int], times: int
) -> None:
    """The same child goes on; nothing that was completed is done again, over crashes as well."""
    world = failing(dict(TRYING), times, {"reader": PASSING})
    process = world.boot()
    process.ask(TRYING["main"])
    for moves in crashes:
        go_on(process, random.Random(seed), moves=moves)
        world.crash(batch_arrived=True)
        process = world.boot()
        process.ask(TRYING["main"], resume=True)
    go_on(process, random.Random(seed))
    assert world.result() == undisturbed()
    assert children(world) == EXPECTED
    assert set(completed(world).values()) == {1}


@pytest.mark.parametrize("seed", range(5))
def test_what_has_failed_for_good_stays_failed_however_often_its_caller_is_tried(
    seed: int,
) -> None:
    """Beside it another one has failed in passing, which is why the caller is tried again."""
    world = failing(dict(TRYING), 1, {"reader": Failure(("ValueError",)), "writer": PASSING})
    world.failure = lambda name: PASSING if name == "writer" else Failure(("ValueError",))
    process = world.boot()
    process.ask(TRYING["main"])
    go_on(process, random.Random(seed))
    starts = [step for run, step, _ in world.events(AttemptStarted) if run == ROOT]
    assert starts.count("search") == 2
    # The first of them has failed, and the others have not; none is tried again.
    assert world.executions["reader", "read"] == 2
    assert world.executions["writer", "draft"] == 2
    assert process.states[ROOT].steps["search"].error is not None


@pytest.mark.parametrize("seed", range(5))
def test_without_retries_a_failed_child_is_not_tried_again(seed: int) -> None:
    """And asked for again by a person, it goes on."""
    world = failing(dict(ALL), 1, {"reader": PASSING})
    process = finished(world, random.Random(seed))
    ran = world.executions["reader", "read"]
    assert process.states[ROOT].steps["search"].error is not None
    process.ask(MAIN)
    go_on(process, random.Random(seed))
    assert world.executions["reader", "read"] == ran + 1
    assert world.result() == undisturbed()
    assert children(world) == EXPECTED


# -- left: who ceases to wait has the child cancelled, once -----------------------------------


@pytest.mark.parametrize("moves", range(1, 60, 4))
@pytest.mark.parametrize("crash", [False, True])
def test_a_child_that_is_left_is_cancelled_at_once_and_no_other(moves: int, crash: bool) -> None:
    """With all below it, in one commit; over a crash it is asked for again, and goes on."""
    world = World(dict(ALL))
    process = world.boot()
    process.ask(MAIN)
    choose = random.Random(moves)
    go_on(process, choose, moves=moves)
    left = next(filter(None, (process.leave(*at) for at in list(process.running))), "")
    process.commit()
    settled = [run for run, _, it in world.events(RunSettled) if it.status == "cancelled"]
    assert settled.count(left) == (1 if left else 0)
    parents = {run: event.parent for run, _, event in world.events(RunStarted)}
    assert all(run == left or parents[run] in settled for run in settled)
    if crash:
        world.crash(batch_arrived=True)
        process = world.boot()
        process.ask(MAIN, resume=True)
    go_on(process, choose)
    again = [run for run, _, it in world.events(RunSettled) if it.status == "cancelled"]
    assert again == settled
    assert process.states[ROOT].steps["publish"].checkpoint is not None
    if crash:
        assert world.result() == undisturbed()
        assert children(world) == EXPECTED
        assert set(completed(world).values()) == {1}


# -- what people want of one child ------------------------------------------------------------


@pytest.mark.parametrize("moves", range(4, 60, 5))
@pytest.mark.parametrize("crash", [False, True])
def test_a_child_that_is_cancelled_alone_stays_so_until_its_caller_is_asked_for(
    moves: int, crash: bool
) -> None:
    """Retries do not bring it back, nor does a crash; a person who asks again does."""
    world = World(dict(TRYING))
    process = world.boot()
    process.ask(TRYING["main"])
    choose = random.Random(moves)
    go_on(process, choose, moves=moves)
    below = [run for run, state in process.states.items() if run != ROOT and not state.settled]
    for run in below[:1]:
        process.children.cancel(run)
    process.advance()
    process.commit()
    if crash:
        world.crash(batch_arrived=True)
        process = world.boot()
        process.ask(TRYING["main"], resume=True)
    go_on(process, choose)
    starts = [step for run, step, _ in world.events(AttemptStarted) if run == ROOT]
    assert starts.count("search") <= (2 if crash else 1)
    assert bool(below) == any(step.error for step in process.states[ROOT].steps.values())
    process.ask(TRYING["main"])
    go_on(process, choose)
    assert world.result() == undisturbed()
    assert children(world) == EXPECTED
    assert set(completed(world).values()) == {1}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("moves", [0, 3, 9])
def test_a_step_of_a_child_runs_again_with_those_that_wait_for_it_and_no_other(
    seed: int, moves: int
) -> None:
    """At whatever depth, over a crash too: the same runs, each on the way once more."""
    world = World(dict(ALL))
    process = finished(world, random.Random(seed))
    choose = random.Random(seed)
    parents = {run: event for run, _, event in world.events(RunStarted)}
    run, step, _ = choose.choice([it for it in world.events(AttemptCompleted) if it[0] != ROOT])
    top, _ = process.children.recall(run, step)
    process.want([top], force=[top], failed_only=True)
    if moves:
        go_on(process, choose, moves=moves)
        world.crash(batch_arrived=True)
        process = world.boot()
        process.ask(MAIN, resume=True)
    go_on(process, choose)
    again = {(run, step)}
    while run != ROOT:
        again.add((parents[run].parent, parents[run].step))
        run = parents[run].parent
    assert {at for at, times in completed(world).items() if times > 1} == again
    assert max(completed(world).values()) == 2
    assert children(world) == EXPECTED
    assert world.result() == undisturbed()


# -- a budget of time: held when it is over, extended by a person ------------------------------


def limited(seed: int, micros: int, crashes: list[int]) -> World:
    """A world in which people extend the time as often as they are asked."""
    world = World(dict(ALL))
    process, choose = world.boot(), random.Random(seed)
    process.limit_time(micros / 1e6)
    process.ask(MAIN)
    for moves in crashes:
        go_on(process, choose, moves=moves)
        world.crash(batch_arrived=True)
        process = world.boot()
        process.ask(MAIN, resume=True)
    go_on(process, choose)
    return world


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    micros=st.integers(20, 200),
    crashes=st.lists(st.integers(1, 60), max_size=3),
)
def test_nothing_starts_when_time_is_over_and_with_more_all_comes_to_its_end(
    seed: int, micros: int, crashes: list[int]
) -> None:
    """In children too; neither crashes nor the day a person takes use any of it up."""
    world = limited(seed, micros, crashes)
    assert world.result() == undisturbed()
    assert children(world) == EXPECTED
    assert set(completed(world).values()) == {1}
    held = Counter(run for run, _, _ in world.events(RunHeld))
    released = Counter(run for run, _, _ in world.events(RunReleased))
    # A child that has ended meanwhile is told when it is asked to go on.
    assert held[ROOT] == released[ROOT]
    asked = [it for _, _, it in world.events(ApprovalRequested) if it.form == "budget"]
    decided = {it.approval for _, _, it in world.events(ApprovalDecided)}
    assert {it.approval for it in asked} <= decided
    if held:
        assert asked


@pytest.mark.parametrize("seed", range(8))
def test_a_run_that_gets_no_more_time_ends_what_runs_and_starts_nothing(seed: int) -> None:
    """What was to come is cancelled; asked for again, it asks again, and goes on from there."""
    world = World(dict(ALL), word="rejected")
    process, choose = world.boot(), random.Random(seed)
    process.limit_time(60 / 1e6)
    process.ask(MAIN)
    go_on(process, choose)
    assert process.states[ROOT].settled in {"failed", "cancelled"}
    assert not process.states[ROOT].held
    assert set(process.states) == {ROOT}
    world.word = "approved"
    process.ask(MAIN)
    go_on(process, choose)
    assert world.result() == undisturbed()
    assert children(world) == EXPECTED
    assert set(completed(world).values()) == {1}
