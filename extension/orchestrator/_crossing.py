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

from stepwell.orchestrator._port import AttemptId

__all__ = ["Cross", "Holder", "PermitMail", "crossed"]

Holder = tuple[AttemptId, str]
"""An attempt, and the call in it that holds a turn; "" where it is the attempt itself."""


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


def crossed(waiting: Sequence[PermitMail], holders: Mapping[str, Sequence[Holder]]) -> Cross | None:
    """Of those who wait for ever in a circle, the last to ask; `waiting` is in that order.

    `holders` are those of each limit that has no room; a limit that is not there will have.
    """
    stuck = _stuck(waiting, holders)
    if not stuck:
        return None
    return max(_circle(stuck, holders), key=lambda it: waiting.index(it.mail))


def _stuck(
    waiting: Sequence[PermitMail], holders: Mapping[str, Sequence[Holder]]
) -> list[PermitMail]:
    stuck = list(waiting)
    while True:
        left = [
            mail
            for mail in stuck
            if holders.get(mail.limit)
            and all(_inside(holder, stuck) for holder in holders[mail.limit])
        ]
        if len(left) == len(stuck):
            return left
        stuck = left


def _inside(holder: Holder, waiting: Iterable[PermitMail]) -> PermitMail | None:
    """One who waits inside what the holder holds for."""
    attempt, call = holder
    path = f"{call}/" if call else ""
    found = (mail for mail in waiting if mail.id == attempt and mail.call.startswith(path))
    return next(found, None)


def _circle(stuck: Sequence[PermitMail], holders: Mapping[str, Sequence[Holder]]) -> list[Cross]:
    """From one to somebody whom it waits for, until one comes again."""
    path: list[Cross] = []
    mail = stuck[-1]
    while True:
        limit = mail.limit
        mail = next(filter(None, (_inside(holder, stuck) for holder in holders[limit])))
        begin = next((at for at, it in enumerate(path) if it.mail is mail), None)
        if begin is not None:
            return path[begin:]
        path.append(Cross(mail, limit))
