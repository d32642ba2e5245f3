"""Who waits for ever, since two limits were taken crosswise. Pure.

A call that holds a turn under one limit and waits inside for another stands in the way of
those who hold the other and wait for the first. A turn comes if one of those who hold the
limit works, or waits for a turn that comes; what is left after that never does. In it there
is a circle, and of the circle one is refused: the others go on.

A limited step is one of those who hold, for as long as it runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import msgspec

from stepwell.orchestrator._around import Holder, StateOf, around
from stepwell.orchestrator._port import AttemptId

__all__ = ["Cross", "PermitMail", "crossed"]


class PermitMail(msgspec.Struct, frozen=True, gc=False):
    """A running attempt asks for a permit, or hands it back."""

    id: AttemptId
    permit: "Future[None]"
    call: str = ""
    limit: str = ""
    """Empty where it is handed back."""


@dataclass(frozen=True, slots=True)
class Cross:
    """One who waits in a circle."""

    mail: PermitMail
    held: str
    """The limit that it holds, and that somebody in the circle waits for."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    mail: PermitMail
    around: frozenset[Holder]
    """What is around it, also in the runs that have called its run."""


def crossed(
    waiting: Sequence[PermitMail], holders: Mapping[str, Sequence[Holder]], state_of: StateOf
) -> Cross | None:
    """Of those who wait for ever in a circle, the last to ask; `waiting` is in that order.

    `holders` are those of each limit that has no room; a limit that is not there will have.
    """
    placed = [_Waiting(it, frozenset(around((it.id, it.call), state_of))) for it in waiting]
    stuck = _stuck(placed, holders)
    if not stuck:
        return None
    return max(_circle(stuck, holders), key=lambda it: waiting.index(it.mail))


def _stuck(waiting: Sequence[_Waiting], holders: Mapping[str, Sequence[Holder]]) -> list[_Waiting]:
    stuck = list(waiting)
    while True:
        left = [
            it
            for it in stuck
            if holders.get(it.mail.limit)
            and all(_inside(holder, stuck) for holder in holders[it.mail.limit])
        ]
        if len(left) == len(stuck):
            return left
        stuck = left


def _inside(holder: Holder, waiting: Iterable[_Waiting]) -> _Waiting | None:
    """One who waits inside what the holder holds for."""
    return next((it for it in waiting if holder in it.around), None)


def _circle(stuck: Sequence[_Waiting], holders: Mapping[str, Sequence[Holder]]) -> list[Cross]:
    """From one to somebody whom it waits for, until one comes again."""
    path: list[Cross] = []
    found = stuck[-1]
    while True:
        limit = found.mail.limit
        found = next(filter(None, (_inside(holder, stuck) for holder in holders[limit])))
        begin = next((at for at, it in enumerate(path) if it.mail is found.mail), None)
        if begin is not None:
            return path[begin:]
        path.append(Cross(found.mail, limit))
