"""The pure core's waits: decisions, messages and times under every crash one can think of."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from waiting_world import KINDS, Waiting

from stepwell.orchestrator import AttemptCompleted


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 4), crashes=st.integers(0, 5))
def test_waits_survive_crashes_and_close_once(seed: int, steps: int, crashes: int) -> None:
    """Each question is decided once, each message received once and in order, and all ends.

    What a step made is what its waits came to, and no decision that was on disk is asked for
    again.
    """
    choose = random.Random(seed)
    bodies = {
        f"s{number}": [choose.choice(KINDS) for _ in range(choose.randint(1, 4))]
        for number in range(steps)
    }
    world = Waiting(choose, bodies)
    world.boot()
    crash_at = sorted(choose.randrange(1, 60) for _ in range(crashes))
    for move in range(3000):
        if crash_at and move >= crash_at[0]:
            crash_at.pop(0)
            world.crash(batch_arrived=choose.random() < 0.5)
        if not (crash_at or world.state.running or world.state.owed or world.batch):
            break
        world.move()
    else:
        raise AssertionError("it does not come to its end")
    state = world.state
    assert all(step.checkpoint is not None for step in state.steps.values())
    assert set(world.decisions().values()) <= {1}
    received = world.received()
    assert len(received) == len(set(received))
    assert (state.parked, state.receivers, state.pending, state.withdrawn) == (0, {}, {}, {})
    completed = [step for step, *_, event in world.disk if isinstance(event, AttemptCompleted)]
    assert len(completed) == len(set(completed)) == steps
