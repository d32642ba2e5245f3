"""Which attempt is running here.

A context variable says it: tasks that an async step starts inherit it, and threads that a
step starts are given it by the worker. Everything a step's code can say or ask goes through
the `Inside` found there. Any thread may use one; nothing is locked.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from stepwell.errors import AttemptGivenUp, InvalidUsage
from stepwell.inside._pulse import Pulse
from stepwell.inside._transaction import Transaction
from stepwell.inside._work import Work
from stepwell.orchestrator import (
    Attempt,
    AttemptId,
    Call,
    HeartbeatKept,
    Link,
    Note,
    Output,
    Sign,
    Usage,
)
from stepwell.store import Blob

__all__ = [
    "Answered",
    "Inside",
    "Tape",
    "Values",
    "awaiting",
    "given_up",
    "here",
    "inside",
    "is_on_loop",
]

Answer = TypeVar("Answer")


class Values(Protocol):
    """How values get to the store and back."""

    def encode(self, step: str, variable: str, value: object) -> tuple[Output, Blob]:
        """The value, ready for a record. Raises `ValueNotStorable`, with both names."""
        ...

    def load(self, digest: str) -> object:
        """The value, for one reader. Raises `ValueUnreadable`, `ValueNotTrusted`."""
        ...

    def identify(self, value: object) -> tuple[str, str] | None:
        """Digest and preview; None if nothing tells the value from others of its type."""
        ...

    def class_name(self, kind: type) -> str | None:
        """The name under which another process finds the class; None if it would not."""
        ...

    def class_of(self, name: str) -> type:
        """The class of that name. Raises `ValueUnreadable`, `ValueNotTrusted`."""
        ...

    def to_plain(self, value: object) -> Any:
        """The value as readable JSON, secrets masked. Raises `ValueNotStorable`."""
        ...

    def from_plain(self, node: Any) -> object:
        """The value that was written so. Raises `ValueUnreadable`."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """What a call has come to: a result, or an error."""

    result: object = None
    error: BaseException | None = None
    usage: Usage | None = None
    is_remembered: bool = False
    """Whether the store has answered it, so that calls inside it were not made."""


class Tape(Protocol):
    """What stands beside the calls of a process: it answers them, or it takes note."""

    is_answering: bool
    """Whether nothing is called, so that nobody need allow it."""

    def answer(self, inside: "Inside", call: Any, key: str) -> Answered | None:
        """What the call came to when it was recorded.

        None for a tape that takes note; and for a call that is to be made although, since the
        calls inside it were recorded, and it has changed. Raises `CallNotRecorded`.
        """
        ...

    def note(self, inside: "Inside", call: Any, key: str, came: Answered) -> None:
        """The call came to this. Raises `CassetteProblem`."""
        ...


# A struct and not a dataclass: one is made for every attempt, and that is ten times as fast.
class Inside(msgspec.Struct, frozen=True, eq=False):
    """The running attempt, for the code that runs in it."""

    attempt: Attempt
    link: Link
    values: Values
    path: str = ""
    """Keys of the calls around this place, outermost first, each followed by `/`."""
    pulse: Pulse = msgspec.field(default_factory=Pulse)
    transaction: Transaction = msgspec.field(default_factory=Transaction)
    tape: Tape | None = None
    reported: list[Usage] | None = None
    """Inside a plain call: what its code says it has consumed."""
    below: list[Usage] | None = None
    """Inside a plain call: what calls that its code makes have consumed."""
    _work: Work | None = None
    """Inside a plain call."""
    _asked: dict[str, "count[int]"] = {}
    _kept: dict[str, Call] = {}
    """What calls within calls came to in this attempt: a call that is tried again asks again."""

    # -- calls --------------------------------------------------------------------------

    def call_key(self, what: str) -> str:
        """The key of the next call that is `what`: its path, what it is, how-many-th of the same.

        Asked for once to a call, in the order in which the code makes calls of the same kind.
        """
        key = self.path + what
        # One step of C code: two threads never get the same number.
        return f"{key}#{next(self._asked.setdefault(key, count()))}"

    @property
    def has_called(self) -> bool:
        """Whether the code in here has made calls."""
        return bool(self._asked)

    def within(self, key: str) -> "Inside":
        """For one try at the call of that key: calls that its code makes are counted apart."""
        work = Work(self.work)
        return replace(self, path=f"{key}/", reported=[], below=[], _asked={}, _work=work)

    def at_rest(self) -> AbstractContextManager[None]:
        """While the code in here waits for what is no work of its own.

        Outside of calls the orchestrator knows that by itself.
        """
        return self.work.waiting("wait") if self.path else nullcontext()

    @property
    def work(self) -> Work:
        """Whether the code in here works, or only waits with all its calls."""
        if self._work is not None:
            return self._work
        return self.pulse.work(partial(self.link.rest, self.attempt.id))

    def remembered(self, key: str) -> Call | None:
        """What the call came to before, as far as it got."""
        calls = self.attempt.calls
        found = calls.get(key) if calls is not None else None
        return found if found is not None else self._kept.get(key)

    def usages_below(self, key: str) -> list[Usage]:
        """What calls inside that call have consumed before."""
        calls = {**(self.attempt.calls or {}), **self._kept}
        found = [call for name, call in calls.items() if name.startswith(f"{key}/")]
        return [call.usage for call in found if call.usage is not None]

    def keep(self, call: Call) -> None:
        """What a call has come to now, and that is on disk."""
        if self.path:
            self._kept[call.key] = call

    # -- the orchestrator -----------------------------------------------------------------

    def note(self, event: Note, blobs: Sequence[Blob] = ()) -> "Future[None]":
        """Write this down; the answer comes when it is on disk, or is `AttemptGivenUp`."""
        return self.link.note(self.attempt.id, event, blobs)

    def closed(self, key: str) -> "Future[Call]":
        """The call's answer, once it is on disk, or `AttemptGivenUp`."""
        return self.expected(self.link.wait(self.attempt.id, key))

    def expected(self, answer: "Future[Answer]") -> "Future[Answer]":
        """An answer that may take its time; see `give_up`."""
        self.pulse.expect(answer, given_up(self.attempt.id))
        return answer

    def check(self) -> None:
        """Raises `AttemptGivenUp` when nobody wants the attempt's result any more."""
        if self.pulse.is_given_up:
            raise given_up(self.attempt.id)

    # -- signs of life ---------------------------------------------------------------------

    def beat(self, details: object) -> None:
        """The code says that it is alive. Raises `AttemptGivenUp`."""
        self.check()
        self.pulse.beat(details, self._send_beat)

    def _send_beat(self, details: object) -> "Future[None]":
        if details is None:
            return self.note(HeartbeatKept())
        output, blob = self.values.encode(self.attempt.id.step, "its heartbeat", details)
        return self.note(HeartbeatKept(output), [blob])

    def show(self, done: float, total: float, text: str) -> None:
        """The code says how far it is. Raises `AttemptGivenUp`."""
        self.check()
        if self.pulse.may_show(done, total):
            sign = Sign("progress", str(text), float(done), float(total))
            self.link.sign(self.attempt.id, sign)

    # -- for the worker ----------------------------------------------------------------------

    def enter(self) -> None:
        """From here on, in this context, code runs in this attempt."""
        inside.set(self)

    def give_up(self, *, blocks: bool = False) -> None:
        """Nobody wants the result any more: the code hears of it when it next calls.

        Where it `blocks` a thread, it hears of it in what it waits for: nothing else ends that.
        """
        self.pulse.is_given_up = True
        if blocks:
            self.pulse.give_up(given_up(self.attempt.id))
        self.transaction.undo()

    def fail(self) -> None:
        """The code has failed: what the next attempt should know is kept, the rest undone."""
        with suppress(Exception):
            self.pulse.flush(self._send_beat)
        self.transaction.undo()

    # -- waiting --------------------------------------------------------------------------

    @staticmethod
    async def awaited(answer: "Future[Answer]") -> Answer:
        """Wait in code that awaits; other tasks of the loop go on. Raises `AttemptGivenUp`."""
        return await asyncio.wrap_future(answer)

    def blocked(self, answer: "Future[Answer]", *, what: str) -> Answer:
        """Wait in code that does not await. Raises `AttemptGivenUp`.

        Raises `InvalidUsage` where this would stop a loop on which other steps run. `what`
        is what the code has called.
        """
        if is_on_loop():
            answer.cancel()
            raise InvalidUsage(
                f"step {self.attempt.id.step!r}: in code with `await` it is `await {what}`"
            )
        return answer.result()


inside: ContextVar[Inside | None] = ContextVar("stepwell_inside", default=None)
"""The attempt that runs here; None outside of steps."""


def here(what: str) -> Inside:
    """The attempt that runs here. Raises `InvalidUsage` where none does; `what` was called."""
    found = inside.get()
    if found is None:
        raise InvalidUsage(
            f"{what} has a meaning only inside a step, and this code does not run in one. "
            f"Put it below a %%step line, or into a function that a step calls"
        )
    return found


def awaiting(what: str) -> Inside:
    """The same for what is awaited. Raises `InvalidUsage` in code that does not: it would go on
    as if all were well.
    """
    found = here(f"stepwell.{what}()")
    if not is_on_loop():
        raise InvalidUsage(
            f"step {found.attempt.id.step!r}: stepwell.{what}(…) is awaited, and this code does "
            f"not await: without `await` it is stepwell.blocking.{what}(…)"
        )
    return found


def given_up(attempt: AttemptId) -> AttemptGivenUp:
    """The error for an attempt of which nobody wants the result any more."""
    return AttemptGivenUp(attempt.step, attempt.attempt)


def is_on_loop() -> bool:
    """Whether an event loop runs on this thread, so that blocking would stop its tasks."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
