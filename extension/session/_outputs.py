"""Outputs into the notebook's namespace, when they are stored and not before."""

import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import msgspec

from stepwell.errors import StepwellError, ValueProblem, ValueUnreadable
from stepwell.orchestrator import Output
from stepwell.store.values import is_immutable
from stepwell.workers import ThreadPool, Values

__all__ = ["Outputs", "Published"]


class Published(msgspec.Struct, frozen=True, gc=False):
    """What was put into the namespace under one name.

    It does not keep the object alive: whoever deletes a large table means to be rid of it.
    """

    step: str
    digest: str
    identity: int
    found: Callable[[], object] | None = None
    """Gives the object while it exists; None for one that cannot be followed."""

    def is_same(self, value: object) -> bool:
        """Whether this is the object; a guess where it could not be followed."""
        if self.found is not None:
            return self.found() is value
        return id(value) == self.identity

    def is_sure(self, value: object) -> bool:
        """Whether this is the object, beyond doubt and as it was."""
        return self.found is not None and self.found() is value and is_immutable(value)


def _published(step: str, digest: str, value: object) -> Published:
    found: Callable[[], object] | None = None
    try:
        found = weakref.ref(value)
    except TypeError:
        if is_immutable(value) and sys.getsizeof(value) <= 1024:
            found = partial(_itself, value)
    return Published(step, digest, id(value), found)


def _problem(step: str, name: str, error: BaseException) -> StepwellError:
    again = f"to run it again: %stepwell rerun {step}"
    if isinstance(error, ValueProblem):
        return error.said_of(f"{name!r} of step {step!r} ({again})")
    if isinstance(error, StepwellError):
        return error
    unreadable = ValueUnreadable(
        f"{name!r} of step {step!r} ({again}) cannot be read: {type(error).__name__}: {error}. "
        "What is stored is as it was"
    )
    unreadable.__cause__ = error
    return unreadable


def _itself(value: object) -> object:
    return value


class Outputs:
    """The namespace's side of the steps. Any thread may call; waiting is the main thread's."""

    def __init__(
        self,
        namespace: dict[str, Any],
        values: Values,
        *,
        tell: Callable[[str], None] = lambda step: None,
    ) -> None:
        self._namespace = namespace
        self._values = values
        # Told of each step one of whose values cannot be read back, on the thread that reads.
        self._tell = tell
        self._published: dict[str, Published] = {}
        self._problems: dict[str, StepwellError] = {}
        # How often each name was published: a value read back slowly must not
        # take the place of a newer one.
        self._turns: dict[str, int] = {}
        self._being_read: dict[str, int] = {}
        # Reading back can run the user's code and take its time: not on the orchestrator.
        self._reading = ThreadPool(1, "stepwell-restore")
        self.changed = threading.Condition()
        """Notified whenever something was published or has happened to a step."""

    def publish(
        self, step: str, outputs: Mapping[str, Output], objects: Mapping[str, object]
    ) -> None:
        """A step has completed here: these are its objects. Nobody is woken: see `notify`."""
        for name, output in outputs.items():
            if name in objects:
                self._turns[name] = self._turns.get(name, 0) + 1
                self._put(step, name, output.digest, objects[name])

    def expect(self, names: Iterable[str]) -> None:
        """These will be made or read anew: nothing counts that went wrong before."""
        for name in names:
            if name in self._problems or name in self._being_read:
                self._turns[name] = self._turns.get(name, 0) + 1
                self._problems.pop(name, None)

    def restore(self, step: str, outputs: Mapping[str, Output]) -> None:
        """A step was answered from the store: read what is not here already, soon.

        A value that can be changed is read anew: it may have been.
        """
        for name, output in outputs.items():
            known = self._published.get(name)
            if known is not None and known.digest == output.digest:
                value = self._namespace.get(name)
                if known.is_sure(value) or (not output.stored and known.is_same(value)):
                    continue
            if output.stored or self._values.is_live(output.digest):
                self._problems.pop(name, None)
                turn = self._turns[name] = self._turns.get(name, 0) + 1
                self._being_read[name] = turn
                self._reading.submit(partial(self._read, step, name, output.digest, turn))

    def _read(self, step: str, name: str, digest: str, turn: int) -> None:
        value, problem = None, None
        try:
            value = self._values.load(digest)
        except BaseException as error:
            # Reading back may run code of the user's, which may raise anything.
            problem = _problem(step, name, error)
        if self._turns.get(name) == turn:
            if problem is None:
                self._put(step, name, digest, value)
            else:
                self._problems[name] = problem
                self._published.pop(name, None)
        if self._being_read.get(name) == turn:
            del self._being_read[name]
        self.notify()
        if problem is not None:
            self._tell(step)

    def close(self) -> None:
        """Read nothing more."""
        self._reading.close()

    def is_published(self, name: str, digest: str) -> bool:
        """Whether the namespace has been given this very value."""
        known = self._published.get(name)
        return known is not None and known.digest == digest

    def is_being_read(self, name: str) -> bool:
        """Whether a stored value is on its way into the namespace."""
        return name in self._being_read

    @property
    def has_problems(self) -> bool:
        """Whether any stored value could not be read back."""
        return bool(self._problems)

    def problem(self, name: str) -> StepwellError | None:
        """Why a stored value could not be read back, if it could not."""
        return self._problems.get(name)

    def problems(self, names: Iterable[str]) -> list[str]:
        """What there is to be said of these names."""
        return [str(problem) for name in names if (problem := self._problems.get(name))]

    def is_rebound(self, name: str) -> bool:
        """Whether the notebook has since given the name another value of its own."""
        known = self._published.get(name)
        return known is not None and not known.is_same(self._namespace.get(name))

    def withdraw(self, name: str) -> None:
        """The name is no step's output any more; the notebook keeps its value."""
        self._published.pop(name, None)

    def notify(self) -> None:
        """Wake whoever waits, to look again."""
        with self.changed:
            self.changed.notify_all()

    def wait_until(self, is_done: Callable[[], bool], timeout: float | None) -> bool:
        """Wait for a condition, looking again at each change and ten times a second.

        The short naps let an interrupt through at once. Returns whether it came about.
        """
        from time import monotonic

        end = None if timeout is None else monotonic() + timeout
        with self.changed:
            while not is_done():
                left = 0.1 if end is None else min(0.1, end - monotonic())
                if left <= 0:
                    return False
                self.changed.wait(left)
        return True

    def _put(self, step: str, name: str, digest: str, value: object) -> None:
        self._namespace[name] = value
        self._problems.pop(name, None)
        self._published[name] = _published(step, digest, value)
