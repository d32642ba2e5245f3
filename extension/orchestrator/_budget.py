"""What a run may consume, and what it has: totals over its calls and its children's. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stepwell.orchestrator._base import BaseEvent
from stepwell.orchestrator._call_events import Usage

__all__ = ["Budget", "BudgetSet", "Reserve", "Spent", "exceeded", "shown_seconds"]


class Budget(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Limits of one run together with the runs it starts; None where there is none."""

    cost: float | None = None
    calls: int | None = None
    tokens: int | None = None
    depth: int | None = None
    """Of agents within agents; the run itself is at depth 0."""
    seconds: float | None = None
    """Since the budget was set."""

    def extended_by(self, other: "Budget") -> "Budget":
        """With so much more, where both have a limit."""
        return Budget(**dict(_sums(self, other)))


def _sums(one: Budget, other: Budget) -> Iterator[tuple[str, Any]]:
    for name in Budget.__struct_fields__:
        mine, more = getattr(one, name), getattr(other, name)
        yield name, mine if mine is None or more is None else mine + more


class BudgetSet(BaseEvent, frozen=True, tag="budget_set"):
    """From now on the run may consume so much, counted from its beginning; time from now.

    Time in which no process was alive does not count, nor does what a person takes to extend it.
    """

    budget: Budget
    by: str = ""
    since: int = 0
    """When time began to count, where that was before."""
    base: Budget | None = None
    """The budget that was extended to this one; None where it was set as it is."""


class Reserve(msgspec.Struct, frozen=True, gc=False):
    """What one call may consume at most, set aside before it is made."""

    name: str
    cost: float = 0.0
    tokens: int = 0


@dataclass(slots=True)
class Spent:
    """What was consumed. Answers from the store cost nothing."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0
    below: dict[str, tuple[int, int, float]] = field(
        default_factory=dict[str, tuple[int, int, float]]
    )
    """By runs that this one has started, as of when they came to an end."""

    def add(self, usage: Usage | None, *, is_call: bool) -> None:
        """One more call, or what the step's own code has said."""
        self.calls += is_call
        if usage is not None:
            self.tokens += usage.input_tokens + usage.output_tokens
            self.cost += usage.cost

    def total(self, running: Mapping[str, "Spent"]) -> tuple[int, int, float]:
        """Calls, tokens, cost, with those of runs below; `running` are looked up by id."""
        parts = [
            running[child].total(running) if child in running else self.below[child]
            for child in self.below
        ]
        return (
            self.calls + sum(part[0] for part in parts),
            self.tokens + sum(part[1] for part in parts),
            self.cost + sum(part[2] for part in parts),
        )


def exceeded(
    budget: Budget, spent: tuple[int, int, float], wanted: Reserve, seconds: float
) -> Iterator[tuple[str, str]]:
    """Which limits the call could break, and why, in words.

    A call that says nothing of its most is let through while anything is left: what it
    consumes more than that, it was not known to.
    """
    calls, tokens, cost = spent
    if budget.calls is not None and calls + 1 > budget.calls:
        yield "calls", f"{calls} of {budget.calls} calls have been made"
    if budget.tokens is not None and _is_over(tokens, wanted.tokens, budget.tokens):
        more = f" and it may take {wanted.tokens:,}" if wanted.tokens else ""
        yield "tokens", f"{tokens:,} of {budget.tokens:,} tokens are used{more}"
    if budget.cost is not None and _is_over(cost, wanted.cost, budget.cost):
        more = f" and it may cost {wanted.cost:.4g}" if wanted.cost else ""
        yield "cost", f"{cost:.4g} of {budget.cost:.4g} is spent{more}"
    if budget.seconds is not None and seconds >= budget.seconds:
        yield "seconds", f"{shown_seconds(budget.seconds)} are over"


def shown_seconds(seconds: float) -> str:
    """For people: `0.2 s`, `3,600 s`."""
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:g} s"


def _is_over(spent: float, most: float, limit: float) -> bool:
    return spent + most > limit + 1e-9 if most else spent >= limit
