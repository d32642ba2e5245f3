"""Which names a block of code binds, as Python decides it before running anything."""

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["BUILTINS", "Bound", "bound_in", "is_dunder", "parameters", "root_of"]

# IPython puts the last two there; named, so that a kernel and a plain process agree.
BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_")) | {
    "display",
    "get_ipython",
}


def is_dunder(name: str) -> bool:
    """Whether Python itself provides it, such as `__name__`."""
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


@dataclass(slots=True)
class Bound:
    """The names of one scope."""

    names: set[str] = field(default_factory=set[str])
    """Local, unless declared otherwise."""
    globals: set[str] = field(default_factory=set[str])
    nonlocals: set[str] = field(default_factory=set[str])

    @property
    def locals(self) -> set[str]:
        """What belongs to the scope alone."""
        return self.names - self.globals - self.nonlocals


def bound_in(nodes: Iterable[ast.AST]) -> Bound:
    """Every name these nodes bind in the scope they stand in; inner scopes keep theirs."""
    bound = Bound()
    pending = list(nodes)
    while pending:
        node = pending.pop()
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bound.names.add(name)
            case ast.alias(name=name, asname=asname):
                bound.names.add(asname or name.partition(".")[0])
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                bound.names.add(name)
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                bound.names.add(name)
            case ast.Global(names=names):
                bound.globals.update(names)
            case ast.Nonlocal(names=names):
                bound.nonlocals.update(names)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bound.names.add(node.name)
            case _:
                pass
        pending += _same_scope(node)
    return bound


def _same_scope(node: ast.AST) -> Iterable[ast.AST]:
    # A walrus may hide in anything that is evaluated outside the inner scope, and in a
    # comprehension's inside as well: there it binds in the scope around it.
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [*node.decorator_list, *_evaluated_with(node.args)]
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *node.keywords]
        case ast.Lambda():
            return _evaluated_with(node.args)
        case ast.comprehension():
            return [node.iter, *node.ifs]
        case _:
            return ast.iter_child_nodes(node)


def _evaluated_with(arguments: ast.arguments) -> Iterator[ast.AST]:
    yield from arguments.defaults
    yield from (default for default in arguments.kw_defaults if default is not None)


def parameters(arguments: ast.arguments) -> Iterator[ast.arg]:
    """All parameters, in the order they are written."""
    yield from arguments.posonlyargs
    yield from arguments.args
    if arguments.vararg:
        yield arguments.vararg
    yield from arguments.kwonlyargs
    if arguments.kwarg:
        yield arguments.kwarg


def root_of(node: ast.expr) -> str | None:
    """`a` for `a.b[0].c`; None for what does not start at a name."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
