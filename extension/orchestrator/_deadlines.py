"""When an attempt has taken too long, and when a failed one is tried again. Pure."""

from hashlib import blake2b

import msgspec

from stepwell.flow import Retry, Step
from stepwell.orchestrator._state import State
from stepwell.orchestrator._timers import Timer
from stepwell.orchestrator._unit import Unit

__all__ = ["Failure", "retry_after", "retry_at", "set_deadlines"]


SECOND = 1_000_000


class Failure(msgspec.Struct, frozen=True, gc=False):
    """What is known of an error besides its text: whether trying again may help."""

    kinds: tuple[str, ...] = ()
    """Names of the error's class and of those it derives from."""
    is_transient: bool = False
    """A time-out, a lost connection, a busy server: likely to pass."""
    is_terminal: bool = False
    """Whoever raised it says that trying again is useless."""
    retry_after: float | None = None
    """Seconds to wait, where the other side has said so."""


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
    if total and due >= unit.begun + round(total * SECOND):
        return 0
    return due


def retry_after(policy: Retry | None, failure: Failure, failures: int, key: str) -> float | None:
    """Seconds until the work of that key is tried again; None for never.

    It has failed `failures` times before this failure.
    """
    if policy is None or failures >= policy.retries or not _is_worth_it(policy, failure):
        return None
    return (
        failure.retry_after
        if failure.retry_after is not None
        else (_backoff(policy, failures, key))
    )


def _is_worth_it(policy: Retry, failure: Failure) -> bool:
    if failure.is_terminal:
        return False
    if policy.retry_on:
        return not set(policy.retry_on).isdisjoint(failure.kinds)
    return failure.is_transient or failure.retry_after is not None


def _backoff(policy: Retry, failures: int, key: str) -> float:
    """Seconds before the next attempt. The same for the same attempt, so that it can be told."""
    wait = min(policy.backoff * 2.0 ** min(failures, 60), policy.max_backoff)
    drawn = blake2b(f"{key}\0{failures}".encode(), digest_size=8).digest()
    share = int.from_bytes(drawn) / 2**64 * 2 - 1
    return max(0.0, wait * (1 + policy.jitter * share))
