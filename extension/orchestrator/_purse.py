"""Budgets at work: a call is let through, or it waits for a person, or it is refused.

What calls that are under way may consume at most is set aside, so that many at once cannot
break a limit together. A limit that is reached parks the run: its calls wait until somebody
extends the budget, or says that they are not to be made. On the orchestrator's thread alone,
except `is_limiting`, which any thread may read.
"""

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, Protocol

from stepwell.errors import AttemptGivenUp, BudgetExceeded
from stepwell.orchestrator._answers import deny, give
from stepwell.orchestrator._budget import Budget, BudgetSet, Reserve, exceeded
from stepwell.orchestrator._budget_question import budget_question, is_about_budget, limits_of
from stepwell.orchestrator._call_events import (
    ApprovalDecided,
    ApprovalRequested,
    CallCompleted,
    CallFailed,
    WaitResumed,
)
from stepwell.orchestrator._deadlines import SECOND
from stepwell.orchestrator._events import Event, RunHeld
from stepwell.orchestrator._port import AttemptId
from stepwell.orchestrator._state import State

__all__ = ["Purse"]

Key = tuple[AttemptId, str]
Waiting = tuple[Reserve, "Future[None]"]


class _Runs(Protocol):
    """What is needed of the orchestrator."""

    def states(self) -> list[State]: ...

    def record(
        self, run: str, event: Event, *, step: str = "", item: str = "", attempt: int = 0
    ) -> None: ...


class Purse:
    """Of an orchestrator: what its runs may still consume."""

    def __init__(self, runs: _Runs) -> None:
        self._runs = runs
        self.is_limiting = False
        self._reserved: dict[Key, Reserve] = {}
        self._waiting: dict[Key, Waiting] = {}

    def look(self) -> None:
        """Find out whether any run has a budget: only then calls ask."""
        self.is_limiting = any(state.budget is not None for state in self._runs.states())

    # -- calls ----------------------------------------------------------------------------

    def reserve(
        self, attempt: AttemptId, call: str, wanted: Reserve, answer: "Future[None]", now: int
    ) -> None:
        """Answer when the call may be made; `BudgetExceeded` if it may not."""
        key = (attempt, call)
        root = self._root_of(attempt.run)
        reason = self._reason_against(root, wanted, now) if root is not None else {}
        if root is None or not reason:
            self._reserved[key] = wanted
            give(answer, None)
            return
        self._waiting[key] = (wanted, answer)
        self._ask(attempt, call, wanted, reason)

    def _root_of(self, run: str) -> State | None:
        states = {state.run: state for state in self._runs.states()}
        state = states.get(run)
        root = state.started.root if state is not None and state.started is not None else ""
        return states.get(root) if root else state

    def _reason_against(self, root: State, wanted: Reserve, now: int) -> dict[str, str]:
        if root.budget is None:
            return {}
        running = {state.run: state.spent for state in self._runs.states()}
        calls, tokens, cost = root.spent.total(running)
        for (attempt, _), reserve in self._reserved.items():
            if self._root_of(attempt.run) is root:
                calls, tokens, cost = calls + 1, tokens + reserve.tokens, cost + reserve.cost
        seconds = (now - root.budget_since) / 1e6
        return dict(exceeded(root.budget, (calls, tokens, cost), wanted, seconds))

    def _ask(self, attempt: AttemptId, call: str, wanted: Reserve, reasons: dict[str, str]) -> None:
        """Have a person decide. Once for an attempt: the rest of its calls wait for that, too."""
        state = next(it for it in self._runs.states() if it.run == attempt.run)
        pending = [state.approvals[name] for name in state.pending]
        mine = [it for it in pending if is_about_budget(it) and it.request.call]
        mine = [it for it in mine if (it.step, it.item) == _place(attempt)]
        event: ApprovalRequested | WaitResumed
        if mine:
            event = WaitResumed(mine[0].request.call)
        else:
            event = budget_question(state, reasons, wanted.name, call)
        self._runs.record(
            attempt.run, event, step=attempt.step, item=attempt.item, attempt=attempt.attempt
        )

    # -- what follows from what happens -----------------------------------------------------

    def follow(self, state: State, event: Event, attempt: AttemptId, now: int) -> None:
        """Something has happened in this run: calls may be let through, or refused."""
        match event:
            case CallCompleted(call=call) | CallFailed(call=call):
                if self._reserved.pop((attempt, call), None) is not None and self._waiting:
                    self._try_again(now)
            case BudgetSet():
                self.look()
                self._withdraw(state)
                self._try_again(now)
            case ApprovalDecided(approval=name) if is_about_budget(state.approvals.get(name)):
                if (root := self._root_of(state.run)) is not None:
                    self._decided(root, event, now, state.approvals[name].at)
            case _:
                pass

    def give_up(self, attempt: AttemptId) -> None:
        """The attempt has come to its end: what its calls had set aside is free."""
        if not (self._reserved or self._waiting):
            return
        for key in [key for key in self._reserved if key[0] == attempt]:
            del self._reserved[key]
        for key in [key for key in self._waiting if key[0] == attempt]:
            deny(self._waiting.pop(key)[1], AttemptGivenUp(attempt.step, attempt.attempt))

    def refuse(self, error: BaseException) -> None:
        """The orchestrator ends."""
        for _, answer in self._waiting.values():
            deny(answer, error)
        self._waiting.clear()

    def _withdraw(self, root: State) -> None:
        """A budget was set: the questions about the one before need no answer any more."""
        for state in self._runs.states():
            if self._root_of(state.run) is not root:
                continue
            for name in [it for it in state.pending if is_about_budget(state.approvals[it])]:
                asked = state.approvals[name]
                event = ApprovalDecided(
                    name, "answered", asked.request.call, channel="python", note="a budget was set"
                )
                self._runs.record(
                    state.run, event, step=asked.step, item=asked.item, attempt=asked.attempt
                )

    def _decided(self, root: State, event: ApprovalDecided, now: int, asked: int) -> None:
        base = root.budget_base
        if event.decision == "approved" and root.budget is not None and base is not None:
            limits = limits_of(event.approval)
            budget = root.budget.extended_by(_of_limits(base, limits))
            since = root.budget_since
            if "seconds" in limits and root.budget.seconds is not None:
                # The time that a person takes to extend it does not count, nor what was used.
                since = max(since + now - asked, now - round(root.budget.seconds * SECOND))
            extended = BudgetSet(budget, by=event.by, since=since, base=base)
            self._runs.record(root.run, extended)
        elif event.decision not in {"answered", "voided"}:
            if root.held:
                self._runs.record(root.run, RunHeld(is_refused=True))
            for key in [key for key in self._waiting if self._root_of(key[0].run) is root]:
                wanted, answer = self._waiting.pop(key)
                reasons = self._reason_against(root, wanted, now)
                deny(answer, BudgetExceeded(wanted.name, "; ".join(reasons.values())))

    def _try_again(self, now: int) -> None:
        waiting, self._waiting = self._waiting, {}
        for (attempt, call), (wanted, answer) in waiting.items():
            self.reserve(attempt, call, wanted, answer, now)


def _of_limits(budget: Budget, names: Iterable[str]) -> Budget:
    """The budget's limits of these names alone."""
    found: dict[str, Any] = {name: getattr(budget, name) for name in names}
    return Budget(**found)


def _place(attempt: AttemptId) -> tuple[str, str]:
    return attempt.step, attempt.item
