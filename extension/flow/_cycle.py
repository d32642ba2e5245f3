"""Circles in a graph that had none until one node was changed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

__all__ = ["shortest_circle", "stands_in_circle"]

_Neighbours = Callable[[str], Iterable[str]]


def stands_in_circle(node: str, before: _Neighbours, behind: _Neighbours) -> bool:
    """Whether a way leads from `node` back to it.

    Searches forwards and backwards in turn and stops when either side is exhausted: a
    node at an end of the graph costs its neighbours, one that joins two parts about as
    much as the smaller of them.
    """
    ahead, back = set[str](), set[str]()
    for later, earlier in zip(
        _reach(node, behind, ahead), _reach(node, before, back), strict=False
    ):
        if later in back or earlier in ahead:
            return True
    return node in ahead or node in back


def _reach(node: str, neighbours: _Neighbours, seen: set[str]) -> Iterator[str]:
    waiting = [node]
    while waiting:
        for near in neighbours(waiting.pop()):
            if near not in seen:
                seen.add(near)
                waiting.append(near)
                yield near


def shortest_circle(node: str, behind: _Neighbours) -> list[str]:
    """The nodes of a shortest way from `node` back to it, each once, `node` first.

    Raises `ValueError` if there is none.
    """
    came_from: dict[str, str] = {}
    waiting = deque([node])
    while waiting:
        here = waiting.popleft()
        for near in behind(here):
            if near == node:
                circle = [here]
                while circle[-1] != node:
                    circle.append(came_from[circle[-1]])
                return circle[::-1]
            if near not in came_from:
                came_from[near] = here
                waiting.append(near)
    raise ValueError(f"no way leads from {node!r} back to it")
