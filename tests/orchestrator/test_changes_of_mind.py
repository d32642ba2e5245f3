"""Forgetting, renaming, cancelling and editing while things are under way."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import Process, World, make_step, random_flow

from stepwell.orchestrator import (
    AttemptCompleted,
    AttemptInterrupted,
    AttemptStarted,
    Output,
    Phase,
    RunCancelled,
    StepForgotten,
    StepRenamed,
    apply,
    is_stuck,
    phase_of,
)


def boot(world: World, *names_and_reads: tuple[str, list[str]]) -> Process:
    """A process with these steps defined."""
    process = world.boot()
    process.define([make_step(name, reads) for name, reads in names_and_reads])
    return process


def finish_all(process: Process) -> None:
    """Let it run until nothing more happens by itself."""
    while not process.is_quiet:
        process.commit()
        for name in list(process.running):
            process.finish(name)


def cancel(process: Process, *names: str) -> None:
    """As `%stepwell cancel` does it."""
    for name in list(process.state.running):
        running = process.state.steps[name].running
        if running is not None and name in (names or process.state.steps):
            event = AttemptInterrupted("cancelled")
            process.record(event, step=name, attempt=running.attempt)
            process.running.pop(name, None)
    process.effects = [it for it in process.effects if it.step not in (names or (it.step,))]
    process.record(RunCancelled(names))
    process.advance()


def forget(process: Process, name: str) -> None:
    """As `%stepwell forget` does it; what ran goes on and reports late."""
    process.record(StepForgotten(), step=name)
    process.running.pop(name, None)
    process.effects = [it for it in process.effects if it.step != name]
    process.advance()


def rename(process: Process, old: str, new: str) -> None:
    """As a cell does that was given another name: it writes what it wrote."""
    process.record(StepRenamed(new), step=old)
    process.advance()


def test_a_forgotten_steps_late_result_is_not_its_successors() -> None:
    """A step of the same name begins where the numbers ended: the fence holds."""
    process = boot(World(), ("a", []))
    process.ask(["a"])
    process.commit()
    late = process.running["a"]
    forget(process, "a")
    process.define([make_step("a", [], code="2")])
    process.ask(["a"])
    process.commit()
    assert process.running["a"].attempt != late.attempt
    event = AttemptCompleted({"a": Output("late")})
    state = apply(process.state, event, step="a", attempt=late.attempt)
    assert state.steps["a"].checkpoint is None
    finish_all(process)
    assert process.state.steps["a"].checkpoint is not None


def test_a_forgotten_steps_successor_is_another_piece_of_work() -> None:
    """The idempotency key of what has completed is not used again."""
    process = boot(World(), ("a", []))
    process.ask(["a"])
    process.commit()
    first = process.running["a"].key
    finish_all(process)
    forget(process, "a")
    process.define([make_step("a", [], code="2")])
    process.ask(["a"])
    process.commit()
    assert process.running["a"].key != first


@pytest.mark.parametrize("names", [["a"], []])
def test_cancelling_a_second_run_of_a_step_leaves_nobody_waiting_for_ever(names: list[str]) -> None:
    """A reader of a cancelled step is told, although there is an older result."""
    process = boot(World(), ("a", []), ("b", ["a"]))
    process.ask(["a"])
    finish_all(process)
    process.ask(["a", "b"], force=["a"])
    process.commit()
    cancel(process, *names)
    finish_all(process)
    assert process.state.settled == "cancelled"
    if process.state.steps["b"].owed:
        assert is_stuck(process.state, "b")


def test_a_reader_of_a_cancelled_step_has_it_run() -> None:
    """Asking for the reader asks for the cancelled step again."""
    process = boot(World(), ("a", []), ("b", ["a"]))
    process.ask(["a"])
    finish_all(process)
    process.ask(["a"], force=["a"])
    process.commit()
    cancel(process, "a")
    finish_all(process)
    process.ask(["b"])
    finish_all(process)
    assert phase_of(process.state.steps["b"]) is Phase.COMPLETED
    assert process.state.settled == "completed"


def test_a_step_does_not_start_without_what_a_forgotten_one_was_to_make() -> None:
    """Its wish cannot be fulfilled: that is said, and nothing is run."""
    process = boot(World(), ("a", []), ("b", ["a"]), ("c", ["b"]))
    process.ask(["c"])
    process.commit()
    forget(process, "a")
    finish_all(process)
    assert process.world.executions["b"] == 0
    assert is_stuck(process.state, "c")
    assert process.state.settled == "cancelled"


def test_a_reader_waits_for_a_renamed_step() -> None:
    """The name changes; who waits, waits on."""
    world = World(fails=lambda name, execution: name == "a")
    process = boot(world, ("a", []), ("b", ["a"]))
    process.ask(["a", "b"])
    finish_all(process)
    rename(process, "a", "z")
    assert process.running == {}
    assert process.effects == []
    assert process.state.steps["b"].owed
    process.ask(["z"])
    process.commit()
    process.record(
        AttemptCompleted({"a": Output("new")}),
        step="z",
        attempt=process.running.pop("z").attempt,
    )
    process.advance()
    process.commit()
    assert process.running["b"].inputs == {"a": "new"}


def test_a_waiting_step_waits_for_a_new_writer_of_what_it_reads() -> None:
    """A name of the notebook has become a step's output while the reader waited."""
    process = boot(World(), ("a", []), ("b", ["a", "y"]))
    process.ask(["b"])
    process.commit()
    process.define([make_step("y", [])])
    process.finish("a")
    process.commit()
    assert "b" not in process.running
    process.ask(["y"])
    finish_all(process)
    assert process.state.steps["b"].checkpoint is not None


def test_a_waiting_step_that_reads_otherwise_waits_for_that() -> None:
    """An edit that is only registered counts for the wish that is open."""
    process = boot(World(), ("a", []), ("c", []), ("b", ["a"]))
    process.ask(["b"])
    process.commit()
    process.define([make_step("b", ["c"], code="2")])
    process.finish("a")
    process.commit()
    assert "b" not in process.running
    process.ask(["b"])
    finish_all(process)
    assert process.world.executions["b"] == 1


class Person:
    """Does one thing after the other, whatever comes to mind."""

    def __init__(self, process: Process, choose: random.Random) -> None:
        self.process = process
        self.choose = choose
        self.edits = 0

    def act(self) -> None:
        """One move."""
        process, choose = self.process, self.choose
        names = [step.name for step in process.state.flow]
        move = choose.choice(["edit", "ask", "rerun", "cancel", "forget", "commit", "finish"])
        name = choose.choice(names) if names else ""
        match move:
            case "commit":
                process.commit()
            case "finish" if process.running:
                process.finish(choose.choice(sorted(process.running)))
            case "edit":
                self._edit(name)
            case "ask" if name:
                process.ask(choose.sample(names, choose.randint(1, len(names))))
            case "rerun" if name:
                process.ask([name], force=[name])
            case "cancel" if name:
                cancel(process, *choose.choice([(), (name,)]))
            case "forget" if name:
                forget(process, name)
            case _:
                pass

    def _edit(self, name: str) -> None:
        # s1 may read s0, s2 both, and so on: no circles.
        self.edits += 1
        number = self.choose.randrange(6)
        reads = [f"s{i}" for i in range(number) if self.choose.random() < 0.5]
        self.process.define([make_step(f"s{number}", reads, code=str(self.edits))])
        self.process.advance()


@settings(max_examples=1000, deadline=None)
@given(seed=st.integers(0, 2**32), moves=st.integers(1, 60))
def test_whatever_is_done_in_whatever_order_nothing_hangs(seed: int, moves: int) -> None:
    """When all is quiet, whoever still waits is told why; no attempt is made twice.

    That every attempt starts with what it reads on disk is checked by the simulation.
    """
    choose = random.Random(seed)
    world = World(fails=lambda name, execution: choose.random() < 0.2)
    process = world.boot()
    process.define(random_flow(choose, 4))
    person = Person(process, choose)
    for _ in range(moves):
        person.act()
    finish_all(process)
    state = process.state
    assert state.settled
    assert [name for name, it in state.steps.items() if it.owed and not is_stuck(state, name)] == []
    assert state.owed == sum(step.owed for step in state.steps.values())
    starts = [(e[0], e[1]) for e in world.disk if isinstance(e[3], AttemptStarted)]
    assert len(starts) == len(set(starts))


@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32), moves=st.integers(1, 60))
def test_the_disk_tells_the_same_story(seed: int, moves: int) -> None:
    """Reading the events back gives the steps as they were in memory."""
    choose = random.Random(seed)
    world = World()
    process = world.boot()
    process.define(random_flow(choose, 4))
    person = Person(process, choose)
    for _ in range(moves):
        person.act()
    process.commit()
    again = World(disk=world.disk).boot()
    for name, step in process.state.steps.items():
        assert again.state.steps[name].checkpoint == step.checkpoint
        assert again.state.steps[name].attempts == step.attempts
    assert list(again.state.flow) == list(process.state.flow)
