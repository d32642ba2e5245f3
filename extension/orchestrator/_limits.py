"""How many attempts and calls may be under way, or begin in a while, that share a limit.

A limit holds for all runs that are advanced in this process. Which attempts are under way is
read off their states each time it is asked for, so it cannot be counted wrongly; which calls
are, `_permits` knows. What has begun lately is remembered here; after a restart `_begun` tells.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from stepwell.orchestrator._events import AttemptStarted, Event, LimitSet
from stepwell.orchestrator._port import AttemptId
from stepwell.orchestrator._state import State

__all__ = ["Limits", "Rooms", "is_limited"]

SECOND = 1_000_000
_MANY = 1 << 30


class Limits:
    """The limits that are set. On the orchestrator's thread alone."""

    def __init__(
        self, states: Callable[[], Iterable[State]], calls: Callable[[str], int] = lambda _: 0
    ) -> None:
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

    def room(self, name: str, now: int) -> int:
        """How many more that share this limit may begin now."""
        return max(0, min(self.at_once(name), self.in_a_while(name, now)))

    def begin(self, name: str, now: int) -> None:
        """A call has begun that counts."""
        if (rule := self.rules.get(name)) is not None and rule.rate:
            self._begun.setdefault(name, deque()).append(now)

    def attempts(self, name: str) -> Iterator[AttemptId]:
        """Those under way that count themselves, besides the calls they make."""
        for state in self._states():
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
        steps = sum(_count(state, name) for state in self._states())
        return rule.concurrent - steps - self._calls(name)

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


def _count(state: State, name: str) -> int:
    found = 0
    for step in state.running:
        definition = state.flow.get(step)
        if definition is None or definition.limit != name:
            continue
        items = state.steps[step].items if definition.map is not None else None
        found += len(items.running) if items is not None else definition.map is None
    return found


def _limited(state: State, name: str) -> Iterator[tuple[str, str]]:
    """The same, one by one: step and item."""
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

    def __init__(self, limits: Limits, now: int) -> None:
        self._limits = limits
        self._now = now
        self._left: dict[str, int] = {}

    def left(self, limit: str) -> int:
        """How many more may begin; without a limit any number."""
        if not limit:
            return _MANY
        if limit not in self._left:
            self._left[limit] = self._limits.room(limit, self._now)
        return self._left[limit]

    def take(self, limit: str) -> bool:
        """One more begins, if it may."""
        if self.left(limit) <= 0:
            return False
        if limit:
            self._left[limit] -= 1
        return True
