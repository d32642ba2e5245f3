"""One call, from its identity to its answer: what is to be done, without doing any of it.

`conduct` says what it needs (`Try` the function, `Wait` for the disk or for the time of another
try) and is told what came of it; `_drive` does these things, in code that awaits and in code
that does not. Order: a result is on disk before the caller sees it.
"""

import time
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from stepwell.errors import AttemptGivenUp, CallNotRecorded, CassetteProblem, StoreError
from stepwell.inside._approvals import Wish
from stepwell.inside._arguments import Identity, Named
from stepwell.inside._current import Answered, Inside
from stepwell.inside._failures import failure_of
from stepwell.inside._options import CallOptions
from stepwell.inside._outcome import error_of, keep_error, keep_result, result_of
from stepwell.inside._permission import Rule, wish_for
from stepwell.inside._turns import Taken, Turn, take_turn
from stepwell.inside._usage import as_usage, total, usage_of
from stepwell.orchestrator import (
    Call,
    CallCompleted,
    CallFailed,
    CallTried,
    Reserve,
    Usage,
    retry_after,
)

__all__ = [
    "PASSED_ON",
    "Ask",
    "Command",
    "Conduct",
    "Known",
    "Made",
    "Making",
    "Try",
    "Wait",
    "begin",
    "conduct",
]

SAME: Any = object()

PASSED_ON = (AttemptGivenUp, StoreError, CallNotRecorded, CassetteProblem)
"""Not the call's failures: nothing more of this attempt counts, or nothing can be kept."""


@dataclass(frozen=True, slots=True)
class Try:
    """Run the function once; the answer is what it returns or raises."""

    inside: Inside
    changed: Named | None = None
    """Arguments that a person has changed."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A person; the answer is what they have approved. Raises `ApprovalRejected`."""

    inside: Inside
    wish: Wish
    key: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Until this has come: it is on disk, or it is time."""

    answer: "Future[Any]"


Command = Try | Ask | Turn | Wait
Conduct = Generator[Command, Any, Any]


def conduct(
    inside: Inside, call: Identity, options: CallOptions, rule: Rule | None = None
) -> Conduct:
    """Answer the call from what is remembered, or make it and remember what it came to."""
    found = yield from begin(inside, call, options, rule)
    if isinstance(found, Known):
        return found.result
    return (yield from found.until_it_ends())


@dataclass(frozen=True, slots=True)
class Known:
    """What a call has come to, without being made."""

    result: Any


def begin(
    inside: Inside, call: Identity, options: CallOptions, rule: Rule | None = None
) -> "Generator[Command, Any, Known | Making]":
    """What is remembered or recorded of the call; or the call, allowed to be made.

    Raises the error that it came to before.
    """
    key = inside.call_key(call.what)
    known = inside.remembered(key)
    if known is not None and known.is_closed:
        return Known(recalled(inside, call, known))
    making = Making(inside, call, options, key, rule)
    if known is not None and known.attempts:
        yield from making.go_on(known)
    if (recorded := making.recorded()) is not None:
        return Known((yield from making.replay(recorded)))
    if inside.tape is None or not inside.tape.is_answering:
        yield from making.permit()
    return making


def tell(inside: Inside, call: Identity, key: str, came: Answered) -> None:
    """Whoever takes note of calls, and the call around this one."""
    if inside.tape is not None:
        inside.tape.note(inside, call, key, came)
    if inside.below is not None and came.usage is not None:
        inside.below.append(came.usage)


def recalled(inside: Inside, call: Identity, known: Call) -> Any:
    """What the call came to before. Raises the error that was remembered."""
    error = error_of(inside, call.name, known) if known.error is not None else None
    result = result_of(inside, known)
    if inside.tape is not None or inside.below is not None:
        usage = total([*filter(None, [known.usage]), *inside.usages_below(known.key)])
        tell(inside, call, known.key, Answered(result, error, usage, is_remembered=True))
    if error is not None:
        raise error
    return result


@dataclass(frozen=True, slots=True)
class Made:
    """A try that has succeeded. Its turn is not handed back yet."""

    inside: Inside
    turn: Taken
    result: Any


@dataclass(slots=True)
class Making:
    """A call that is not remembered: tried until it ends."""

    inside: Inside
    call: Identity
    options: CallOptions
    key: str
    rule: Rule | None = None
    changed: Named | None = None
    tries: int = 0
    began: float = field(default_factory=time.perf_counter)
    is_written: bool = False
    spent: list[Usage] = field(default_factory=list[Usage])
    below: list[Usage] = field(default_factory=list[Usage])
    """By calls inside this one: counted with them, and told with this one's answer."""

    def until_it_ends(self) -> Conduct:
        """Try, and try again as the options say."""
        made = yield from self.made()
        made.turn.hand_back()
        yield from self.complete(made.inside, made.result)
        return made.result

    def made(self) -> "Generator[Command, Any, Made]":
        """The first try that succeeds; what it has come to is not written down yet."""
        while True:
            turn = yield from self.turn()
            here = self.begin()
            try:
                result = yield Try(here, self.changed)
            except PASSED_ON:
                turn.hand_back()
                raise
            except Exception as error:
                turn.hand_back()
                yield from self.failed(here, error)
            except BaseException:
                turn.hand_back()
                raise
            else:
                return Made(here, turn, result)

    def failed(self, here: Inside, error: Exception, *, is_final: bool = False) -> Conduct:
        """A try has failed: let the time pass until the next. Raises the error if there is none."""
        self.take(here)
        wait = None if is_final else self.wait_after(error)
        if wait is None:
            yield from self.fail(error)
            raise error
        yield from self.try_later(error, wait)

    def go_on(self, known: Call) -> Conduct:
        """Where an earlier attempt was cut off between two tries."""
        self.tries = known.attempts
        yield from self.pause(known.due)

    def pause(self, due: int) -> Conduct:
        """Let the time pass until the next try, by the clock that all timers go by."""
        inside = self.inside
        if due > inside.link.now():
            with inside.work.waiting("pause"):
                yield Wait(inside.expected(inside.link.pause(inside.attempt.id, self.key, due)))

    def permit(self) -> Conduct:
        """Have it allowed, by a person where that is wanted, and by the budget."""
        wish = wish_for(self.rule, self.call, self.inside.values) if self.rule else None
        if wish is not None:
            found = yield Ask(self.inside, wish, f"{self.key}?")
            shown: Any = wish.payload
            new = {name: it for name, it in found.items() if it is not shown[name]}
            self.changed = new or None
        yield from self.reserve()
        # What it took to be allowed is not the call's time.
        self.began = time.perf_counter()

    def reserve(self) -> Conduct:
        """Have the budget allow it, with what it may consume at most. Once for all tries."""
        options, inside = self.options, self.inside
        wanted = Reserve(self.call.name, options.max_cost, options.max_tokens)
        answer = inside.link.reserve(inside.attempt.id, self.key, wanted)
        # Without a budget it is there already, and costs no turn. A refusal may be, too.
        if answer.done():
            answer.result()
        else:
            yield Wait(answer)

    def turn(self) -> Generator[Command, Any, Taken]:
        """Wait until the limit it shares has room for one more try. That is not its time."""
        since = time.perf_counter()
        if not self.options.limit:
            return Taken(self.inside)
        with self.inside.work.waiting("wait"):
            taken = yield from take_turn(self.inside, self.key, self.options.limit)
        self.began += time.perf_counter() - since
        return taken

    def begin(self) -> Inside:
        """For the code of one more try. Raises `AttemptGivenUp`: then it is not made."""
        self.inside.check()
        self.tries += 1
        return self.inside.within(self.key)

    def recorded(self) -> Answered | None:
        """What a recording has for it. Raises `CallNotRecorded`."""
        tape = self.inside.tape
        return tape.answer(self.inside, self.call, self.key) if tape is not None else None

    def replay(self, recorded: Answered) -> Conduct:
        """Come to what was recorded."""
        self.spent += [recorded.usage] if recorded.usage is not None else []
        if isinstance(recorded.error, Exception):
            yield from self.fail(recorded.error)
            raise recorded.error
        yield from self.keep(recorded.result)
        return recorded.result

    def take(self, here: Inside) -> None:
        """What was consumed in a try that has ended."""
        self.spent += _drained(here.reported)
        self.below += _drained(here.below)

    def count(self, here: Inside) -> None:
        """What was consumed in a try and is not written with its end: it was said after that,
        or the try was left before.
        """
        late = total([*([] if self.is_written else self.spent), *_drained(here.reported)])
        if late is not None:
            key = here.call_key(f"usage:{self.inside.attempt.id.attempt}")
            self.inside.note(CallCompleted(key, usage=late))

    def wait_after(self, error: Exception) -> float | None:
        """Seconds until another try; None if there is none."""
        return retry_after(self.options.retry, failure_of(error), self.tries - 1, self.key)

    def complete(self, here: Inside, result: object, told_by: object = SAME) -> Conduct:
        """Remember the result of the try that was made `here`.

        What it has consumed may stand in it, or in `told_by`; but not where it comes from calls
        inside this one: what these have consumed was counted with them.
        """
        self.take(here)
        measured = result if told_by is SAME else told_by
        measure, told = self.options.usage, None
        if measure is not None or not here.has_called:
            told = usage_of(measured) if measure is None else as_usage(measure(measured))
        self.spent += [told] if told is not None else []
        yield from self.keep(result)

    def keep(self, result: object) -> Conduct:
        """Write the result down."""
        self._tell(result, None)
        self.is_written = True
        output, blob = keep_result(self.inside, self.call.name, result)
        event = CallCompleted(
            self.key,
            self.call.name,
            self.call.preview,
            output,
            self._seconds,
            self.tries,
            total(self.spent),
            limit=self.options.limit,
        )
        yield Wait(self.inside.note(event, [blob]))
        self.inside.keep(Call(self.key, is_closed=True, result=output))

    def fail(self, error: Exception) -> Conduct:
        """Remember that it has failed for good."""
        self._tell(None, error)
        self.is_written = True
        info, value, blobs = keep_error(self.inside, self.call.name, error)
        event = CallFailed(
            self.key,
            info,
            self.call.name,
            self.call.preview,
            self._seconds,
            self.tries,
            value,
            total(self.spent),
            limit=self.options.limit,
        )
        yield Wait(self.inside.note(event, blobs))
        self.inside.keep(Call(self.key, is_closed=True, error=info, error_value=value))

    def try_later(self, error: Exception, wait: float) -> Conduct:
        """Remember that a try has failed, and let the time pass until the next."""
        due = self.inside.link.now() + round(wait * 1e6)
        info, _, _ = keep_error(self.inside, self.call.name, error)
        limit = self.options.limit
        event = CallTried(self.key, info, self.call.name, self.tries, due, limit=limit)
        yield Wait(self.inside.note(event))
        self.inside.keep(Call(self.key, attempts=self.tries, due=due))
        yield from self.pause(due)

    def _tell(self, result: object, error: Exception | None) -> None:
        usage = total([*self.spent, *self.below])
        tell(self.inside, self.call, self.key, Answered(result, error, usage))

    @property
    def _seconds(self) -> float:
        return round(time.perf_counter() - self.began, 6)


def _drained(told: list[Usage] | None) -> list[Usage]:
    """What was told since the last time."""
    found = list(told or ())
    if told:
        told.clear()
    return found
