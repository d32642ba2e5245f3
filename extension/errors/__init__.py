"""The error tree. The class is the code; the message is a fact, then the way out.

    StepwellError
    ├── InvalidUsage              a command, option or argument that cannot be meant
    │   └── NotYetSupported       part of the design, not built yet
    ├── UnsupportedEnvironment    this Python, kernel or file system cannot carry stepwell
    ├── FlowError                 the flow itself is wrong; nothing was run
    │   ├── InvalidStep
    │   ├── TwoWriters
    │   ├── CyclicFlow
    │   └── UnknownStep
    ├── RunError                  what happened to a run
    │   ├── UnknownRun
    │   ├── UnknownName
    │   ├── StepFailed
    │   ├── StepNotRun
    │   ├── StepSkipped
    │   ├── StepCancelled
    │   ├── AttemptGivenUp
    │   ├── CallNotIdentified
    │   ├── CallFailed
    │   ├── CallTimedOut          also a TimeoutError
    │   ├── BudgetExceeded
    │   ├── LimitsCrossed
    │   ├── NeedsPerson
    │   ├── UnknownApproval
    │   ├── ApprovalClosed
    │   ├── InvalidAnswer
    │   ├── CallNotRecorded       a call that is not in the recording it is to be answered from
    │   ├── CassetteProblem       recorded calls that cannot be written or read
    │   └── WaitTimedOut
    ├── TerminalError             raised by user code: do not retry
    │   ├── ApprovalRejected
    │   ├── ApprovalExpired
    │   └── MessageTimedOut
    ├── RetryAfter                raised by user code: retry, but not before
    ├── ValueProblem              one value; never a failure of the step's code
    │   ├── ValueNotStorable
    │   ├── ValueNotTrusted
    │   └── ValueUnreadable
    └── StoreError
        ├── StoreLocked
        ├── StoreVersionMismatch
        ├── StoreCorrupt
        ├── StoreFull
        ├── StoreReadOnly
        ├── StoreClosed
        └── TransactionRefused

Every error keeps its facts as attributes and survives pickling.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Self

from stepwell.errors._base import (
    RunError,
    StepwellError,
    TerminalError,
    near_misses,
    show_as,
    with_article,
)
from stepwell.errors._people import (
    ApprovalClosed,
    ApprovalExpired,
    ApprovalRejected,
    InvalidAnswer,
    MessageTimedOut,
    NeedsPerson,
    UnknownApproval,
)

__all__ = [
    "ApprovalClosed",
    "ApprovalExpired",
    "ApprovalRejected",
    "AttemptGivenUp",
    "BudgetExceeded",
    "CallFailed",
    "CallNotIdentified",
    "CallNotRecorded",
    "CallTimedOut",
    "CassetteProblem",
    "CyclicFlow",
    "FlowError",
    "InvalidAnswer",
    "InvalidStep",
    "InvalidUsage",
    "LimitsCrossed",
    "MessageTimedOut",
    "NeedsPerson",
    "NotYetSupported",
    "RetryAfter",
    "RunError",
    "StepCancelled",
    "StepFailed",
    "StepNotRun",
    "StepSkipped",
    "StepwellError",
    "StoreClosed",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "StoreReadOnly",
    "StoreVersionMismatch",
    "TerminalError",
    "TransactionRefused",
    "TwoWriters",
    "UnknownApproval",
    "UnknownName",
    "UnknownRun",
    "UnknownStep",
    "UnsupportedEnvironment",
    "ValueNotStorable",
    "ValueNotTrusted",
    "ValueProblem",
    "ValueUnreadable",
    "WaitTimedOut",
    "near_misses",
    "show_as",
    "with_article",
]


class InvalidUsage(StepwellError):
    """A command, option or argument that cannot be meant."""


class NotYetSupported(InvalidUsage):
    """An option the design names that this version does not have yet."""

    template = "{what} is not in this version of stepwell yet. {way_out}"

    def __init__(self, what: str, way_out: str = "Leave it out for now.") -> None:
        super().__init__(what=what, way_out=way_out)


class UnsupportedEnvironment(StepwellError):
    """This Python, kernel or file system cannot carry stepwell; the message says what can."""


class FlowError(StepwellError):
    """The flow is wrong as written; nothing was run."""


class InvalidStep(FlowError):
    """A step whose code or options cannot be used."""

    template = "step {step!r}: {reason}"

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(step=step, reason=reason)


class TwoWriters(FlowError):
    """Two steps write one name."""

    template = (
        "{name!r} is written by step {first!r} and by step {second!r}; a name has one writer. "
        "Give one of them another name, or say what {second!r} writes with --out. "
        "If {first!r} was renamed or its cell deleted: %stepwell forget {first}"
    )

    def __init__(self, name: str, first: str, second: str) -> None:
        super().__init__(name=name, first=first, second=second)


class CyclicFlow(FlowError):
    """Steps that wait for each other."""

    template = (
        "these steps wait for each other: {cycle}. Break the circle with --in, --out or --after"
    )

    def __init__(self, steps: Sequence[str]) -> None:
        super().__init__(steps=tuple(steps), cycle=" → ".join([*steps, steps[0]]))


class UnknownStep(FlowError):
    """No step of that name."""

    template = "there is no step {step!r}.{near}"

    def __init__(self, step: str, near: str = "") -> None:
        super().__init__(step=step, near=near)


class UnknownRun(RunError):
    """No run of that id. Never answered by starting a fresh one."""

    template = "there is no run {run!r} in {store}.{near} `%stepwell runs` lists them"

    def __init__(self, run: str, store: str, near: str = "") -> None:
        super().__init__(run=run, store=store, near=near)


class UnknownName(RunError):
    """A step reads a name that nothing writes and the notebook does not have."""

    template = (
        "step {step!r} reads {name!r}, which no step writes and the notebook does not have.{near} "
        "Run the cell that makes it, or name the inputs with --in"
    )

    def __init__(self, step: str, name: str, near: str = "") -> None:
        super().__init__(step=step, name=name, near=near)


class StepFailed(RunError):
    """A step this cell waits for has failed; the run is parked, nothing above it is lost."""

    template = (
        "step {step!r} {verb}: {error}. Everything before it is kept: "
        "fix its cell and run it, the same run goes on"
    )

    def __init__(self, step: str, error: str, run: str = "", *, is_user_code: bool = True) -> None:
        verb = "failed" if is_user_code else "could not be completed, though not for its code"
        super().__init__(step=step, error=error, run=run, verb=verb)


class StepNotRun(RunError):
    """What this cell reads is made by a step that nobody has asked to run."""

    template = "{name!r} is made by step {step!r}, which has not run here. {way_out}"

    def __init__(self, name: str, step: str, way_out: str) -> None:
        super().__init__(name=name, step=step, way_out=way_out)


class StepSkipped(RunError):
    """What this cell reads is made by a step that did not apply."""

    template = "{name!r} has no value: step {step!r} was skipped, because {reason}"

    def __init__(self, name: str, step: str, reason: str) -> None:
        super().__init__(name=name, step=step, reason=reason)


class StepCancelled(RunError):
    """A step this cell waits for was cancelled."""

    template = "step {step!r} was cancelled. %stepwell run {step} starts it again"

    def __init__(self, step: str, run: str = "") -> None:
        super().__init__(step=step, run=run)


class AgentFailed(RunError):
    """An agent that a step or cell has called came to no result. What it did is kept."""

    template = (
        "agent {agent!r} {what}. What it has done is kept, in run {run}: mend it and run the "
        "calling cell again, it goes on where it stopped"
    )

    def __init__(self, agent: str, run: str, what: str, failure: object = None) -> None:
        super().__init__(agent=agent, run=run, what=what, failure=failure)


class AgentTooDeep(RunError):
    """Agents call each other, or one calls itself, without an end in sight."""

    template = (
        "agent {agent!r} is called {depth} runs deep. Stop before, or allow more: "
        "%agent … --max-depth N"
    )

    def __init__(self, agent: str, depth: int) -> None:
        super().__init__(agent=agent, depth=depth)


class InvalidArguments(RunError):
    """What an agent was called with, or has made, is not what it is declared to take or give."""


class AttemptGivenUp(RunError):
    """Raised inside an attempt of which nobody wants the result any more."""

    template = (
        "attempt {attempt} at {step!r} was given up (cancelled, timed out or replaced); what it "
        "does from here on is not kept"
    )

    def __init__(self, step: str, attempt: int) -> None:
        super().__init__(step=step, attempt=attempt)


class CallNotIdentified(RunError):
    """A durable call with an argument that nothing tells from others of its type."""

    template = (
        "call {call!r}: nothing tells its argument {argument!r}, {kind}, from any other {type}, "
        "so its result could not be found again. Say what the call is with "
        "@stepwell.durable(key=lambda …: …), which is given the arguments, or pass plain data"
    )

    def __init__(self, call: str, argument: str, type: str) -> None:  # noqa: A002 - as above
        super().__init__(call=call, argument=argument, type=type, kind=with_article(type))


class CallFailed(RunError):
    """A durable call failed before, with an error that could not be stored as it was."""

    template = "call {call!r} failed: {type}: {error}"

    def __init__(self, call: str, type: str, error: str) -> None:  # noqa: A002 - as above
        super().__init__(call=call, type=type, error=error)


class CassetteProblem(RunError):
    """A recording that cannot be written or read; the message says why."""


class CallNotRecorded(RunError):
    """A call that is to be answered from a recording, and is not in it."""

    template = (
        "call {call!r} of step {step!r} is not in {file}. What differs from the nearest call that "
        "is:\n{difference}\nIf it is meant, record it again: stepwell run NOTEBOOK --record {file}"
    )

    def __init__(self, call: str, step: str, file: str, difference: str) -> None:
        super().__init__(call=call, step=step, file=file, difference=difference)


class CallTimedOut(RunError, TimeoutError):
    """One try at a durable call took longer than its `timeout`."""

    template = "call {call!r} took longer than {seconds:g} s (timeout=)"

    def __init__(self, call: str, seconds: float) -> None:
        super().__init__(call=call, seconds=seconds)


class BudgetExceeded(RunError):
    """A call was refused before it was made: it could take the run over its budget."""

    template = (
        "call {call!r} was not made: {what}. To let the run go on: "
        "%stepwell budget with a higher limit, then run the step again"
    )

    def __init__(self, call: str, what: str) -> None:
        super().__init__(call=call, what=what)


class LimitsCrossed(RunError):
    """Calls that hold a limit and wait for another, crosswise, would wait for ever."""

    template = (
        "what holds its turn under the limit {held!r} would wait inside it for one under "
        "{wanted!r}, and those who hold {wanted!r} wait for {held!r}: none would ever go on. Take "
        "the two in the same order everywhere, or make one call after the other, not inside it"
    )

    def __init__(self, wanted: str, held: str) -> None:
        super().__init__(wanted=wanted, held=held)


class WaitTimedOut(RunError):
    """The time given to wait is over; the run goes on."""

    template = "still waiting for {waiting} after {seconds:g} s; the run goes on in the background"

    def __init__(self, waiting: str, seconds: float) -> None:
        super().__init__(waiting=waiting, seconds=seconds)


class RetryAfter(StepwellError):
    """Raise it in a step: this attempt failed, and the next may come after so long, or then.

    `after` is seconds, a `timedelta` or a `datetime` (without a time zone: local time). It is
    tried again as often as the step's `--retries` allow.
    """

    template = "it asks to be tried again {when}{reason}; --retries says how often it may be"

    def __init__(self, after: float | timedelta | datetime, reason: str = "") -> None:
        when = after.total_seconds() if isinstance(after, timedelta) else after
        text = f"at {when:%Y-%m-%d %H:%M:%S}" if isinstance(when, datetime) else f"in {when:g} s"
        super().__init__(after=when, when=text, reason=f" ({reason})" if reason else "")

    def seconds_from(self, now: datetime) -> float:
        """How long that is from now on; never less than nothing."""
        after: float | datetime = self.facts["after"]
        if isinstance(after, datetime):
            after = (after.astimezone() - now).total_seconds()
        return max(0.0, after)


class ValueProblem(StepwellError):
    """One value is the trouble, not the code that made it."""

    def said_of(self, what: str) -> Self:
        """The same error, which says whose value it is: `what` cannot be read."""
        return self.said_anew(f"{what} cannot be read: {self}")


class ValueNotStorable(ValueProblem):
    """A value that cannot be written down. `path` says where in the value the trouble is."""

    template = "{where}{kind} cannot be stored: {reason}. {way_out}"

    def __init__(
        self,
        type: str,  # noqa: A002 - the field's word, and only ever a keyword
        reason: str,
        *,
        step: str = "",
        variable: str = "",
        path: str = "",
        way_out: str = "",
    ) -> None:
        super().__init__(
            type=type,
            kind=with_article(type),
            reason=reason,
            step=step,
            variable=variable,
            path=path,
            way_out=way_out or _way_out(variable),
            where=_where(step, variable, path),
        )

    def at(self, *, step: str, variable: str) -> "ValueNotStorable":
        """The same trouble, with the step and the variable it was met in."""
        return ValueNotStorable(
            self.facts["type"],
            self.facts["reason"],
            step=step,
            variable=variable,
            path=self.facts["path"],
        )


def _where(step: str, variable: str, path: str) -> str:
    place = f"{variable}{path}" if variable else path
    if step and place:
        return f"step {step!r}, variable {place!r}: "
    return f"step {step!r}: " if step else f"{place!r}: " if place else ""


def _way_out(variable: str) -> str:
    name = variable or "NAME"
    return (
        f"Keep it out of the results (a leading underscore, or --out), make it again on resume "
        f"(--transient {name}), or turn it into plain data first"
    )


class ValueNotTrusted(ValueProblem):
    """A pickled value that this user's key has not signed; it was not loaded."""


class ValueUnreadable(ValueProblem):
    """A stored value whose bytes are missing or do not match their digest."""


class StoreError(StepwellError):
    """The store as a whole."""


class StoreLocked(StoreError):
    """Another process has the store."""


class StoreVersionMismatch(StoreError):
    """The store was written by another version of stepwell."""


class StoreCorrupt(StoreError):
    """The store's files are damaged; nothing was deleted."""


class StoreFull(StoreError):
    """The disk is full; what was acknowledged is kept."""


class StoreReadOnly(StoreError):
    """The folder or file cannot be written."""


class StoreClosed(StoreError):
    """The store has been closed, or belongs to the parent of a forked process."""


class TransactionRefused(StoreError):
    """What was written to the user's tables could not be committed; all of it was undone."""

    template = "what it wrote to the store's tables was not kept: {reason}"

    def __init__(self, reason: str, kind: str = "", *, is_conflict: bool = False) -> None:
        super().__init__(reason=reason, kind=kind, is_conflict=is_conflict)
