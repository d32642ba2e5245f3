"""Names whose values a piece of code changes itself, as far as its text shows."""

import ast
from collections.abc import Iterator
from functools import lru_cache

from stepwell.flow import syntax_tree

__all__ = ["touched"]

_CHANGING = frozenset(
    "add append appendleft clear discard extend extendleft insert pop popitem popleft remove "
    "reverse rotate setdefault sort subtract update write writelines".split()
)


@lru_cache(2048)
def touched(source: str) -> frozenset[str]:
    """Names outside of its own that it assigns, or whose values it changes where they are."""
    try:
        tree = syntax_tree(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    return frozenset(name for node in ast.walk(tree) for name in _changed_by(node))


def _changed_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names
        case ast.Call(func=ast.Attribute(attr=attr, value=value)) if attr in _CHANGING:
            yield from _root(value)
        case (
            ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del())
        ):
            yield from _root(node)
        case _:
            pass


def _root(node: ast.expr) -> Iterator[str]:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
