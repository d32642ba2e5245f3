"""Undoing a mapped step under every crash one can think of."""

import random

from fanning import FanProcess, FanWorld, fan, plain
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stepwell.flow import MapOver, Retry
from stepwell.orchestrator import (
    AttemptCompleted,
    StepsRequested,
    UndoRequested,
    to_be_undone,
)

EACH = MapOver(item="it", source="", max_parallel=1, undoes=True)
UNDO = replace(
    plain("undo", ["a"]),
    writes=(),
    map=EACH,
    undo_of="a",
    defer=True,
    retry=Retry(retries=2, backoff=5e-6, jitter=0),
)


def go_on(process: FanProcess) -> None:
    """As a session does after a crash."""
    if process.state.undoing:
        wish = StepsRequested({"undo": "env"}, by="resume", force=("undo",), goes_on=("undo",))
        process.record("r", wish)
        process.advance()
    elif wanted := to_be_undone(process.state):
        process.record("r", UndoRequested(dict.fromkeys(wanted, "env")))
        process.advance()


@settings(max_examples=800, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 6),
    done=st.integers(0, 6),
    crashes=st.integers(0, 5),
)
def test_each_item_that_is_done_is_undone_once_and_no_other(
    seed: int, count: int, done: int, crashes: int
) -> None:
    """Wherever it dies: the newest first, as the disk has it; and each is undone when it is over.

    Some of the items have never come to their end, and undoing fails now and then.
    """
    choose = random.Random(seed)
    world = FanWorld(items=[f"i{place}" for place in range(count)])
    world.fails = lambda work, execution, _: (
        (work[0] == "a" and world.executions.total() > done)
        or (work[0] == "undo" and execution == 1 and sum(map(ord, work[1])) % 3 == 0)
    )
    process = world.boot()
    process.define([fan("a", "items"), UNDO])
    process.ask(["a"])
    while not process.is_quiet:
        process.move(choose)
    go_on(process)
    crash_at = sorted(choose.randrange(1, 4 * count + 4) for _ in range(crashes))
    moves = 0
    while not process.is_quiet or crash_at:
        moves += 1
        if crash_at and moves >= crash_at[0]:
            crash_at.pop(0)
            world.crash(batch_arrived=choose.random() < 0.5)
            process = world.boot()
            go_on(process)
        elif not process.is_quiet:
            process.move(choose)
    check(world, process)


def check(world: FanWorld, process: FanProcess) -> None:
    """What the disk says was done, and was undone."""
    made = [it[1] for it in world.disk if it[0] == "a" and it[1] and is_end(it[4])]
    undone = [it[1] for it in world.disk if it[0] == "undo" and it[1] and is_end(it[4])]
    assert undone == made[::-1]
    assert not process.state.undoing
    assert not to_be_undone(process.state)


def is_end(event: object) -> bool:
    """Whether the work has come to its end."""
    return isinstance(event, AttemptCompleted)
