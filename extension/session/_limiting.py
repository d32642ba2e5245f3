"""Limits, for people: what they are, and who shares each now."""

from collections import Counter
from collections.abc import Sequence

from stepwell.orchestrator import AttemptId, LimitSet, Sharers, call_name, place_name
from stepwell.session._session import Session
from stepwell.widgets import View

__all__ = ["limits"]

LISTED = 6
"""So many are named, the others counted."""


def limits(session: Session) -> View:
    """The limits that are set, who may share each, and who holds a turn or waits for one."""
    rules = [rule for rule in session.limits().values() if rule.concurrent or rule.rate]
    lines = [_told(session, rule) for rule in sorted(rules, key=lambda rule: rule.name)]
    said = lines or ["no limit is set: %stepwell limit NAME --concurrent 5"]
    return View({"text/plain": "\n".join(said)})


def _told(session: Session, rule: LimitSet) -> str:
    orchestrator = session.engine.orchestrator
    now = orchestrator.look(lambda: orchestrator.sharers(rule.name))
    steps = [step.name for step in session.state.flow if step.limit == rule.name]
    said = [f"{rule.name}: {_rule(rule)}"]
    said += [f"shared by {', '.join(steps)}"] if steps else []
    said += _now(now)
    if not steps and len(said) == 1:
        said.append("no step of this notebook has it, and no call holds a turn")
    return "; ".join(said)


def _rule(rule: LimitSet) -> str:
    said = [f"{rule.concurrent} at once"] if rule.concurrent else []
    said += [f"{rule.rate} in {rule.per:g} s"] if rule.rate else []
    return ", ".join(said)


def _now(now: Sharers) -> list[str]:
    running = [
        *(f"step {place_name(attempt.step, attempt.item)}" for attempt in now.attempts),
        *(_called(*holder) for holder in now.calls),
    ]
    waiting = [_called(*holder) for holder in now.waiting]
    said = [f"now: {_few(running)}"] if running else []
    return [*said, f"waiting: {_few(waiting)}"] if waiting else said


def _few(names: Sequence[str]) -> str:
    counts = Counter(names).items()
    counted = [f"{name} ({count:,} times)" if count > 1 else name for name, count in counts]
    more = f" and {len(counted) - LISTED:,} more" if len(counted) > LISTED else ""
    return ", ".join(counted[:LISTED]) + more


def _called(attempt: AttemptId, key: str) -> str:
    return f"{call_name(key)}() in {place_name(attempt.step, attempt.item)}"
