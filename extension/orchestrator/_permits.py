"""Permits for calls that share a limit, with each other and with steps.

A permit is for one try at one call. It comes in order of asking, before steps that wait for
the same limit: what is under way ends before something else begins. It is held until it is
handed back or nobody wants the attempt any more. On the orchestrator's thread alone.

Who holds a permit already does not wait for another of the same limit: of the calls that a
limited step makes, that are made inside a limited call, or by the agents it calls, one at a
time goes under what is held around it: see `_around`. Only those beside it count as more. So
nobody waits for himself. Of those who
hold one limit and wait for another, crosswise, the last to ask is refused: `_crossing`.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count

from stepwell.errors import AttemptGivenUp, LimitsCrossed
from stepwell.orchestrator._answers import deny, give
from stepwell.orchestrator._around import Holder, around
from stepwell.orchestrator._crossing import Cross, PermitMail, crossed
from stepwell.orchestrator._limits import Limits, is_limited
from stepwell.orchestrator._port import AttemptId
from stepwell.orchestrator._state import State
from stepwell.orchestrator._waiting import rest

__all__ = ["PermitMail", "Permits", "Sharers"]


@dataclass(frozen=True, slots=True)
class Sharers:
    """Who shares a limit at one moment: attempts, and calls by their keys."""

    attempts: Sequence[AttemptId] = ()
    """That count themselves."""
    calls: Sequence[Holder] = ()
    waiting: Sequence[Holder] = ()
    """Calls that have asked for their turn."""


class Permits:
    """Who holds one, and who waits for one."""

    def __init__(self, state_of: Callable[[str], State | None]) -> None:
        self._state_of = state_of
        # Everything that was asked for and not handed back, in order; and which of it waits,
        # by limit, with those apart that may go under a call that is around them.
        self._asked: dict[AttemptId, dict[Future[None], PermitMail]] = {}
        self._waiting: dict[str, dict[Future[None], PermitMail]] = {}
        self._within: dict[str, dict[Future[None], PermitMail]] = {}
        # Of those that wait, in which order they have asked.
        self._numbers: dict[Future[None], int] = {}
        self._number = count()
        self._held: dict[str, dict[AttemptId, dict[Future[None], str]]] = {}

    def take(self, mail: PermitMail) -> None:
        """Somebody asks, or hands back. What follows is for `look`."""
        if not mail.limit:
            if (asked := self._asked.get(mail.id, {}).pop(mail.permit, None)) is not None:
                self._forget(asked)
            return
        self._asked.setdefault(mail.id, {})[mail.permit] = mail
        self._waiting.setdefault(mail.limit, {})[mail.permit] = mail
        self._numbers[mail.permit] = next(self._number)
        if "/" in mail.call:
            self._within.setdefault(mail.limit, {})[mail.permit] = mail

    def sharers(self, limit: str, limits: Limits) -> Sharers:
        """Who shares the limit now."""
        waiting = [(mail.id, mail.call) for mail in self._waiting.get(limit, {}).values()]
        return Sharers([*limits.attempts(limit)], self.holders(limit), waiting)

    def holders(self, limit: str) -> list[Holder]:
        """Calls that hold a permit."""
        held = self._held.get(limit, {})
        return [(attempt, call) for attempt, calls in held.items() for call in calls.values()]

    def look(self, limits: Limits, now: int) -> None:
        """Give what there is room for, to attempts that are under way."""
        if not self._asked:
            return
        for attempt in [it for it in self._asked if not self._is_under_way(it)]:
            self._give_up(attempt)
        waiting = [it for it, waiting in self._waiting.items() if waiting]
        for limit in waiting:
            self._serve(limit, limits, now)
        # Whoever waits crosswise waits for two limits at least.
        while len(waiting) > 1 and (cross := self._crossed(limits)) is not None:
            self._refuse_one(cross)

    def refuse(self, error: BaseException) -> None:
        """The orchestrator ends."""
        for asked in self._asked.values():
            for permit in asked:
                deny(permit, error)
        for index in (self._asked, self._waiting, self._within, self._numbers, self._held):
            index.clear()

    # -- giving -----------------------------------------------------------------------------

    def _serve(self, limit: str, limits: Limits, now: int) -> None:
        room, lately = limits.at_once(limit), limits.in_a_while(limit, now)
        for mail in [*self._waiting[limit].values()]:
            if room <= 0 or lately <= 0:
                break
            # Counted only where it matters: without a limit there may be very many.
            room -= limits.is_counting(limit) and not self._is_lent(mail, limits)
            lately -= 1
            self._grant(mail, limits, now)
        for mail in self._covered(limit) if room <= 0 else ():
            if lately <= 0:
                return
            if self._is_lent(mail, limits):
                lately -= 1
                self._grant(mail, limits, now)

    def _covered(self, limit: str) -> Iterator[PermitMail]:
        """Those who may go under what is held around them, of each attempt the first."""
        waiting, held = self._waiting[limit], self._held.get(limit, {})
        for attempt, asked in self._asked.items():
            if attempt not in held and self._may_go_under(attempt, limit):
                found = next((it for permit, it in asked.items() if permit in waiting), None)
                if found is not None:
                    yield found
        yield from [*self._within.get(limit, {}).values()]

    def _is_lent(self, mail: PermitMail, limits: Limits) -> bool:
        """Whether there would be no more at once than there are."""
        return limits.is_lent(mail.limit, around((mail.id, mail.call), self._state_of))

    def _grant(self, mail: PermitMail, limits: Limits, now: int) -> None:
        self._wait_no_more(mail)
        # It works from now on, although it has not said so yet.
        if (state := self._state_of(mail.id.run)) is not None:
            unit = state.tried(mail.id.step, mail.id.item, mail.id.attempt)
            if unit is not None and unit.rests:
                rest(state, unit, "", now)
        held = self._held.setdefault(mail.limit, {}).setdefault(mail.id, {})
        held[mail.permit] = mail.call
        limits.begin(mail.limit, now)
        give(mail.permit, None)

    def _crossed(self, limits: Limits) -> Cross | None:
        """Somebody who waits for ever, if there is anybody."""
        waiting = [mail for some in self._waiting.values() for mail in some.values()]
        waiting.sort(key=lambda mail: self._numbers[mail.permit])
        holders: dict[str, list[Holder]] = {}
        for limit in {mail.limit for mail in waiting}:
            if limits.at_once(limit) > 0:  # time alone will let them in
                continue
            steps = [(attempt, "") for attempt in limits.attempts(limit)]
            holders[limit] = [*self.holders(limit), *steps]
        return crossed(waiting, holders, self._state_of)

    def _refuse_one(self, cross: Cross) -> None:
        mail = cross.mail
        del self._asked[mail.id][mail.permit]
        self._wait_no_more(mail)
        deny(mail.permit, LimitsCrossed(mail.limit, cross.held))

    # -- forgetting -------------------------------------------------------------------------

    def _give_up(self, attempt: AttemptId) -> None:
        """The attempt has come to its end, or nobody wants it: it holds nothing."""
        for permit, mail in self._asked.pop(attempt).items():
            self._forget(mail)
            deny(permit, AttemptGivenUp(attempt.step, attempt.attempt))

    def _forget(self, mail: PermitMail) -> None:
        if mail.permit in self._waiting.get(mail.limit, ()):
            self._wait_no_more(mail)
            return
        held = self._held[mail.limit]
        del held[mail.id][mail.permit]
        if not held[mail.id]:
            del held[mail.id]

    def _wait_no_more(self, mail: PermitMail) -> None:
        del self._waiting[mail.limit][mail.permit], self._numbers[mail.permit]
        self._within.get(mail.limit, {}).pop(mail.permit, None)

    # -- looking ----------------------------------------------------------------------------

    def _is_under_way(self, attempt: AttemptId) -> bool:
        state = self._state_of(attempt.run)
        tried = state.tried(attempt.step, attempt.item, attempt.attempt) if state else None
        return tried is not None

    def _may_go_under(self, attempt: AttemptId, limit: str) -> bool:
        """Whether there is anything around its calls that could hold a turn."""
        state = self._state_of(attempt.run)
        if state is None:
            return False
        is_called = state.started is not None and bool(state.started.call)
        return is_called or is_limited(state, attempt.step, attempt.item, limit)
