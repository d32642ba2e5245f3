"""An ordinary cell that reads a step's output waits for it.

An AST transformer puts one call in front of a cell that reads names; the call returns at
once when none of them is a step's output, or all of them are there. Line numbers stay as
they were, and interrupting the cell stops the waiting, never the run.
"""

import ast
from collections.abc import Callable

__all__ = ["WaitTransformer", "names_read", "wait_for"]

# The one who knows what to wait for; set while the extension is loaded.
_waiter: Callable[[tuple[str, ...]], None] | None = None


def wait_for(*names: str) -> None:
    """Called at the top of cells. Raises what stands in the way of the names."""
    if _waiter is not None:
        _waiter(names)


def set_waiter(waiter: Callable[[tuple[str, ...]], None] | None) -> None:
    """Who is asked from now on."""
    global _waiter  # noqa: PLW0603 - cells reach it by import, not by a name in their namespace
    _waiter = waiter


class WaitTransformer(ast.NodeTransformer):
    """Puts the call in front of every cell that reads a name `is_output` says yes to."""

    def __init__(self, is_output: Callable[[str], bool]) -> None:
        self._is_output = is_output

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Only a whole cell is looked at."""
        names = [name for name in names_read(node) if self._is_output(name)]
        if names and node.body:
            node.body.insert(0, _call(names, node.body[0]))
        return node


def names_read(tree: ast.Module) -> list[str]:
    """Every name the cell loads anywhere, in order, once.

    More than it strictly needs from outside; waiting for a name that the cell itself
    assigns first does no harm beyond the wait.
    """
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found[node.id] = None
    return list(found)


def _call(names: list[str], first: ast.stmt) -> ast.stmt:
    # Through an import, so that nothing of ours has to stand in the user's namespace.
    source = (
        f"__import__('stepwell.waiting', fromlist=['_']).wait_for({', '.join(map(repr, names))})"
    )
    call = ast.parse(source).body[0]
    for node in ast.walk(call):
        ast.copy_location(node, first)
    return ast.fix_missing_locations(call)
