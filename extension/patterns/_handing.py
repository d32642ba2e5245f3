"""Several of whom each does its part or hands over to another."""

from dataclasses import dataclass
from typing import Any

from stepwell.errors import InvalidUsage
from stepwell.patterns._conversation import Conversation, Turn
from stepwell.patterns._team import Member, Team, member, take_turn, take_turn_after, team_of

__all__ = ["Handoff", "handoff", "swarm"]

TURNS = 20


@dataclass(frozen=True)
class Handoff:
    """What a member gives to hand over; anything else is its answer, and the end."""

    to: str
    message: Any = None
    """What the next one is told; None: the same."""


async def handoff(
    message: object, team: Team, *, start: str = "", at_most: int = TURNS, asker: str = "user"
) -> Conversation:
    """Whoever is in charge answers, or gives a `Handoff`; the next one gets its message alone.

    The first of the team begins unless `start` names another. The last turn of what comes
    back is the answer. Raises `InvalidUsage` after `at_most` turns without one, and for a name
    that nobody has.
    """
    members = team_of(team)
    turns = [Turn(asker, message)]
    name, one = _first(members, start)
    for _ in range(at_most):
        given = await take_turn(one, message)
        turns.append(Turn(name, given))
        if not isinstance(given, Handoff):
            return Conversation(tuple(turns))
        one = member(members, given.to, chosen_by=name)
        name, message = given.to, message if given.message is None else given.message
    raise _endless(at_most, turns)


async def swarm(
    question: object, team: Team, *, start: str = "", at_most: int = TURNS, asker: str = "user"
) -> Conversation:
    """As `handoff`, but everybody hears all: each is given the turns so far, a list of
    `Turn`, or the transcript if they take a `str`.

    Raises `InvalidUsage` after `at_most` turns without an answer.
    """
    members = team_of(team)
    turns = [Turn(asker, question)]
    name, one = _first(members, start)
    for _ in range(at_most):
        given = await take_turn_after(one, turns)
        turns.append(Turn(name, given))
        if not isinstance(given, Handoff):
            return Conversation(tuple(turns))
        one = member(members, given.to, chosen_by=name)
        name = given.to
    raise _endless(at_most, turns)


def _first(members: dict[str, Member], start: str) -> tuple[str, Member]:
    name = start or next(iter(members))
    return name, member(members, name, chosen_by="start=")


def _endless(at_most: int, turns: list[Turn]) -> InvalidUsage:
    last = " → ".join(turn.speaker for turn in turns[-4:])
    return InvalidUsage(
        f"after {at_most} turns nobody has answered ({last}). Allow more with at_most=, or have "
        f"somebody answer"
    )
