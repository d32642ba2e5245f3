"""Calls inside steps, under every crash one can think of."""

import random

import pytest
from calling import CallingWorld, Planned, calling_steps, hash_of, plans, play
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import make_step

from stepwell.orchestrator import CallCompleted, CallTried


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 4), crashes=st.integers(0, 6))
def test_crashes_change_nothing_about_what_calls_come_to(
    seed: int, size: int, crashes: int
) -> None:
    """At once, within each other, tried again: the outcome is that of an undisturbed run.

    At each move: no call that was answered is made again, and no caller sees an answer that is
    not on disk.
    """
    choose = random.Random(seed)
    steps = calling_steps(choose, size)
    world = CallingWorld(plans=plans(choose, steps))
    undisturbed = CallingWorld(plans=world.plans)
    play(world, steps, choose, crashes)
    play(undisturbed, steps, random.Random(seed + 1), 0)
    assert world.outputs() == undisturbed.outputs()
    ends = [(step, it.call) for step, *_, it in world.disk if isinstance(it, CallCompleted)]
    assert len(ends) == len(set(ends))


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), crashes=st.integers(0, 4), retries=st.integers(0, 4))
def test_a_crash_during_retries_gives_no_more_tries_than_were_allowed(
    seed: int, crashes: int, retries: int
) -> None:
    """What was tried before the crash counts; only a try that was cut off does not."""
    steps = [make_step("a", [])]
    world = CallingWorld(plans={"a": ((Planned("f", (), 99, retries, is_caught=True),),)})
    play(world, steps, random.Random(seed), crashes)
    (tries,) = world.tries.values()
    assert retries + 1 <= tries <= retries + 1 + crashes
    known = [event for *_, event in world.disk if isinstance(event, CallTried)]
    assert [event.attempts for event in known] == list(range(1, retries + 1))


def test_the_simulation_notices_a_call_that_is_made_twice() -> None:
    """The check itself works: a disk that forgets is found out."""
    world = CallingWorld(plans={"a": ((Planned("f"),), (Planned("g"),))})
    keys = {("a", f"{name}:{hash_of(Planned(name))}#0") for name in "fg"}
    world.answered = lambda: keys  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="made again"):
        play(world, [make_step("a", [])], random.Random(3), 0)
