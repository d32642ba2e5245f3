"""What a piece of code takes from outside and what it leaves behind, as it is found out."""

from collections.abc import Collection, Sequence
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


@dataclass(slots=True, eq=False)
class Body:
    """What calling a function does to the globals. Two functions are never the same."""

    uses: dict[str, Use] = field(default_factory=dict[str, Use])
    stores: dict[str, Kind] = field(default_factory=dict[str, Kind])
    """Names declared `global` and bound, in order."""


@dataclass(slots=True)
class State:
    """What may be bound at one point of the program, taking all ways to it together."""

    stored: set[str] = field(default_factory=set[str])
    """Bound by the code on some way that had not needed it from outside before."""
    touched: set[str] = field(default_factory=set[str])
    """Bound or looked up on every way."""
    live: set[str] = field(default_factory=set[str])
    """Holding a value on some way."""

    def copy(self) -> "State":
        """The same, free to change."""
        return State(set(self.stored), set(self.touched), set(self.live))


class Ledger:
    """Collects the look-ups and bindings of the top level, in the order they happen.

    A name looked up where no way through the code has bound it comes from outside; a way
    on which it had to come from outside already does not count. The look-ups of a function
    happen when it is called. A call by its name is judged where it stands; of a function
    that is not called so, only those names are taken to come from outside that nothing else
    in the code binds.
    """

    def __init__(self) -> None:
        self.state = State()
        # True on a first walk over a loop, which only finds out what a turn hands to the next.
        self.is_rehearsal = False
        self.reads: dict[str, Use] = {}
        self.bindings: dict[str, list[Kind]] = {}
        self.bodies: list[Body] = []
        self._functions: dict[str, Body] = {}
        # Names that a call of these functions would bind.
        self._promised: dict[str, list[Body]] = {}
        self._clock = 0

    def tick(self) -> int:
        """A number for `Use.order`, greater than all before."""
        self._clock += 1
        return self._clock

    def load(self, name: str, use: Use, calling: Collection[Body] = ()) -> None:
        """Looked up at top level, here and now, while these functions are called."""
        is_ours = name in self.state.stored or any(
            body not in calling for body in self._promised.get(name, ())
        )
        if not is_ours and not self.is_rehearsal:
            self.reads.setdefault(name, use).also(use)
        self.state.touched.add(name)

    def bind(self, name: str, kind: Kind, body: Body | None = None) -> None:
        """Bound at top level; `body` is what a function does when it is called."""
        self.bindings.setdefault(name, []).append(kind)
        self._store(name)
        if body is not None:
            self._functions[name] = body
        else:
            self._functions.pop(name, None)

    def delete(self, name: str) -> None:
        """Deleted at top level; it stays a name of the code's own."""
        self.state.live.discard(name)

    def define(self, body: Body) -> None:
        """A function whose body can be called from here on."""
        self.state.live.update(body.stores)
        if not self.is_rehearsal:
            self.bodies.append(body)
            for name in body.stores:
                self._promised.setdefault(name, []).append(body)

    def call(self, name: str) -> None:
        """A function of the code is called: what it looks up is looked up now."""
        calling = self._reached_from(name)
        for body in calling:
            for used, use in body.uses.items():
                self.load(used, use, calling)
        for body in calling:
            for stored in body.stores:
                self._store(stored)

    def _reached_from(self, name: str) -> dict[Body, None]:
        reached: dict[Body, None] = {}
        waiting = [name]
        while waiting:
            body = self._functions.get(waiting.pop())
            if body is not None and body not in reached:
                reached[body] = None
                waiting += body.uses
        return reached

    def _store(self, name: str) -> None:
        if name not in self.state.touched:
            self.state.stored.add(name)
        self.state.touched.add(name)
        self.state.live.add(name)

    def join(self, states: Sequence[State]) -> None:
        """Several ways meet here."""
        self.state = State(
            set[str]().union(*(state.stored for state in states)),
            states[0].touched.intersection(*(state.touched for state in states)),
            set[str]().union(*(state.live for state in states)),
        )

    def close(self) -> None:
        """No more code: settle what the functions nobody called look up."""
        for body in self.bodies:
            for name, use in body.uses.items():
                if not self._is_bound_besides(name, body):
                    self.reads.setdefault(name, use).also(use)
        for body in self.bodies:
            for name, kind in body.stores.items():
                self.bindings.setdefault(name, []).append(kind)

    def _is_bound_besides(self, name: str, body: Body) -> bool:
        # A function that looks a global up before it sets it cannot be its own source.
        return name in self.bindings or any(
            other is not body for other in self._promised.get(name, ())
        )
