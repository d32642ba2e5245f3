"""Failures, retries, time-outs, skips, pauses, undoing and crashes, in every order."""

from collections import Counter

import pytest
from troubles import Story

from stepwell.orchestrator import AttemptCompleted, State, apply, phase_of

SEEDS = range(1_200)
MOVES = 60


def seen_again(story: Story) -> State:
    """What a process that reads the disk knows."""
    state = State("r")
    for step, item, attempt, at, event in story.world.disk:
        state = apply(state, event, step=step, item=item, attempt=attempt, at=at)
    return state


@pytest.mark.parametrize("part", range(6))
def test_whatever_goes_wrong_it_comes_to_rest_and_the_disk_says_the_same(part: int) -> None:
    """Two hundred runs each with dozens of troubles and crashes; then every step is done."""
    crashes = 0
    for seed in SEEDS[part * 200 : part * 200 + 200]:
        story = Story(seed)
        for _ in range(MOVES):
            story.move()
        story.calm_down()
        crashes += story.crashes
        live, read = story.process.state, seen_again(story)
        for name, step in live.steps.items():
            assert phase_of(step) == phase_of(read.steps[name]), (seed, name)
            assert step.attempts == read.steps[name].attempts, (seed, name)
        assert {**live.undoing, **read.undoing} == {}, seed
        assert live.is_paused == read.is_paused
        assert all(live.steps[name].is_settled for name in "abcd"), seed
        assert all(count <= 2 for count in story.failures().values()), seed
        done = Counter(it[0] for it in story.world.disk if isinstance(it[-1], AttemptCompleted))
        for name in ("a", "c"):
            assert done[f"undo_{name}"] <= done[name], seed
    assert crashes > 500
