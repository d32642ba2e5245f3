"""When an attempt has taken too long, and when a failed one is tried again. Pure."""

from hashlib import blake2b

from stepwell.flow import Retry, Step
from stepwell.orchestrator._base import Failure
from stepwell.orchestrator._calls import Calls
from stepwell.orchestrator._state import State
from stepwell.orchestrator._timers import Timer
from stepwell.orchestrator._unit import Unit
from stepwell.orchestrator._waiting import waited

__all__ = [
    "Failure",
    "let_children_go_on",
    "retry_after",
    "retry_at",
    "set_deadlines",
    "would_retry",
]


SECOND = 1_000_000


def set_deadlines(state: State, definition: Step, unit: Unit, step: str, item: str = "") -> None:
    """Enter the times at which the attempt that has just begun is too long."""
    deadlines, running = definition.deadlines, unit.running
    if deadlines is None or running is None:
        return
    if deadlines.attempt:
        due = running.at + round(deadlines.attempt * SECOND)
        state.timers.set(Timer(due, "timeout", step, item, running.attempt))
    if deadlines.total:
        due = unit.begun + round(deadlines.total * SECOND)
        state.timers.set(Timer(due, "total", step, item, running.attempt))
    if deadlines.stall:
        due = running.at + round(deadlines.stall * SECOND)
        state.timers.set(Timer(due, "stall", step, item, running.attempt))


def retry_at(definition: Step, unit: Unit, failure: Failure, now: int) -> int:
    """When the work that has just failed is tried again, microseconds UTC; 0 for never."""
    key = unit.running.key if unit.running is not None else unit.name
    wait = retry_after(definition.retry, failure, unit.failures, key)
    if wait is None:
        return 0
    due = now + round(wait * SECOND)
    total = definition.deadlines.total if definition.deadlines is not None else 0.0
    if total and due >= unit.begun + round(total * SECOND) + waited(unit, now):
        return 0
    return due


def retry_after(policy: Retry | None, failure: Failure, failures: int, key: str) -> float | None:
    """Seconds until the work of that key is tried again; None for never.

    It has failed `failures` times before this failure.
    """
    if policy is None or failures >= policy.retries or not would_retry(policy, failure):
        return None
    return (
        failure.retry_after
        if failure.retry_after is not None
        else (_backoff(policy, failures, key))
    )


def would_retry(policy: Retry, failure: Failure) -> bool:
    """Whether such a failure is one to be tried again after, however often it was already."""
    if failure.is_terminal:
        return False
    if policy.retry_on:
        return not set(policy.retry_on).isdisjoint(failure.kinds)
    return failure.is_transient or failure.retry_after is not None


def let_children_go_on(policy: Retry | None, calls: Calls | None) -> None:
    """The work has failed, and the next attempt at it has runs go on that failed on the way.

    Those of which the policy would try again what they failed of; the others stay failed.
    """
    if policy is None or not calls:
        return
    for call in calls.values():
        failure = call.error.failure if call.error is not None else None
        if call.form == "child" and failure is not None:
            call.goes_on = would_retry(policy, failure)


def _backoff(policy: Retry, failures: int, key: str) -> float:
    """Seconds before the next attempt. The same for the same attempt, so that it can be told."""
    wait = min(policy.backoff * 2.0 ** min(failures, 60), policy.max_backoff)
    drawn = blake2b(f"{key}\0{failures}".encode(), digest_size=8).digest()
    share = int.from_bytes(drawn) / 2**64 * 2 - 1
    return max(0.0, wait * (1 + policy.jitter * share))
