"""What `decide` can say is to be done. Every command becomes an event before it is carried out."""

from typing import Literal

import msgspec

__all__ = [
    "CancelAttempt",
    "Command",
    "CutOff",
    "Deliver",
    "DropWaiting",
    "EndWait",
    "Expire",
    "FailPass",
    "FollowUp",
    "Gather",
    "Hold",
    "Release",
    "Reuse",
    "Settle",
    "Skip",
    "StartAttempt",
    "TimeOut",
    "Undo",
    "Void",
]


class StartAttempt(msgspec.Struct, frozen=True, gc=False):
    """Run the code with these inputs in this environment; of a mapped step, find its items."""

    step: str
    attempt: int
    key: str
    code: str
    inputs: dict[str, str]
    environment: str
    item: str = ""
    fresh: bool = False
    streams: str = ""


class Reuse(msgspec.Struct, frozen=True, gc=False):
    """The checkpoint answers the request."""

    step: str


class Skip(msgspec.Struct, frozen=True, gc=False):
    """What the step reads from was skipped, so it is skipped, too."""

    step: str
    reason: str
    code: str
    inputs: dict[str, str]
    environment: str


class CancelAttempt(msgspec.Struct, frozen=True, gc=False):
    """Stop this attempt if it can be stopped; its result is no longer wanted."""

    step: str
    attempt: int


class Gather(msgspec.Struct, frozen=True, gc=False):
    """All items of the pass are done: put the step's outputs together."""

    step: str
    attempt: int


class FailPass(msgspec.Struct, frozen=True, gc=False):
    """Too many items have failed for good."""

    step: str
    attempt: int


class CutOff(msgspec.Struct, frozen=True, gc=False):
    """The step whose items this one takes has ended early: begin again when it has more."""

    step: str
    attempt: int


class TimeOut(msgspec.Struct, frozen=True, gc=False):
    """The attempt has taken too long, or has not been heard of for too long."""

    step: str
    item: str
    attempt: int
    kind: Literal["timeout", "total", "stall"]


class EndWait(msgspec.Struct, frozen=True, gc=False):
    """A timer inside an attempt has gone off, or a wait for a message has timed out."""

    step: str
    item: str
    call: str


class Expire(msgspec.Struct, frozen=True, gc=False):
    """Nobody has decided in time."""

    approval: str


class FollowUp(msgspec.Struct, frozen=True, gc=False):
    """The question is answered by a decision that holds for all of its kind."""

    approval: str


class Void(msgspec.Struct, frozen=True, gc=False):
    """Nobody waits for the answer any more."""

    approval: str
    why: str


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """A message has come for a call that waits for one of its topic."""

    step: str
    item: str
    call: str
    message: str


class Hold(msgspec.Struct, frozen=True, gc=False):
    """The run's time is over: ask a person for more, and start nothing before that."""


class Release(msgspec.Struct, frozen=True, gc=False):
    """It has more, or needs none."""


class DropWaiting(msgspec.Struct, frozen=True, gc=False):
    """It gets no more: these steps, which wait for it, are not wanted."""

    steps: tuple[str, ...]


class Undo(msgspec.Struct, frozen=True, gc=False):
    """The run has failed, and what it has done is to be undone then."""

    environments: dict[str, str]


class Settle(msgspec.Struct, frozen=True, gc=False):
    """Nothing runs and nothing can be started."""

    status: Literal["completed", "failed", "cancelled"]


Command = (
    StartAttempt
    | Reuse
    | Skip
    | CancelAttempt
    | CutOff
    | Gather
    | FailPass
    | TimeOut
    | EndWait
    | Expire
    | FollowUp
    | Void
    | Deliver
    | Settle
    | Undo
    | Hold
    | Release
    | DropWaiting
)
