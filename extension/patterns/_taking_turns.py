"""Several who speak in turn: all around, or as somebody who watches says."""

from collections.abc import Callable
from typing import Any

from stepwell.errors import InvalidUsage
from stepwell.patterns._conversation import Conversation, Turn
from stepwell.patterns._team import Member, Team, member, name_of, take_turn_after, team_of

__all__ = ["moderated", "round_robin"]

Done = Callable[[Conversation], bool]

TURNS = 20


async def round_robin(
    question: object, team: Team, *, rounds: int = 1, until: Done | None = None, asker: str = "user"
) -> Conversation:
    """Everybody speaks in turn, so many rounds, or until `until` says that it is enough.

    Each is given the turns so far: a list of `Turn`, the question first; whoever takes a `str`
    is given the transcript.
    """
    if rounds < 1:
        raise InvalidUsage(f"rounds={rounds}: at least one")
    members = team_of(team)
    turns = [Turn(asker, question)]
    for _ in range(rounds):
        for name, one in members.items():
            turns.append(Turn(name, await take_turn_after(one, turns)))
            if until is not None and until(Conversation(tuple(turns))):
                return Conversation(tuple(turns))
    return Conversation(tuple(turns))


async def moderated(
    question: object,
    team: Team,
    choose: Member,
    *,
    at_most: int = TURNS,
    until: Done | None = None,
    asker: str = "user",
) -> Conversation:
    """`choose` is given the turns so far and says by name who speaks next; "" or None ends it.

    Raises `InvalidUsage` for a name that nobody has. After `at_most` turns it ends as it stands.
    """
    members = team_of(team)
    turns = [Turn(asker, question)]
    for _ in range(at_most):
        name: Any = await take_turn_after(choose, turns)
        if not name:
            break
        one = member(members, name, chosen_by=name_of(choose))
        turns.append(Turn(name, await take_turn_after(one, turns)))
        if until is not None and until(Conversation(tuple(turns))):
            break
    return Conversation(tuple(turns))
