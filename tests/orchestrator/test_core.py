"""The pure core under every crash one can think of."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import World, chain, make_step, play, random_flow, undisturbed

from stepwell.orchestrator import Phase, phase_of


@settings(max_examples=1500, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 12),
    crashes=st.integers(0, 4),
    by_resume=st.booleans(),
)
def test_crashes_change_nothing_about_the_outcome(
    seed: int, size: int, crashes: int, by_resume: bool
) -> None:
    """Whatever the flow and wherever it dies, resuming ends in the undisturbed outputs."""
    choose = random.Random(seed)
    steps = random_flow(choose, size)
    world = World()
    play(world, steps, choose, crashes=crashes, by_resume=by_resume)
    assert world.outputs() == undisturbed(steps)


@settings(max_examples=1500, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 12), crashes=st.integers(1, 5))
def test_a_completed_step_never_runs_again(seed: int, size: int, crashes: int) -> None:
    """Once its completion is on disk, a step's code is not executed again."""
    choose = random.Random(seed)
    steps = random_flow(choose, size)
    world = World()
    play(world, steps, choose, crashes=crashes, by_resume=False)
    assert set(world.completed().values()) == {1}
    # Every execution beyond one was cut off by a crash before its result was on disk.
    assert sum(world.executions.values()) - len(steps) <= crashes * world.slots


@pytest.mark.parametrize("crash_after", range(40))
@pytest.mark.parametrize("arrived", [False, True])
def test_a_chain_survives_a_crash_at_every_single_move(crash_after: int, arrived: bool) -> None:
    """A chain of eight steps, killed after each possible move, goes on where it stopped."""
    steps = chain(8)
    world = World()
    process = world.boot()
    process.define(steps)
    process.ask([step.name for step in steps])
    for _ in range(crash_after):
        if process.is_quiet:
            break
        if process.batch or process.effects:
            process.commit()
        else:
            process.finish(next(iter(process.running)))
    world.crash(batch_arrived=arrived)
    done_before = set(world.completed())
    executed_before = world.executions.copy()
    process = world.boot()
    process.define(steps)
    process.ask([step.name for step in steps])
    while not process.is_quiet:
        process.commit()
        for name in list(process.running):
            process.finish(name)
    assert world.outputs() == undisturbed(steps)
    for name in done_before:
        assert world.executions[name] == executed_before[name]


def finish_all(world: World) -> None:
    """Let the process run until nothing more happens."""
    process = world.process
    assert process is not None
    while not process.is_quiet:
        process.commit()
        for name in list(process.running):
            process.finish(name)


def test_a_failed_step_parks_its_readers_and_a_fix_lets_them_go_on() -> None:
    """After a failure nothing above is run again, and readers go on once it is mended."""
    world = World(fails=lambda name, execution: name == "b" and execution == 1)
    steps = [make_step("a", []), make_step("b", ["a"]), make_step("c", ["b"])]
    process = world.boot()
    process.define(steps)
    process.ask(["a", "b", "c"])
    finish_all(world)
    assert phase_of(process.state.steps["b"]) is Phase.FAILED
    assert phase_of(process.state.steps["c"]) is Phase.WAITING
    assert process.state.settled == "failed"
    process.define([make_step("b", ["a"], code="2")])
    process.ask(["b"])
    finish_all(world)
    assert world.executions == {"a": 1, "b": 2, "c": 1}
    assert process.state.settled == "completed"


def test_running_a_readers_cell_does_not_pay_for_the_same_failure_again() -> None:
    """A failed step that has not changed is tried again only when it is asked for itself."""
    world = World(fails=lambda name, execution: name == "a")
    process = world.boot()
    process.define([make_step("a", []), make_step("b", ["a"])])
    process.ask(["a"])
    finish_all(world)
    process.ask(["b"])
    finish_all(world)
    assert world.executions["a"] == 1
    process.ask(["a"])
    finish_all(world)
    assert world.executions["a"] == 2


def test_an_equal_result_leaves_readers_valid() -> None:
    """A step that runs again and gives the same value does not make its readers run."""
    world = World()
    process = world.boot()
    process.define([make_step("a", []), make_step("b", ["a"])])
    process.ask(["a", "b"])
    finish_all(world)
    process.ask(["a"], by="rerun", force=["a"])
    finish_all(world)
    process.ask(["b"])
    finish_all(world)
    assert world.executions == {"a": 2, "b": 1}


def test_an_edited_step_makes_its_readers_run_when_they_are_asked_for() -> None:
    """A changed value is never passed over in silence."""
    world = World()
    process = world.boot()
    process.define([make_step("a", []), make_step("b", ["a"])])
    process.ask(["a", "b"])
    finish_all(world)
    process.define([make_step("a", [], code="2")])
    process.ask(["b"])
    finish_all(world)
    assert world.executions == {"a": 2, "b": 2}


def test_asking_for_everything_again_runs_nothing() -> None:
    """Run All over a finished flow answers every step from its checkpoint."""
    world = World()
    steps = random_flow(random.Random(1), 10)
    process = world.boot()
    process.define(steps)
    process.ask([step.name for step in steps])
    finish_all(world)
    before = world.executions.copy()
    for step in steps:
        process.ask([step.name])
    finish_all(world)
    assert world.executions == before


def test_a_late_result_of_an_attempt_that_was_given_up_changes_nothing() -> None:
    """The attempt number is a fence."""
    from stepwell.orchestrator import AttemptCompleted, AttemptInterrupted, Output

    world = World()
    process = world.boot()
    process.define([make_step("a", [])])
    process.ask(["a"])
    process.commit()
    process.record(AttemptInterrupted("worker_lost"), step="a", attempt=1)
    process.advance()
    process.record(AttemptCompleted({"a": Output("late")}), step="a", attempt=1)
    assert process.state.steps["a"].checkpoint is None
    finish_all(world)
    assert world.outputs()["a"] != "late"


def test_a_transient_output_is_made_again_in_a_new_process() -> None:
    """A new process makes a transient output again, and its readers stay valid."""
    world = World()
    steps = [make_step("a", []), make_step("b", ["a"])]
    from msgspec.structs import replace

    steps[0] = replace(steps[0], transient=("a",))
    process = world.boot()
    process.define(steps)
    process.ask(["a", "b"])
    process.commit()
    # The simulated worker stores everything; say what a real one would say of a transient.
    from stepwell.orchestrator import AttemptCompleted, Output

    process.running.pop("a")
    world.executions["a"] += 1
    event = AttemptCompleted({"a": Output("made-from", stored=False)})
    process.record(event, step="a", attempt=1)
    process.advance()
    finish_all(world)
    world.crash(batch_arrived=False)
    process = world.boot()
    process.ask(["b"])
    process.commit()
    assert list(process.running) == ["a"]
    process.running.pop("a")
    process.record(event, step="a", attempt=2)
    process.advance()
    finish_all(world)
    assert world.executions["b"] == 1


def test_a_second_request_while_running_is_looked_at_when_the_first_has_ended() -> None:
    """An edit during an attempt runs the new code after the old attempt, never beside it."""
    world = World()
    process = world.boot()
    process.define([make_step("a", [])])
    process.ask(["a"])
    process.commit()
    process.define([make_step("a", [], code="2")])
    process.ask(["a"])
    assert list(process.running) == ["a"]
    process.commit()
    process.finish("a")
    finish_all(world)
    assert world.executions["a"] == 2
    assert process.state.steps["a"].checkpoint is not None
    assert process.state.steps["a"].checkpoint.code == process.state.flow["a"].digest
