"""A conversation in which a person says who speaks next."""

from typing import Any, Literal

from stepwell.errors import InvalidUsage
from stepwell.inside import ask
from stepwell.patterns._conversation import Conversation, Turn
from stepwell.patterns._team import Team, take_turn_after, team_of

__all__ = ["END", "manual"]

END = "stop"
"""What a person says to end it."""

TURNS = 100
_SHOWN = 300


async def manual(
    question: object, team: Team, *, at_most: int = TURNS, asker: str = "user"
) -> Conversation:
    """A person is asked who speaks next, by name, after each turn; `stop` ends it.

    The question waits in the inbox as any other, over restarts too. Whoever is chosen is
    given the turns so far, a list of `Turn`. Raises `ApprovalRejected` if they decline to say.
    """
    members = team_of(team)
    if END in members:
        raise InvalidUsage(f"nobody can be called {END!r} here: that word ends the conversation")
    choice: Any = Literal[(*members, END)]
    turns = [Turn(asker, question)]
    for _ in range(at_most):
        name = await ask(_asked(turns[-1], list(members)), choice)
        if name == END:
            break
        turns.append(Turn(name, await take_turn_after(members[name], turns)))
    return Conversation(tuple(turns))


def _asked(last: Turn, names: list[str]) -> str:
    said = str(last.said)
    short = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
    return f"{last.speaker}: {short}\nWho speaks next: {', '.join(names)}, or {END}?"
