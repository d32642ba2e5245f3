"""An ordinary cell that reads a step's output waits for it.

An AST transformer puts one call in front of a cell that reads names; the call returns at
once when none of them is a step's output, or all of them are there. Line numbers stay as
they were, and interrupting the cell stops the waiting, never the run. In a cell that
awaits, the call is awaited: the kernel interrupts such a cell only where it awaits.
"""

import ast
from collections.abc import Callable

from stepwell.errors import StepwellError, WaitTimedOut, show_as

__all__ = ["WaitTransformer", "names_read", "wait_for", "wait_for_in_await"]

Waiter = Callable[[tuple[str, ...], float | None], None]

# The one who knows what to wait for; set while the extension is loaded.
_waiter: Waiter | None = None

_LOOK_AGAIN_SECONDS = 0.05


def wait_for(*names: str) -> None:
    """Called at the top of cells. Raises what stands in the way of the names."""
    if _waiter is not None:
        _waiter(names, None)


async def wait_for_in_await(*names: str) -> None:
    """The same for a cell that awaits: the kernel's loop goes on meanwhile."""
    import anyio

    try:
        # The kernel interrupts such a cell only when its loop wakes: so it wakes often.
        while not _is_there(names):  # noqa: ASYNC110 - as said above
            await anyio.sleep(_LOOK_AGAIN_SECONDS)
    except anyio.get_cancelled_exc_class() as stopped:
        show_as(stopped, f"stopped waiting for {', '.join(names)}; the run goes on")
        raise


def _is_there(names: tuple[str, ...]) -> bool:
    try:
        if _waiter is not None:
            _waiter(names, 0.0)
    except WaitTimedOut:
        return False
    return True


def set_waiter(waiter: Waiter | None) -> None:
    """Who is asked from now on: with names, and seconds after which to raise `WaitTimedOut`."""
    global _waiter  # noqa: PLW0603 - cells reach it by import, not by a name in their namespace
    _waiter = waiter


class WaitTransformer(ast.NodeTransformer):
    """Puts the call in front of every cell that reads a name `is_output` says yes to."""

    def __init__(self, is_output: Callable[[str], bool]) -> None:
        self._is_output = is_output

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Only a whole cell is looked at."""
        names = [name for name in names_read(node) if self._is_awaited(name, node)]
        if names and node.body:
            node.body.insert(0, _call(names, node.body[0], is_async=_awaits(node)))
        return node

    def _is_awaited(self, name: str, cell: ast.Module) -> bool:
        try:
            return self._is_output(name)
        except StepwellError:
            # A store that cannot be opened. IPython drops a transformer that raises, for
            # good; the call will say the same where it can be seen. A name that the cell
            # makes itself is no reason to keep the cell from running.
            return name not in _names_bound(cell)


def names_read(tree: ast.Module) -> list[str]:
    """Every name the cell loads anywhere, in order, once; a function's own names left out.

    More than it strictly needs from outside: what the cell itself assigns at its top level
    before it reads it is among them.
    """
    found: dict[str, None] = {}
    _collect(tree, frozenset(), found)
    return list(found)


def _collect(node: ast.AST, own: frozenset[str], found: dict[str, None]) -> None:
    """What `node` loads, save the names that belong to a function it stands in."""
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            if name not in own:
                found[name] = None
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            body = node.body if isinstance(node.body, list) else [node.body]
            inner = own | _own_names(node.args, body)
            for part in ast.iter_child_nodes(node):
                _collect(part, inner if part in body else own, found)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            targets = [generator.target for generator in node.generators]
            inner = own | {name for target in targets for name in _stored(target)}
            for part in ast.iter_child_nodes(node):
                _collect(part, inner, found)
        case _:
            for part in ast.iter_child_nodes(node):
                _collect(part, own, found)


def _own_names(arguments: ast.arguments, body: list[ast.stmt] | list[ast.expr]) -> set[str]:
    """Parameters, and names that the function's code binds without calling them global."""
    parameters = {it.arg for it in ast.walk(arguments) if isinstance(it, ast.arg)}
    outside: set[str] = set()
    bound: set[str] = set()
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Global | ast.Nonlocal):
            outside.update(node.names)
        bound |= _bound_by(node)
        if not isinstance(node, _SCOPES):
            pending += ast.iter_child_nodes(node)
    return (parameters | bound) - outside


def _stored(target: ast.AST) -> set[str]:
    return {
        node.id
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _names_bound(tree: ast.Module) -> set[str]:
    """Every name the cell gives a value anywhere, in whatever way."""
    return set[str]().union(*map(_bound_by, ast.walk(tree)))


def _bound_by(node: ast.AST) -> set[str]:
    """The names that this very piece of code gives a value."""
    found: str | None = None
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.ClassDef(name=name):
            found = name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            found = name
        case ast.ExceptHandler(name=caught) | ast.MatchAs(name=caught) | ast.MatchStar(name=caught):
            found = caught
        case ast.MatchMapping(rest=rest):
            found = rest
        case ast.alias(name=name, asname=other):
            found = other or name.partition(".")[0]
        case _:
            pass
    return {found} if found else set()


_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda


def _awaits(node: ast.AST) -> bool:
    """Whether the cell awaits at its top level, so that it is run as a coroutine."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Await | ast.AsyncFor | ast.AsyncWith):
            return True
        if isinstance(child, ast.comprehension) and child.is_async:
            return True
        if not isinstance(child, _SCOPES) and _awaits(child):
            return True
    return False


def _call(names: list[str], first: ast.stmt, *, is_async: bool) -> ast.stmt:
    # Through an import, so that nothing of ours has to stand in the user's namespace.
    home = "__import__('stepwell.waiting', fromlist=['_'])"
    function = f"await {home}.wait_for_in_await" if is_async else f"{home}.wait_for"
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
    source = f"{function}({', '.join(map(repr, names))})"
    tree = compile(source, "<stepwell>", "exec", flags=flags)
    call = tree.body[0]
    for node in ast.walk(call):
        ast.copy_location(node, first)
    located: ast.stmt = ast.fix_missing_locations(call)
    return located
