"""Walks statements in the order Python runs them."""

# ruff: noqa: N802 - ast.NodeVisitor chooses the names
import ast
from collections.abc import Iterable
from typing import Any

from stepwell.errors import InvalidStep
from stepwell.flow._expressions import Expressions
from stepwell.flow._ledger import Kind, State
from stepwell.flow._names import bound_in, parameters
from stepwell.flow._scopes import Scope

__all__ = ["Walk"]


class Walk(Expressions):
    """One walk over one tree; afterwards `ledger`, `notes` and `modules` are complete."""

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.modules: dict[str, None] = {}
        self._name = name
        self._runs_annotations = True

    def run(self, tree: ast.Module) -> None:
        """Walk it all. Raises `InvalidStep` for code that hides what it reads."""
        try:
            self._all(tree.body)
        except RecursionError as error:
            raise InvalidStep(self._name, "its code is nested too deeply to be read") from error
        self.ledger.close()

    def visit(self, node: ast.AST) -> None:
        """Keeps the line for messages."""
        if isinstance(node, ast.stmt) and not self._in_text:
            self._line = node.lineno
        super().visit(node)

    # Assignments

    def visit_Assign(self, node: ast.Assign) -> None:
        """The value first, then the targets from left to right."""
        self.visit(node.value)
        for target in node.targets:
            self._target(target, Kind.ASSIGNED)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Without a value nothing is bound."""
        if node.value is not None:
            self.visit(node.value)
            self._target(node.target, Kind.ASSIGNED)
        elif not isinstance(node.target, ast.Name):
            self.generic_visit(node.target)
        if self._runs_annotations and self._scopes.runs_annotations:
            self.visit(node.annotation)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Looks the target up before it binds it."""
        if isinstance(node.target, ast.Name):
            self.visit_Name(node.target)
            self.visit(node.value)
            self._target(node.target, Kind.ASSIGNED)
        else:
            self._mutate(node.target)
            self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        """A name to be deleted has to be there."""
        for target in _flat(node.targets):
            if isinstance(target, ast.Name):
                self.visit_Name(target)
                self._scopes.delete(target.id)
            else:
                self._mutate(target)

    def visit_Import(self, node: ast.Import) -> None:
        """`import a.b` binds `a`."""
        for alias in node.names:
            self.modules[alias.name] = None
            self._scopes.bind(alias.asname or alias.name.partition(".")[0], Kind.IMPORTED)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Every name must be written out."""
        if node.module and not node.level:
            self.modules[node.module] = None
        if node.module == "__future__":
            self._runs_annotations &= all(alias.name != "annotations" for alias in node.names)
        for alias in node.names:
            if alias.name == "*":
                reason = (
                    f"line {self._line}: import * hides what the step reads. "
                    f"Import the names you use: from {node.module or '.'} import a, b"
                )
                raise InvalidStep(self._name, reason)
            self._scopes.bind(alias.asname or alias.name, Kind.IMPORTED)

    # Ways

    def visit_If(self, node: ast.If) -> None:
        """One way per branch; a chain of elif is a list, not a nest."""
        ends: list[State] = []
        while True:
            self.visit(node.test)
            start = self.ledger.state
            ends.append(self._way(start, node.body))
            self.ledger.state = start
            match node.orelse:
                case [ast.If() as node]:
                    continue
                case rest:
                    ends.append(self._way(start, rest))
                    break
        self.ledger.join(ends)

    def visit_While(self, node: ast.While) -> None:
        """The body may never run."""
        self.visit(node.test)
        start = self.ledger.state.copy()
        self._loop(node.body)
        self.ledger.join([start, self.ledger.state])
        self._perhaps(node.orelse)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        """The target is a temporary; the body may never run."""
        self.visit(node.iter)
        start = self.ledger.state.copy()
        self._target(node.target, Kind.TEMPORARY)
        self._loop(node.body)
        self.ledger.join([start, self.ledger.state])
        self._perhaps(node.orelse)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        """Like `for`."""
        self.visit_For(node)

    def _loop(self, block: list[ast.stmt]) -> None:
        # In `if i: print(last)` … `last = i` no turn needs `last` from outside. What a turn
        # hands on is found by one walk more; inside that walk, inner loops need no other.
        if not self.ledger.is_rehearsal and not self._scopes.in_function:
            start = self.ledger.state.copy()
            self.ledger.is_rehearsal = True
            self._all(block)
            self.ledger.is_rehearsal = False
            self.ledger.join([start, self.ledger.state])
        self._all(block)

    def _perhaps(self, block: list[ast.stmt]) -> None:
        start = self.ledger.state
        self.ledger.join([start, self._way(start, block)])

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        """What `as` names is a temporary."""
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self._target(item.optional_vars, Kind.TEMPORARY)
        self._all(node.body)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        """Like `with`."""
        self.visit_With(node)

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        """A handler may start after any part of the body."""
        before = self.ledger.state.copy()
        self._all(node.body)
        after = self.ledger.state
        self.ledger.join([before, after])
        broken = self.ledger.state
        ends = [self._way(after, node.orelse)]
        ends += [self._way(broken, (handler,)) for handler in node.handlers]
        self.ledger.join(ends)
        self._all(node.finalbody)

    def visit_TryStar(self, node: ast.TryStar) -> None:
        """Like `try`."""
        self.visit_Try(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        """Python deletes the exception's name at the end of the handler."""
        self._all((node.type,))
        if node.name:
            self._scopes.bind(node.name, Kind.TEMPORARY)
        self._all(node.body)
        if node.name:
            self._scopes.delete(node.name)

    def visit_Match(self, node: ast.Match) -> None:
        """One way per case, and one for none of them."""
        self.visit(node.subject)
        start = self.ledger.state
        self.ledger.join([start, *(self._way(start, (case,)) for case in node.cases)])

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        """A capture is a temporary."""
        self._all((node.pattern,))
        if node.name:
            self._scopes.bind(node.name, Kind.TEMPORARY)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        """A capture is a temporary."""
        if node.name:
            self._scopes.bind(node.name, Kind.TEMPORARY)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        """A capture is a temporary."""
        self.generic_visit(node)
        if node.rest:
            self._scopes.bind(node.rest, Kind.TEMPORARY)

    # Definitions

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Decorators, defaults and annotations now, the body when it is called."""
        self._all([*node.decorator_list, *node.args.defaults, *node.args.kw_defaults])
        names = _type_parameters(node)
        with self._scopes.inside(Scope.TYPE, names):
            self._type_bounds(node)
            if self._runs_annotations:
                self._all(parameter.annotation for parameter in parameters(node.args))
                self._all((node.returns,))
            bound = bound_in(node.body)
            bound.names.update(parameter.arg for parameter in parameters(node.args))
            with self._scopes.function(bound.locals, bound.globals) as body:
                self._all(node.body)
        self._scopes.bind(node.name, Kind.FUNCTION, body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Like `def`."""
        self.visit_FunctionDef(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """The body runs at once; its names are its own."""
        self._all(node.decorator_list)
        with self._scopes.inside(Scope.TYPE, _type_parameters(node)):
            self._type_bounds(node)
            self._all([*node.bases, *node.keywords])
            with self._scopes.inside(Scope.CLASS, set(), bound_in(node.body).globals):
                self._all(node.body)
        self._scopes.bind(node.name, Kind.CLASS)

    def visit_TypeAlias(self, node: Any) -> None:
        """`type Name = value`, new in 3.12: the value is evaluated when somebody asks for it."""
        with self._scopes.inside(Scope.TYPE, _type_parameters(node)):
            self._type_bounds(node)
            with self._scopes.function(set(), set()):
                self.visit(node.value)
        self._scopes.bind(node.name.id, Kind.CLASS)

    def _type_bounds(self, node: ast.AST) -> None:
        # Bounds and defaults of type parameters are evaluated when somebody asks for them.
        for parameter in getattr(node, "type_params", []):
            with self._scopes.function(set(), set()):
                self.generic_visit(parameter)


def _type_parameters(node: ast.AST) -> set[str]:
    return {parameter.name for parameter in getattr(node, "type_params", [])}


def _flat(targets: Iterable[ast.expr]) -> Iterable[ast.expr]:
    for target in targets:
        if isinstance(target, ast.Tuple | ast.List):
            yield from _flat(target.elts)
        else:
            yield target
