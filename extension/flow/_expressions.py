"""Walks expressions in the order Python evaluates them."""

import ast
from collections.abc import Iterable

from stepwell.flow._ledger import Kind, Ledger, State
from stepwell.flow._names import bound_in, parameters, root_of
from stepwell.flow._scopes import Scope, Scopes
from stepwell.flow._text import code_of, expressions_in, ipython_call

__all__ = ["Expressions"]

# fmt: off
_MUTATING_METHODS = frozenset({
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend",
    "extendleft", "fill", "insert", "intersection_update", "itemset", "pop", "popitem",
    "popleft", "put", "remove", "resize", "reverse", "rotate", "setdefault", "setflags",
    "sort", "symmetric_difference_update", "update",
})
# fmt: on
_UNSEEN_BUILTINS = frozenset({"__import__", "eval", "exec", "globals", "locals", "vars"})
_UNSEEN_MAGICS = frozenset({"load", "pylab", "reset", "run", "store"})
_UNSEEN_SHELL = frozenset({"ev", "ex", "push", "run_cell", "user_global_ns", "user_ns"})


class Expressions(ast.NodeVisitor):
    """Tells the ledger what expressions look up, bind and change."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.notes: dict[str, None] = {}
        self._scopes = Scopes(self.ledger)
        self._line = 0
        # Above zero inside the text of a code magic, which has lines of its own, …
        self._in_text = 0
        # … and inside text that IPython may or may not take for an expression.
        self._guessing = 0

    def statements(self, block: Iterable[ast.stmt]) -> None:
        """Statements met inside an expression: the text of a code magic."""
        self._in_text += 1
        self._all(block)
        self._in_text -= 1

    def _all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def _target(self, node: ast.expr, kind: Kind) -> None:
        match node:
            case ast.Name(id=name):
                self._scopes.bind(name, kind)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._target(part, kind)
            case ast.Starred(value=value):
                self._target(value, kind)
            case _:
                self._mutate(node)

    def _mutate(self, node: ast.expr) -> None:
        self.generic_visit(node)
        root = root_of(node)
        if root is not None:
            self._scopes.load(root, mutated=True)

    def _note(self, what: str) -> None:
        place = f"line {self._line}: " if self._line else ""
        self.notes[f"{place}{what} can use names that the code does not show"] = None

    def visit_Name(self, node: ast.Name) -> None:
        """A look-up: targets never come here."""
        self._scopes.load(node.id, optional=self._guessing > 0)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        """The value comes before the name."""
        self.visit(node.value)
        self._target(node.target, Kind.ASSIGNED)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """A long sum leans to the left, one level per term: no recursion along it."""
        rights: list[ast.expr] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            rights.append(left.right)
            left = left.left
        self.visit(left)
        self._all(reversed(rights))

    def visit_Dict(self, node: ast.Dict) -> None:
        """Key and value in turn."""
        for key, value in zip(node.keys, node.values, strict=True):
            self._all((key, value))

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """The condition comes first, then one of two ways."""
        self.visit(node.test)
        start = self.ledger.state
        self.ledger.join([self._way(start, (node.body,)), self._way(start, (node.orelse,))])

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """All but the first operand may never be looked at."""
        self.visit(node.values[0])
        start = self.ledger.state
        self.ledger.join([start, self._way(start, node.values[1:])])

    def _way(self, start: State, nodes: Iterable[ast.AST]) -> State:
        """Walk what may or may not run, from this state; the state at its end."""
        self.ledger.state = start.copy()
        self._all(nodes)
        return self.ledger.state

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Defaults now, the body when it is called."""
        self._all([*node.args.defaults, *node.args.kw_defaults])
        names = {parameter.arg for parameter in parameters(node.args)}
        with self._scopes.function(names | bound_in([node.body]).names, set()):
            self.visit(node.body)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        """The first iterable belongs to the scope around, the rest to one of its own."""
        self._comprehension(node.generators, node.elt)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        """Like a list's."""
        self._comprehension(node.generators, node.elt)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        """Like a list's: nearly always used up where it stands."""
        self._comprehension(node.generators, node.elt)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        """Like a list's."""
        self._comprehension(node.generators, node.key, node.value)

    def _comprehension(self, generators: list[ast.comprehension], *results: ast.expr) -> None:
        self.visit(generators[0].iter)
        targets = [generator.target for generator in generators]
        with self._scopes.inside(Scope.COMPREHENSION, bound_in(targets).names):
            for generator in generators:
                if generator is not generators[0]:
                    self.visit(generator.iter)
                for part in ast.walk(generator.target):
                    if isinstance(part, ast.Attribute | ast.Subscript):
                        self._mutate(part)
                self._all(generator.ifs)
            self._all(results)

    def visit_Call(self, node: ast.Call) -> None:
        """A call may change its receiver, run code from a string, or be a shell command."""
        self._all([node.func, *node.args, *node.keywords])
        match node.func:
            case ast.Name(id=name) if self._scopes.is_global(name):
                if self._is_unseen(name, node):
                    self._note(f"{name}()")
                elif not self._scopes.in_function:
                    self.ledger.call(name)
            case ast.Attribute(value=receiver, attr=method):
                in_place = method in _MUTATING_METHODS or _is_in_place(node)
                root = root_of(receiver)
                if in_place and root is not None:
                    self._scopes.load(root, mutated=True)
            case _:
                pass
        self._ipython(node)

    def _is_unseen(self, name: str, node: ast.Call) -> bool:
        own = name in self.ledger.bindings or (name == "vars" and bool(node.args))
        return name in _UNSEEN_BUILTINS and not own

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Also notices code that goes past the analysis by way of the shell object."""
        self.visit(node.value)
        match node:
            case ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=attribute):
                if attribute in _UNSEEN_SHELL:
                    self._note(f"get_ipython().{attribute}")
            case _:
                pass

    def _ipython(self, node: ast.Call) -> None:
        call = ipython_call(node)
        if call is None:
            return
        method, texts = call
        magic = texts[0] if method.endswith("_magic") and texts else ""
        if magic in _UNSEEN_MAGICS:
            self._note(f"%{magic}")
        for at, text in enumerate(texts[1:] if magic else texts):
            statements = code_of(magic, text, is_line=at == 0)
            if statements and magic == "timeit":
                with self._scopes.inside(Scope.FUNCTION, bound_in(statements).names):
                    self.statements(statements)
            elif statements:
                self.statements(statements)
            else:
                self._guess(text)

    def _guess(self, text: str) -> None:
        self._guessing += 1
        for expression in expressions_in(text):
            self.visit(expression)
        self._guessing -= 1


def _is_in_place(node: ast.Call) -> bool:
    # pandas: frame.drop(columns="a", inplace=True)
    return any(
        keyword.arg == "inplace"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in node.keywords
    )
