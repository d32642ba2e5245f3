"""Who takes part, by name, and one turn of theirs."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from stepwell.agents import Agent
from stepwell.errors import InvalidUsage, near_misses, with_article
from stepwell.inside import call
from stepwell.patterns._conversation import Conversation, Turn

__all__ = ["Member", "Team", "member", "name_of", "take_turn", "take_turn_after", "team_of"]

Member = Callable[..., Any]
"""An agent, a durable function, or any function; awaited if it can be."""

Team = Mapping[str, Member] | Iterable[Member]
"""By name, or each by a name of its own."""


async def take_turn(member: Member, *arguments: object) -> Any:
    """What the member gives, remembered as a call of its own."""
    if isinstance(member, Agent):
        return await cast("Agent[..., Any]", member)(*arguments)
    if not callable(member):
        raise InvalidUsage(
            f"{member!r:.60} cannot take part: it is {with_article(type(member).__name__)}, and "
            f"neither an agent nor a function"
        )
    return await call(member, *arguments)


async def take_turn_after(member: Member, turns: Sequence[Turn]) -> Any:
    """The same in a conversation: it hears the turns so far, a list of `Turn`; or, if what it
    takes is declared to be a `str`, the transcript.
    """
    is_text = _first_kind(member) in (str, "str")
    return await take_turn(member, str(Conversation(tuple(turns))) if is_text else list(turns))


def _first_kind(member: Member) -> object:
    """What the first parameter is declared to be."""
    if isinstance(member, Agent):
        signature = cast("Agent[..., Any]", member).definition.signature
        first = next(iter(signature.parameters), None)
        if first is None:
            return None
        return signature.types.get(first.name, first.annotation)
    try:
        parameters = inspect.signature(member).parameters.values()
    except (TypeError, ValueError):
        return None
    found = next(iter(parameters), None)
    return found.annotation if found is not None else None


def team_of(team: Team) -> dict[str, Member]:
    """The members by name, in order. Raises `InvalidUsage` for none, or two of one name."""
    if isinstance(team, Mapping):
        members = dict(cast("Mapping[str, Member]", team))
    else:
        members = dict[str, Member]()
        for member_ in team:
            name = name_of(member_)
            if name in members:
                raise InvalidUsage(
                    f"two members of the team are called {name!r}; give them names: "
                    f"{{'first': …, 'second': …}}"
                )
            members[name] = member_
    if not members:
        raise InvalidUsage("a team needs at least one member")
    return members


def name_of(member_: Member) -> str:
    """What it is called where nobody says otherwise."""
    name = member_.name if isinstance(member_, Agent) else getattr(member_, "__name__", "")
    if not name or name == "<lambda>":
        raise InvalidUsage(f"{member_!r} has no name; give the team by name: {{'name': …}}")
    return str(name)


def member(members: Mapping[str, Member], name: object, *, chosen_by: str) -> Member:
    """The member of that name. Raises `InvalidUsage` that says who chose another."""
    found = members.get(name) if isinstance(name, str) else None
    if found is None:
        near = near_misses(str(name), members)
        raise InvalidUsage(f"{chosen_by} chose {name!r}, who is not there.{near}")
    return found
