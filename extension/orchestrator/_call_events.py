"""What happens inside an attempt: durable calls, questions, timers, messages, child runs.

All of them are *calls*: something that the step's code awaits, told apart by a key that
says what it is, and answered once. A call is *open* from the event that says so (a timer
set, a question asked) to the one that closes it; a plain call is closed by its only event.
An attempt that runs again asks for the same keys and is answered from here.
"""

from typing import Literal

import msgspec

from stepwell.flow import OnTimeout
from stepwell.orchestrator._base import BaseEvent, ErrorInfo, Output

__all__ = [
    "ApprovalDecided",
    "ApprovalRequested",
    "CallCompleted",
    "CallEvent",
    "CallFailed",
    "CallTried",
    "ChildLeft",
    "ChildRecalled",
    "ChildSettled",
    "ChildStarted",
    "ChildWaiting",
    "Decision",
    "MessageAwaited",
    "MessageReceived",
    "MessageSent",
    "TimerSet",
    "Usage",
    "WaitEnded",
    "WaitResumed",
]

Decision = Literal["approved", "rejected", "edited", "answered", "expired", "voided"]


class Usage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a call consumed, as far as it is known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    """In the currency the user counts in."""
    model: str = ""


class CallCompleted(BaseEvent, frozen=True, tag="call_completed"):
    """A call returned; its result is remembered under its key."""

    call: str
    name: str = ""
    arguments: str = ""
    """A preview."""
    result: Output | None = None
    seconds: float = 0.0
    attempts: int = 1
    usage: Usage | None = None
    limit: str = ""
    """The limit under which it was made."""


class CallFailed(BaseEvent, frozen=True, tag="call_failed"):
    """A call failed for good; whoever asks again gets the same error."""

    call: str
    error: ErrorInfo
    name: str = ""
    arguments: str = ""
    seconds: float = 0.0
    attempts: int = 1
    value: str = ""
    """Digest of the exception, where it could be stored."""
    usage: Usage | None = None
    limit: str = ""
    """The limit under which it was made."""


class CallTried(BaseEvent, frozen=True, tag="call_tried"):
    """A try at a call failed, and there will be another: after a crash, too, no more than that."""

    call: str
    error: ErrorInfo
    name: str = ""
    attempts: int = 1
    """Tries so far, this one included."""
    retry_at: int = 0
    """When the next one is due, microseconds UTC."""
    limit: str = ""
    """The limit under which it was made."""


class TimerSet(BaseEvent, frozen=True, tag="timer_set"):
    """The step's code sleeps until then."""

    call: str
    due: int
    """Microseconds UTC."""


class MessageAwaited(BaseEvent, frozen=True, tag="message_awaited"):
    """The step's code waits for a message."""

    call: str
    topic: str
    due: int = 0
    """When it gives up, microseconds UTC; 0 for never."""


class WaitEnded(BaseEvent, frozen=True, tag="wait_ended"):
    """A timer went off, or a wait for a message timed out."""

    call: str


class WaitResumed(BaseEvent, frozen=True, tag="wait_resumed"):
    """An attempt has come to a call that an earlier one has opened, and waits for it."""

    call: str


class MessageSent(BaseEvent, frozen=True, tag="message_sent"):
    """A message has come to this run; it stays until somebody receives it."""

    message: str
    """Its id; a second one of the same id is the same message."""
    topic: str
    payload: Output | None = None
    sender: str = ""


class MessageReceived(BaseEvent, frozen=True, tag="message_received"):
    """The message was given to the call that waited for it, and to nobody else."""

    call: str
    message: str


class ApprovalRequested(BaseEvent, frozen=True, tag="approval_requested"):
    """A person is asked."""

    approval: str
    """The question's id."""
    call: str = ""
    """The call that waits for the answer; empty where it is the run that does."""
    question: str = ""
    form: Literal["approve", "ask", "in_doubt", "budget"] = "approve"
    payload: Output | None = None
    """What is to be approved; for `ask` the suggested answer."""
    schema: str = ""
    """JSON schema of the answer, or of what an edit may change to; empty where there is none."""
    edit: tuple[str, ...] = ()
    """Names that may be edited; of a payload that is one value, `payload`."""
    due: int = 0
    """When its time is up, microseconds UTC; 0 for never."""
    on_timeout: OnTimeout = "reject"
    tool: str = ""
    """The durable function that is to be called, for decisions about all its calls."""


class ApprovalDecided(BaseEvent, frozen=True, tag="approval_decided"):
    """The first valid decision; there is no second."""

    approval: str
    decision: Decision
    call: str = ""
    value: Output | None = None
    """What it was edited to, or the answer."""
    by: str = ""
    """The user, or `timeout`."""
    channel: str = ""
    """`widget`, `magic`, `python`, `command line`, `timeout`, `policy`; empty when voided."""
    note: str = ""
    """The reason, word for word."""
    payload: str = ""
    """Digest of what was decided about."""
    always: bool = False
    """Holds for all further calls of the same tool in this run."""
    outputs: dict[str, Output] = {}
    """Of a step in doubt that has happened: its results."""


class ChildStarted(BaseEvent, frozen=True, tag="child_started"):
    """The step's code started a run of an agent."""

    call: str
    child: str
    """The child's run id."""
    agent: str = ""
    parameters: str = ""
    """A preview."""
    version: str = ""
    """Of the agent. For a call that was answered by another one, or has failed, this begins it
    anew: the child goes on with what has changed."""


class ChildSettled(BaseEvent, frozen=True, tag="child_settled"):
    """The child run has come to its end."""

    call: str
    child: str
    status: Literal["completed", "failed", "cancelled"] = "completed"
    outputs: dict[str, Output] = {}
    error: ErrorInfo | None = None
    failed: str = ""
    """The step of the child's that failed."""
    spent: tuple[int, int, float] = (0, 0, 0.0)
    """Calls, tokens and cost of the child so far, with those of its own children."""


class ChildLeft(BaseEvent, frozen=True, tag="child_left"):
    """The step's code does not wait for the child any more, and goes on without it: the child
    is cancelled. Whoever asks for the same call again has it go on."""

    call: str


class ChildRecalled(BaseEvent, frozen=True, tag="child_recalled"):
    """Somebody wants the child to go on although it has ended: whoever asks for the call next
    has it run these steps again."""

    call: str
    force: tuple[str, ...] = ()
    keeps_calls: bool = False
    """Whether they are run again only for the sake of what they call."""


class ChildWaiting(BaseEvent, frozen=True, tag="child_waiting"):
    """The child run does nothing but wait: for a person, a message or a time. Or it goes on."""

    call: str
    child: str
    is_waiting: bool = True


CallEvent = (
    CallCompleted
    | CallFailed
    | CallTried
    | TimerSet
    | MessageAwaited
    | WaitEnded
    | WaitResumed
    | MessageSent
    | MessageReceived
    | ApprovalRequested
    | ApprovalDecided
    | ChildStarted
    | ChildSettled
    | ChildLeft
    | ChildRecalled
    | ChildWaiting
)
