"""One value through several hands: one after the other, side by side, or on one way of many."""

from typing import Any

import anyio

from stepwell.patterns._team import Member, Team, member, name_of, take_turn, team_of

__all__ = ["parallel", "router", "sequence"]


async def sequence(value: object, *members: Member) -> Any:
    """Each is given what the one before has made; what the last one makes is the result."""
    for one in members:
        value = await take_turn(one, value)
    return value


async def parallel(value: object, *members: Member) -> list[Any]:
    """All are given the same at once; their results, in the order of the members.

    The first error ends the others, and is raised when they have stopped.
    """
    results: list[Any] = [None] * len(members)

    async def run(at: int, one: Member) -> None:
        results[at] = await take_turn(one, value)

    try:
        async with anyio.create_task_group() as tasks:
            for at, one in enumerate(members):
                tasks.start_soon(run, at, one)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    return results


def _first(error: BaseException) -> BaseException:
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _first(inner[0]) if inner else error


async def router(
    value: object, choose: Member, routes: Team, *, otherwise: Member | None = None
) -> Any:
    """`choose` is given the value and says by name who takes it; that one's result.

    A name that is no route goes to `otherwise`, or raises `InvalidUsage` without one.
    """
    members = team_of(routes)
    name = await take_turn(choose, value)
    if otherwise is not None and name not in members:
        return await take_turn(otherwise, value)
    return await take_turn(member(members, name, chosen_by=f"the router {name_of(choose)}"), value)
