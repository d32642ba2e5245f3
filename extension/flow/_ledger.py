"""What a piece of code takes from outside and what it leaves behind, as it is found out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["Body", "Kind", "Ledger", "State", "Use"]


class Kind(Enum):
    """How a name came to be bound."""

    ASSIGNED = "assigned"
    TEMPORARY = "temporary"  # a target of for, with, except or case
    IMPORTED = "imported"
    FUNCTION = "function"
    CLASS = "class"  # a type alias as well


@dataclass(slots=True)
class Use:
    """A name that was looked up among the globals."""

    order: int
    is_mutated: bool = False
    is_optional: bool = False
    """Only ever met in the text of a shell command or a magic."""

    def also(self, other: "Use") -> None:
        """Another look-up of the same name."""
        self.order = min(self.order, other.order)
        self.is_mutated |= other.is_mutated
        self.is_optional &= other.is_optional


@dataclass(slots=True)
class Body:
    """What calling a function does to the globals."""

    uses: dict[str, Use] = field(default_factory=dict[str, Use])
    stores: dict[str, Kind] = field(default_factory=dict[str, Kind])
    """Names declared `global` and bound, in order."""


@dataclass(slots=True)
class State:
    """What may be bound at one point of the program."""

    stored: set[str]
    """Bound on some way to here, perhaps deleted since."""
    live: set[str]
    """Holding a value on some way to here."""

    def copy(self) -> "State":
        """The same, free to change."""
        return State(set(self.stored), set(self.live))


class Ledger:
    """Collects the look-ups and bindings of the top level, in the order they happen.

    A name looked up where no way through the code has bound it comes from outside. The
    look-ups of a function happen when it is called: at a call by its name, they are
    judged there; otherwise a name that the code binds anywhere is taken to be that one.
    """

    def __init__(self) -> None:
        self.state = State(set(), set())
        # Bound by an earlier turn of a loop around, for code that not every turn reaches:
        # in `if i: print(last)` … `last = i` nothing is missing from outside.
        self.carried: set[str] = set()
        self.reads: dict[str, Use] = {}
        self.bindings: dict[str, list[Kind]] = {}
        self.bodies: list[Body] = []
        self._functions: dict[str, Body] = {}
        self._clock = 0

    def tick(self) -> int:
        """A number for `Use.order`, greater than all before."""
        self._clock += 1
        return self._clock

    def load(self, name: str, use: Use) -> None:
        """Looked up at top level, here and now."""
        if name not in self.state.stored and name not in self.carried:
            self.reads.setdefault(name, use).also(use)

    def bind(self, name: str, kind: Kind, body: Body | None = None) -> None:
        """Bound at top level; `body` is what a function does when it is called."""
        self._store(name, kind)
        if body is not None:
            self._functions[name] = body
        else:
            self._functions.pop(name, None)

    def delete(self, name: str) -> None:
        """Deleted at top level; it stays a name of the code's own."""
        self.state.stored.add(name)
        self.state.live.discard(name)

    def define(self, body: Body) -> None:
        """A function whose body can be called from here on."""
        self.bodies.append(body)
        self.state.stored.update(body.stores)
        self.state.live.update(body.stores)

    def call(self, name: str) -> None:
        """A function of the code is called: what it looks up is looked up now."""
        waiting, seen = [name], set[str]()
        while waiting:
            called = waiting.pop()
            body = self._functions.get(called)
            if body is None or called in seen:
                continue
            seen.add(called)
            for used, use in body.uses.items():
                self.load(used, use)
                waiting.append(used)

    def join(self, states: Iterable[State]) -> None:
        """Several ways meet here."""
        stored, live = set[str](), set[str]()
        for state in states:
            stored |= state.stored
            live |= state.live
        self.state = State(stored, live)

    def close(self) -> None:
        """No more code: settle what the functions nobody called look up."""
        for body in self.bodies:
            for name, use in body.uses.items():
                if not self._is_bound_besides(name, body):
                    self.reads.setdefault(name, use).also(use)
        for body in self.bodies:
            for name, kind in body.stores.items():
                self.bindings.setdefault(name, []).append(kind)

    def _store(self, name: str, kind: Kind) -> None:
        self.bindings.setdefault(name, []).append(kind)
        self.state.stored.add(name)
        self.state.live.add(name)

    def _is_bound_besides(self, name: str, body: Body) -> bool:
        # A function that looks a global up before it sets it cannot be its own source.
        return name in self.bindings or any(
            name in other.stores for other in self.bodies if other is not body
        )
