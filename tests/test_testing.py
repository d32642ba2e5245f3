"""Time that passes when told."""

import time
from datetime import timedelta
from typing import Any

import pytest

import stepwell
from stepwell.api import FunctionStep
from stepwell.errors import ApprovalClosed, NeedsPerson, StepFailed
from stepwell.testing import VirtualClock


def made(**options: Any) -> "FunctionStep[..., Any]":
    """A step that asks before it publishes."""

    @stepwell.step(name="publish", out="url", defer=True, **options)
    async def publish() -> str:
        await stepwell.approve("Publish?", timeout="3d", on_timeout="approve")
        return "https://example.org"

    return publish


def test_a_three_day_approval_runs_in_milliseconds() -> None:
    """Nobody decides: after three days of the clock's, it is decided as the step says."""
    clock = VirtualClock()
    begun, begin = time.monotonic(), clock.time
    with stepwell.run(steps=[made()], clock=clock) as run:
        assert run["url"] == "https://example.org"
    assert clock.time - begin == timedelta(days=3)
    assert time.monotonic() - begun < 2


def test_somebody_decides_after_two_days() -> None:
    """What a person would do then is done then, and not after it."""
    clock = VirtualClock(auto=False)
    begin = clock.time
    with stepwell.run(steps=[made()], wait=False, clock=clock) as run:
        clock.at("2d", lambda: run.decide("publish", "reject", reason="no"))
        clock.go()
        with pytest.raises(StepFailed, match="rejected"):
            run.wait(timeout=10)
    assert clock.time - begin == timedelta(days=2)


def test_timeout_and_answer_at_the_same_instant_have_one_outcome() -> None:
    """Whoever comes first has decided, and the other is told so."""
    clock = VirtualClock(auto=False)
    with stepwell.run(steps=[made()], wait=False, clock=clock) as run:
        while not run.inbox():
            time.sleep(0.001)
        approval = run.inbox()[0]
        clock.advance("3d")
        with pytest.raises(ApprovalClosed, match="approved before by timeout"):
            run.decide(approval.id, "reject")
        run.wait(timeout=10)
        assert run["url"] == "https://example.org"


def test_a_sleep_of_a_month_takes_no_time() -> None:
    """One sleep after another, each to the second."""
    clock = VirtualClock()
    begin = clock.time

    @stepwell.step(out="slept", defer=True)
    async def sleeper() -> int:
        for _ in range(30):
            await stepwell.sleep("1d")
        return 30

    with stepwell.run(steps=[sleeper], clock=clock) as run:
        assert run["slept"] == 30
    assert clock.time - begin == timedelta(days=30)


def test_without_a_clock_a_script_is_told_that_a_person_is_needed() -> None:
    """It does not wait for what only it could do."""
    with stepwell.run(steps=[made()], wait=False) as run:
        with pytest.raises(NeedsPerson, match="step 'publish' needs a person: Publish"):
            run.wait(timeout=10)
        run.decide()
        run.wait(timeout=10)
