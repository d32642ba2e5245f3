"""What the orchestrator is told."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec

from stepwell.errors import StoreClosed, StoreError
from stepwell.orchestrator._call_events import CallCompleted, CallFailed, CallTried
from stepwell.orchestrator._events import AttemptCompleted, AttemptStarted, HeartbeatKept
from stepwell.orchestrator._link import (
    Awaited,
    Begun,
    Noted,
    Paused,
    Posted,
    Reserving,
    Rested,
    Shown,
)
from stepwell.orchestrator._permits import PermitMail
from stepwell.orchestrator._port import Happened, Report
from stepwell.orchestrator._sealing import Sealed

__all__ = [
    "Asked",
    "Due",
    "Durable",
    "FromAttempt",
    "Mail",
    "Trouble",
    "check_place",
]


_AMIDST = (CallCompleted, CallFailed, CallTried, HeartbeatKept)
_GOING_ON = (AttemptStarted, AttemptCompleted)
_FEW = 4


class Asked(msgspec.Struct, frozen=True, gc=False):
    """Somebody wants work done on the orchestrator's thread."""

    work: Callable[[], Any]
    answer: "Future[Any]"
    is_look: bool = False
    """Whether it writes nothing: then there is nothing on disk to wait for."""


class Durable(msgspec.Struct, frozen=True, gc=False):
    """This is on disk."""

    happened: Sequence[Happened]

    @property
    def can_wait(self) -> bool:
        """Whether it does not matter if listeners hear of this some milliseconds later.

        So it is while work goes on behind it: whoever goes on was told already, and waking
        listeners for each of very many small things would only keep it from working.
        """
        if len(self.happened) > _FEW:
            return False
        events = [it.event for it in self.happened]
        return all(isinstance(it, _AMIDST) for it in events) or (
            all(isinstance(it, _GOING_ON) for it in events)
            and any(isinstance(it, AttemptStarted) for it in events)
            and any(isinstance(it, AttemptCompleted) for it in events)
        )


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """The disk refuses."""

    error: StoreError


class Due(msgspec.Struct, frozen=True, gc=False):
    """Some timer may have gone off."""


FromAttempt = Noted | Begun | Reserving | Awaited | Paused | Posted | Rested | Shown
"""What a running attempt says or wants, besides that it has ended."""
Mail = Asked | Durable | Trouble | Due | Sealed | FromAttempt | PermitMail | Report


def check_place(*, is_running: bool, process: int) -> None:
    """Whether mail that is left here, in this process, is read. Raises `StoreClosed`."""
    if not is_running:
        raise StoreClosed("stepwell is not running in this kernel: %load_ext stepwell")
    if process != os.getpid():
        raise StoreClosed(
            "this process was forked from the one that has the store; only that one can "
            "run steps. Start processes with multiprocessing's `spawn`, or open another store"
        )
