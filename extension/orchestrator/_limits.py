"""How many attempts and calls may be under way, or begin in a while, that share a limit.

A limit holds for all runs that are advanced in this process. Whoever holds a turn, and calls
what needs one as well, lends it his own: see `_around`. Which attempts are under way is
read off their states each time it is asked for, so it cannot be counted wrongly; which calls
are, `_permits` knows. What has begun lately is remembered here; after a restart `_begun` tells.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from stepwell.orchestrator._around import Holder, callers, innermost
from stepwell.orchestrator._events import AttemptStarted, Event, LimitSet
from stepwell.orchestrator._port import AttemptId
from stepwell.orchestrator._state import State

__all__ = ["Limits", "Rooms", "is_limited"]

SECOND = 1_000_000
_MANY = 1 << 30


class Limits:
    """The limits that are set. On the orchestrator's thread alone."""

    def __init__(
        self,
        states: Mapping[str, State],
        calls: Callable[[str], Sequence[Holder]] = lambda limit: (),
    ) -> None:
        """`calls` tells the calls that hold a turn under a limit."""
        self._states = states
        self._calls = calls
        self.rules: dict[str, LimitSet] = {}
        self._begun: dict[str, deque[int]] = {}
        self.next_due = 0
        """When one that has begun too often may begin again; 0 while nobody waits for that."""

    @property
    def longest(self) -> float:
        """Seconds that any of the rates looks back."""
        return max((rule.per for rule in self.rules.values() if rule.rate), default=0.0)

    def recall(self, begun: Iterable[tuple[str, int]]) -> None:
        """So much has begun before this process: limit and time."""
        for name, at in sorted(begun, key=lambda it: it[1]):
            self._begun.setdefault(name, deque()).append(at)

    def follow(self, event: Event, at: int) -> None:
        """Something has happened: a limit was set, or an attempt has begun that counts."""
        if isinstance(event, AttemptStarted):
            if event.limit:
                self._begun.setdefault(event.limit, deque()).append(at)
        elif isinstance(event, LimitSet):
            self.rules[event.name] = event

    def room(self, name: str, now: int, within: State | None = None) -> int:
        """How many more attempts that share this limit may begin now, in this run."""
        room = self.at_once(name)
        if room <= 0 and within is not None:
            room = int(self.is_lent(name, callers(within, self._states.get)))
        return max(0, min(room, self.in_a_while(name, now)))

    def is_lent(self, name: str, around: Iterable[Holder]) -> bool:
        """Whether the nearest of these that holds a turn waits for nobody else who has one."""
        holders = self.holders(name)
        nearest = next((it for it in around if it in holders), None)
        return nearest is not None and nearest in innermost(holders, self._states.get)

    def begin(self, name: str, now: int) -> None:
        """A call has begun that counts."""
        if (rule := self.rules.get(name)) is not None and rule.rate:
            self._begun.setdefault(name, deque()).append(now)

    def attempts(self, name: str) -> Iterator[AttemptId]:
        """Those under way that count themselves, besides the calls they make."""
        for state in self._states.values():
            for step, item in _limited(state, name):
                unit = state.unit(step, item)
                if unit is not None and unit.running is not None:
                    yield AttemptId(state.run, step, unit.running.attempt, item)

    def is_counting(self, name: str) -> bool:
        """Whether there may be only so many at once."""
        rule = self.rules.get(name)
        return rule is not None and rule.concurrent > 0

    def at_once(self, name: str) -> int:
        """How many more there may be beside those that are under way."""
        rule = self.rules.get(name)
        if rule is None or not rule.concurrent:
            return _MANY
        return rule.concurrent - len(innermost(self.holders(name), self._states.get))

    def holders(self, name: str) -> list[Holder]:
        """Attempts and calls that hold a turn."""
        return [*((attempt, "") for attempt in self.attempts(name)), *self._calls(name)]

    def in_a_while(self, name: str, now: int) -> int:
        """How many more may begin after those that have begun lately."""
        rule = self.rules.get(name)
        if rule is None or not rule.rate:
            return _MANY
        begun = self._begun.setdefault(name, deque())
        while begun and begun[0] <= now - round(rule.per * SECOND):
            begun.popleft()
        room = rule.rate - len(begun)
        if room <= 0:
            due = begun[0] + round(rule.per * SECOND)
            self.next_due = min(self.next_due or due, due)
        return room


def is_limited(state: State, step: str, item: str, limit: str) -> bool:
    """Whether an attempt at this counts under the limit; of a mapped step the elements' do."""
    definition = state.flow.get(step)
    if not limit or definition is None or definition.limit != limit:
        return False
    return bool(item) or definition.map is None


def _limited(state: State, name: str) -> Iterator[tuple[str, str]]:
    """Attempts under way that count: step and item."""
    for step in state.running:
        definition = state.flow.get(step)
        if definition is None or definition.limit != name:
            continue
        if definition.map is None:
            yield step, ""
        elif (items := state.steps[step].items) is not None:
            yield from ((step, item) for item in items.running)


class Rooms:
    """What room there is in one round of deciding, less what the round itself takes."""

    def __init__(self, limits: Limits, now: int, state: State) -> None:
        self._limits = limits
        self._now = now
        self._state = state
        self._left: dict[str, int] = {}

    def left(self, limit: str) -> int:
        """How many more may begin; without a limit any number."""
        if not limit:
            return _MANY
        if limit not in self._left:
            self._left[limit] = self._limits.room(limit, self._now, self._state)
        return self._left[limit]

    def take(self, limit: str) -> bool:
        """One more begins, if it may."""
        if self.left(limit) <= 0:
            return False
        if limit:
            self._left[limit] -= 1
        return True
