"""Who takes part, by name, and one turn of theirs."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from stepwell.agents import Agent
from stepwell.errors import InvalidUsage, near_misses
from stepwell.inside import call

__all__ = ["Member", "Team", "member", "name_of", "take_turn", "team_of"]

Member = Callable[..., Any]
"""An agent, a durable function, or any function; awaited if it can be."""

Team = Mapping[str, Member] | Iterable[Member]
"""By name, or each by a name of its own."""


async def take_turn(member: Member, *arguments: object) -> Any:
    """What the member gives, remembered as a call of its own."""
    if isinstance(member, Agent):
        return await cast("Agent[..., Any]", member)(*arguments)
    return await call(member, *arguments)


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
