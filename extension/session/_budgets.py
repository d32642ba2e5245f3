"""What a run may consume: setting it, and saying how much is left."""

import getpass
from collections.abc import Mapping
from typing import Any

from stepwell.errors import InvalidUsage
from stepwell.orchestrator import Budget, BudgetSet
from stepwell.session._engine import Engine
from stepwell.session._reports import now
from stepwell.widgets import Column, View, table

__all__ = ["budget_report", "lift_budget", "set_budget"]

_NAMES = {
    "cost": "cost",
    "calls": "calls",
    "tokens": "tokens",
    "depth": "depth of agents",
    "seconds": "seconds",
}


def set_budget(engine: Engine, limits: Mapping[str, float | None]) -> None:
    """Set these limits of the current run; others stay as they are. Counted from its beginning.

    Raises `InvalidUsage` for a limit that cannot be meant.
    """
    for name, limit in limits.items():
        if name not in _NAMES:
            raise InvalidUsage(f"there is no limit {name!r}. There are: {', '.join(_NAMES)}")
        if limit is not None and limit < 0:
            raise InvalidUsage(f"a budget of {limit:g} {name} cannot be kept to; give 0 or more")

    def work() -> None:
        state = engine.state
        known: dict[str, Any] = {
            name: getattr(state.budget, name, None) for name in Budget.__struct_fields__
        }
        merged: dict[str, Any] = {**known, **limits}
        counts_on = state.budget_since if "seconds" not in limits else 0
        event = BudgetSet(Budget(**merged), by=getpass.getuser(), since=counts_on)
        engine.orchestrator.record(engine.run, event)

    engine.orchestrator.call(work)


def lift_budget(engine: Engine) -> None:
    """The current run may consume whatever it takes."""
    set_budget(engine, dict.fromkeys(_NAMES))


def budget_report(engine: Engine) -> View:
    """Each limit of the current run, what of it is used, and what is not known to be limited."""

    def look() -> tuple[Budget, dict[str, float]]:
        state = engine.state
        running = {it.run: it.spent for it in engine.orchestrator.states()}
        calls, tokens, cost = state.spent.total(running)
        budget = state.budget or Budget()
        seconds = (now() - state.budget_since) / 1e6
        used = {"calls": calls, "tokens": tokens, "cost": cost}
        return budget, used | ({"seconds": seconds} if budget.seconds is not None else {})

    budget, used = engine.orchestrator.look(look)
    rows = [
        (label, _shown(used.get(name)), _shown(getattr(budget, name), "no limit"))
        for name, label in _NAMES.items()
    ]
    columns = [Column("budget"), Column("used", is_number=True), Column("limit", is_number=True)]
    return table(columns, rows)


def _shown(amount: float | None, otherwise: str = "") -> str:
    return otherwise if amount is None else f"{amount:,.4g}" if amount % 1 else f"{amount:,.0f}"
