"""The steps of one agent as a graph: who writes what, who waits for whom."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from stepwell.errors import (
    CyclicFlow,
    InvalidStep,
    StepwellError,
    TwoWriters,
    UnknownStep,
    near_misses,
)
from stepwell.flow._cycle import shortest_circle, stands_in_circle
from stepwell.flow._step import Step

__all__ = ["Flow"]

_Names = dict[str, None]
"""A set that keeps its order."""


class Flow:
    """Steps in the order they were first added, one writer per name, no circles.

    A step waits for the writers of what it reads and for the steps named in `after`.
    `Step.reads` is all that counts: whoever adds a step has put in what the notebook's
    functions it calls read as well. A name that no step writes makes no edge, yet; it
    does as soon as its writer is added, before or after its readers.

    Adding costs what the step's own reads and writes cost, unless it joins two parts of
    the flow that were there: then, at most, the smaller of the two. Not thread-safe.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._steps: dict[str, Step] = {}
        self._places: dict[str, int] = {}
        self._writers: dict[str, str] = {}
        self._readers: dict[str, _Names] = {}
        self._followers: dict[str, _Names] = {}
        self._next_place = 0
        # The last answer of `order`, kept as long as it is one; None when it has to be made.
        self._order: list[str] | None = []
        self._ranks: dict[str, int] = {}

    @classmethod
    def restored(cls, name: str, steps: Iterable[Step]) -> "Flow":
        """A flow again, of the steps one had, in their order: they are not checked once more."""
        flow = cls(name)
        known, writers = flow._steps, flow._writers
        for step in steps:
            known[step.name] = step
            for written in step.writes:
                writers[written] = step.name
            if step.reads or step.after:
                flow._link(step)
        flow._places = {name: place for place, name in enumerate(known)}
        flow._next_place = len(known)
        flow._order = None
        return flow

    # Changing

    def add(self, step: Step) -> None:
        """Add a step, or replace the one of its name, which keeps its place.

        Raises `TwoWriters`, `CyclicFlow`, or `InvalidStep` for a step that waits for
        itself; the flow is then as it was.
        """
        self._refuse(step)
        old = self._steps.get(step.name)
        if old is not None and _wiring(old) == _wiring(step):
            self._steps[step.name] = step
            return
        if old is not None:
            self._unlink(old)
        self._link(step)
        if stands_in_circle(step.name, self._before, self._behind):
            circle = shortest_circle(step.name, self._behind)
            self._unlink(step)
            if old is None:
                del self._steps[step.name]
            else:
                self._link(old)
            raise CyclicFlow(circle)
        self._place(step)

    def extend(self, steps: Iterable[Step]) -> None:
        """Add many steps, or none: as `add`, but looking for circles once, at the end."""
        done: list[tuple[Step, Step | None]] = []
        try:
            for step in steps:
                self._refuse(step)
                old = self._steps.get(step.name)
                if old is not None:
                    self._unlink(old)
                else:
                    self._places[step.name] = self._next_place
                    self._next_place += 1
                done.append((step, old))
                self._link(step)
            self._order = None
            self._sort()
        except (StepwellError, CycleError) as error:
            self._take_back(done)
            if isinstance(error, CycleError):
                raise CyclicFlow(error.args[1][:0:-1]) from error
            raise

    def _take_back(self, done: list[tuple[Step, Step | None]]) -> None:
        for step, old in reversed(done):
            self._unlink(step)
            if old is not None:
                self._link(old)
            else:
                del self._steps[step.name], self._places[step.name]
        self._order = None

    def remove(self, name: str) -> None:
        """Take a step out. What it wrote has no writer then. Raises `UnknownStep`."""
        self._unlink(self[name])
        del self._steps[name]
        del self._places[name]
        self._order = None

    # Asking

    def __getitem__(self, name: str) -> Step:
        step = self._steps.get(name)
        if step is None:
            raise UnknownStep(name, near_misses(name, self._steps))
        return step

    def get(self, name: str) -> Step | None:
        """The step of that name, or None."""
        return self._steps.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._steps

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps.values())

    def __repr__(self) -> str:
        return f"<Flow {self.name!r}: {len(self)} steps>"

    def writer_of(self, name: str) -> Step | None:
        """The step that writes this name; None for a name of the environment."""
        writer = self._writers.get(name)
        return None if writer is None else self._steps[writer]

    def sources(self, name: str) -> dict[str, str]:
        """What a step reads, in order, and the step each comes from; "" for the environment."""
        return {read: self._writers.get(read, "") for read in self[name].reads}

    def upstream(self, name: str) -> tuple[str, ...]:
        """The steps this one waits for directly, in definition order."""
        self[name]
        return self._in_place(self._before(name))

    def downstream(self, name: str) -> tuple[str, ...]:
        """The steps that wait for this one directly, in definition order."""
        self[name]
        return self._in_place(self._behind(name))

    def ancestors(self, names: str | Iterable[str]) -> tuple[str, ...]:
        """Every step that one of these waits for, directly or not, in the order to run them.

        One of `names` is among them only if another of them waits for it.
        """
        return self._closure(names, self._before)

    def descendants(self, names: str | Iterable[str]) -> tuple[str, ...]:
        """Every step that waits for one of these, directly or not, in the order to run them."""
        return self._closure(names, self._behind)

    def order(self, names: Iterable[str] | None = None) -> tuple[str, ...]:
        """These steps, or all, each after the ones it waits for, directly or not.

        Of the steps that could come next, the one defined first does. Raises `UnknownStep`.
        """
        order = self._sort()
        if names is None:
            return tuple(order)
        return tuple(sorted({self[name].name for name in names}, key=self._ranks.__getitem__))

    def check(self, names: Iterable[str] | None = None) -> None:
        """Raise `UnknownStep` if one of these steps, or any, comes `after` one that is missing.

        Not part of `add`, so that cells may be run in any order.
        """
        for name in self._steps if names is None else names:
            for earlier in self[name].after:
                self[earlier]

    # Inside

    def _refuse(self, step: Step) -> None:
        if step.name in step.after:
            raise InvalidStep(step.name, "it is to come after itself. Take it out of --after")
        for name in step.writes:
            if name in step.reads and name not in step.optional:
                raise InvalidStep(
                    step.name,
                    f"it reads {name!r} and writes {name!r}, so a second run would start from "
                    f"the result of the first. Give the result another name",
                )
            writer = self._writers.get(name, step.name)
            if writer != step.name:
                raise TwoWriters(name, writer, step.name)

    def _link(self, step: Step) -> None:
        for name in step.writes:
            self._writers[name] = step.name
        for name in step.reads:
            self._readers.setdefault(name, {})[step.name] = None
        for earlier in step.after:
            self._followers.setdefault(earlier, {})[step.name] = None
        self._steps[step.name] = step

    def _unlink(self, step: Step) -> None:
        for name in step.writes:
            self._writers.pop(name, None)
        for index, names in ((self._readers, step.reads), (self._followers, step.after)):
            for name in names:
                waiting = index.get(name, {})
                waiting.pop(step.name, None)
                if not waiting:
                    index.pop(name, None)

    def _before(self, name: str) -> Iterable[str]:
        step = self._steps.get(name)
        if step is None or not (step.reads or step.after):
            return ()
        writers = self._writers
        found = [it for read in step.reads if (it := writers.get(read, name)) != name]
        found += [earlier for earlier in step.after if earlier in self._steps]
        return found

    def _behind(self, name: str) -> Iterable[str]:
        step = self._steps.get(name)
        if step is None:
            return ()
        found = [it for made in step.writes for it in self._readers.get(made, ()) if it != name]
        found += self._followers.get(name, ())
        return found

    def _place(self, step: Step) -> None:
        is_new = step.name not in self._places
        if is_new:
            self._places[step.name] = self._next_place
            self._next_place += 1
        if is_new and self._order is not None and not any(self._behind(step.name)):
            # Defined last and waited for by nobody: it comes last, the rest stays.
            self._ranks[step.name] = len(self._order)
            self._order.append(step.name)
        else:
            self._order = None

    def _sort(self) -> list[str]:
        if self._order is None:
            self._order = list(self._steps if self._is_sorted() else self._sorted())
            self._ranks = {name: rank for rank, name in enumerate(self._order)}
        return self._order

    def _is_sorted(self) -> bool:
        """Whether each step was first added after those it waits for, as in most flows."""
        places, writers = self._places, self._writers
        # As `_before`, without a generator for each step: there may be very many.
        for name, step in self._steps.items():
            place = places[name]
            for read in step.reads:
                if (writer := writers.get(read, name)) != name and places[writer] > place:
                    return False
            for earlier in step.after:
                if places.get(earlier, place) > place:
                    return False
        return True

    def _sorted(self) -> Iterator[str]:
        graph = TopologicalSorter({name: self._before(name) for name in self._steps})
        graph.prepare()
        ready: list[tuple[int, str]] = []
        while graph.is_active():
            for name in graph.get_ready():
                heapq.heappush(ready, (self._places[name], name))
            _, name = heapq.heappop(ready)
            yield name
            graph.done(name)

    def _in_place(self, names: Iterable[str]) -> tuple[str, ...]:
        found = set(names)
        # Most have one neighbour or none, and are asked for them again and again.
        if len(found) < 2:
            return tuple(found)
        return tuple(sorted(found, key=self._places.__getitem__))

    def _closure(
        self, names: str | Iterable[str], neighbours: Callable[[str], Iterable[str]]
    ) -> tuple[str, ...]:
        waiting = [self[name].name for name in ([names] if isinstance(names, str) else names)]
        found = set[str]()
        while waiting:
            for name in neighbours(waiting.pop()):
                if name not in found:
                    found.add(name)
                    waiting.append(name)
        self._sort()
        return tuple(sorted(found, key=self._ranks.__getitem__))


def _wiring(step: Step) -> tuple[tuple[str, ...], ...]:
    return step.reads, step.writes, step.after
