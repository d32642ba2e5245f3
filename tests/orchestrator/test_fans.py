"""Mapped steps in the pure core, under every crash one can think of."""

import random
from collections.abc import Callable, Sequence

from fanning import FanProcess, FanWorld, Work, fan, plain, play_fan, random_fans, undisturbed
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.flow import Step
from stepwell.orchestrator import (
    ApprovalDecided,
    AttemptInterrupted,
    AttemptStarted,
    Phase,
    phase_of,
)

WORLDS = {
    "seed": st.integers(0, 2**32),
    "size": st.integers(1, 7),
    "crashes": st.integers(0, 4),
    "slots": st.integers(1, 5),
}


def moody(world: FanWorld, steps: Sequence[Step]) -> Callable[[Work, int, str], bool]:
    """Items that fail the first time; and, where a step is content with less, always.

    Some more fail until the world is mended.
    """
    content = {step.name for step in steps if step.map is not None and step.map.keep_going}

    def fails(work: Work, execution: int, element: str) -> bool:
        name, item = work
        if name in content and sum(map(ord, name + element)) % 4 == 0:
            return True
        mood = sum(map(ord, name + item))
        is_broken = not world.is_mended and name not in content and mood % 7 == 0
        return bool(item) and (is_broken or (execution == 1 and mood % 5 == 0))

    return fails


def a_world(seed: int, size: int, slots: int) -> tuple[FanWorld, list[Step], random.Random]:
    """Random steps, and a world for them."""
    choose = random.Random(seed)
    steps = random_fans(choose, size)
    world = FanWorld(slots=slots, is_mended=choose.random() < 0.5)
    world.fails = moody(world, steps)
    return world, steps, choose


@settings(max_examples=1500, deadline=None)
@given(**WORLDS, growth=st.integers(0, 3))
def test_crashes_and_growing_lists_change_nothing_about_the_outcome(
    seed: int, size: int, crashes: int, slots: int, growth: int
) -> None:
    """Whatever is mapped over what, and wherever it dies: the outputs are the undisturbed ones.

    On the way nothing starts before all it reads is on disk: the world sees to that.
    """
    world, steps, choose = a_world(seed, size, slots)
    new = [f"n{place}" for place in range(growth)]
    play_fan(world, steps, choose, crashes=crashes, growth=new)
    assert world.outputs() == undisturbed(world, steps)


@settings(max_examples=1500, deadline=None)
@given(**WORLDS, growth=st.integers(0, 3))
def test_a_completed_item_never_runs_again(
    seed: int, size: int, crashes: int, slots: int, growth: int
) -> None:
    """Once a result is on disk, the code that made it is not executed for it again."""
    world, steps, choose = a_world(seed, size, slots)
    new = [f"n{place}" for place in range(growth)]
    play_fan(world, steps, choose, crashes=crashes, growth=new)
    mapped = {step.name for step in steps if step.map is not None}
    twice = {work: count for work, count in world.paid.items() if work[1] or work[0] not in mapped}
    assert set(twice.values()) <= {1}, twice


@settings(max_examples=1500, deadline=None)
@given(**WORLDS, growth=st.integers(0, 3))
def test_an_item_that_may_have_happened_is_not_tried_again_before_somebody_has_said_so(
    seed: int, size: int, crashes: int, slots: int, growth: int
) -> None:
    """With `--once`, however often the process dies, and whatever is answered."""
    world, steps, choose = a_world(seed, size, slots)
    new = [f"n{place}" for place in range(growth)]
    play_fan(world, steps, choose, crashes=crashes, growth=new)
    once = {step.name for step in steps if step.once}
    doubtful: set[Work] = set()
    for step, item, _, _, event in world.disk:
        work = (step, item)
        if step not in once or not item:
            continue
        match event:
            case AttemptInterrupted(reason="process_died"):
                doubtful.add(work)
            case AttemptStarted():
                assert work not in doubtful, (work, "tried although nobody has said")
            case ApprovalDecided():
                doubtful.discard(work)
            case _:
                pass
    assert not doubtful


def started(process: FanProcess) -> list[str]:
    """Step and item of what is running."""
    return [f"{step}/{item}" for step, item in sorted(process.running)]


def run(world: FanWorld, steps: Sequence[Step]) -> FanProcess:
    """To the end, with nothing in its way."""
    play_fan(world, steps, random.Random(0))
    assert world.process is not None
    return world.process


def test_items_go_on_one_by_one_from_a_mapped_step_to_a_mapped_step() -> None:
    """The second step's items run while the first step's still do."""
    world = FanWorld(slots=9)
    process = world.boot()
    process.define([fan("a", "items"), fan("b", "a"), fan("c", "b")])
    process.ask(["a", "b", "c"])
    process.commit()
    process.finish(("a", ""))
    process.commit()
    assert started(process) == ["a/i0 #1", "a/i1 #1", "a/i2 #1"]
    process.finish(("a", "i1 #1"))
    process.commit()
    assert started(process) == ["a/i0 #1", "a/i2 #1", "b/i1 #1"]
    process.finish(("b", "i1 #1"))
    process.commit()
    assert started(process) == ["a/i0 #1", "a/i2 #1", "c/i1 #1"]
    while not process.is_quiet:
        process.move(random.Random(1))
    assert world.outputs() == undisturbed(world, list(process.state.flow))
    assert process.state.settled == "completed"


def test_a_failed_step_cuts_off_who_takes_its_items_and_mended_goes_on() -> None:
    """The reader keeps what it has, waits, and begins again when there is more."""
    mended: list[bool] = []
    world = FanWorld(slots=1)
    world.fails = lambda work, _, element: (work[0], element, mended) == ("a", "i1", [])
    steps = [fan("a", "items"), fan("b", "a")]
    process = run(world, steps)
    assert phase_of(process.state.steps["a"]) is Phase.FAILED
    assert phase_of(process.state.steps["b"]) is Phase.WAITING
    assert process.state.settled == "failed"
    before = world.executions.copy()
    mended.append(True)
    process.ask(["a"])
    while not process.is_quiet:
        process.move(random.Random(1))
    again = world.executions - before
    assert again[("a", "i0 #1")] == again[("b", "i0 #1")] == 0
    assert again[("a", "i1 #1")] == again[("b", "i1 #1")] == again[("b", "i2 #1")] == 1
    assert process.state.settled == "completed"


def test_only_failed_items_run_again_when_they_alone_are_asked_for() -> None:
    """`rerun --failed` pays for them, `rerun` for all."""
    bad = {"i1"}
    world = FanWorld(fails=lambda work, _, element: element in bad)
    steps = [fan("a", "items", keep_going=True, min_success=0.5)]
    process = run(world, steps)
    assert process.state.settled == "completed"
    bad.clear()
    before = world.executions.copy()
    process.ask(["a"], force=["a"], failed_only=True)
    while not process.is_quiet:
        process.move(random.Random(1))
    assert world.executions - before == {("a", "i1 #1"): 1}
    before = world.executions.copy()
    process.ask(["a"], force=["a"])
    while not process.is_quiet:
        process.move(random.Random(1))
    assert set((world.executions - before).values()) == {1}
    assert sum((world.executions - before).values()) == 3


def test_a_rerun_that_was_cut_off_goes_on_with_what_it_has_not_run() -> None:
    """What it had already run again is not paid for a third time."""
    world = FanWorld(slots=1)
    steps = [fan("a", "items")]
    process = run(world, steps)
    process.ask(["a"], force=["a"])
    while world.executions["a", "i0 #1"] < 2:
        process.move(random.Random(1))
    process.commit()
    world.crash(batch_arrived=False)
    process = world.boot()
    process.ask(["a"], by="resume")
    while not process.is_quiet:
        process.move(random.Random(1))
    assert set(world.executions.values()) == {2}


def test_no_more_run_at_once_than_the_step_allows() -> None:
    """And not more in all than there are slots."""
    world = FanWorld(slots=4, items=[f"i{n}" for n in range(9)])
    process = world.boot()
    process.define([plain("p", []), fan("a", "items", max_parallel=2), fan("b", "items")])
    process.ask(["p", "a", "b"])
    choose = random.Random(3)
    most = 0
    while not process.is_quiet:
        process.move(choose)
        items = [step for step, item in process.running if item]
        most = max(most, len(items))
        assert items.count("a") <= 2
        assert len(items) <= 4
    assert most == 4


def test_an_edited_step_gives_up_its_items_and_runs_anew() -> None:
    """Results of the old code change nothing any more."""
    world = FanWorld()
    process = world.boot()
    process.define([fan("a", "items")])
    process.ask(["a"])
    process.commit()
    process.finish(("a", ""))
    process.commit()
    edited = fan("a", "items", ["p"])
    process.define([plain("p", []), edited])
    process.ask(["a", "p"])
    while not process.is_quiet:
        process.move(random.Random(1))
    assert world.outputs() == undisturbed(world, [plain("p", []), edited])
