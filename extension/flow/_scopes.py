"""Where a name is looked up: the nesting of scopes while code is walked."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from stepwell.flow._ledger import Body, Kind, Ledger, Use

__all__ = ["Scope", "Scopes"]


class Scope(Enum):
    """The kinds of scope that Python tells apart."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    COMPREHENSION = "comprehension"
    TYPE = "type parameters"


@dataclass(slots=True)
class _Frame:
    scope: Scope
    parent: "_Frame | None" = None
    names: set[str] = field(default_factory=set[str])
    """Function, comprehension: all of its locals. Class: what it has bound so far."""
    globals: set[str] = field(default_factory=set[str])
    body: Body | None = None
    """Of the outermost function around, None for code that runs with the cell."""


class Scopes:
    """The scopes open at this point of the walk, innermost last; globals go to the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._frame: _Frame = _Frame(Scope.MODULE)

    @property
    def in_function(self) -> bool:
        """Whether this code runs only when something is called."""
        return self._frame.body is not None

    @property
    def runs_annotations(self) -> bool:
        """Whether annotations of variables are evaluated here: not among a function's locals."""
        return self._enclosing(Scope.COMPREHENSION, Scope.TYPE).scope is not Scope.FUNCTION

    def is_global(self, name: str) -> bool:
        """Whether a look-up of `name` here ends among the globals."""
        return self._home(name).scope is Scope.MODULE

    def load(self, name: str, *, mutated: bool = False, optional: bool = False) -> None:
        """`name` is looked up here; `mutated` if only to change what it stands for."""
        if not self.is_global(name):
            return
        use = Use(self._ledger.tick(), mutated, optional)
        body = self._frame.body
        if body is None:
            self._ledger.load(name, use)
        elif name not in body.stores:
            body.uses.setdefault(name, use).also(use)

    def bind(self, name: str, kind: Kind, body: Body | None = None) -> None:
        """`name` is bound here; a walrus in a comprehension binds around it."""
        frame = self._enclosing(Scope.COMPREHENSION, Scope.TYPE)
        if frame.scope is Scope.MODULE or name in frame.globals:
            if frame.body is None:
                self._ledger.bind(name, kind, body)
            else:
                frame.body.stores.setdefault(name, kind)
        elif frame.scope is Scope.CLASS:
            frame.names.add(name)

    def delete(self, name: str) -> None:
        """`name` is unbound here."""
        if self._frame.scope is Scope.MODULE:
            self._ledger.delete(name)
        elif self._frame.scope is Scope.CLASS:
            self._frame.names.discard(name)

    @contextmanager
    def inside(
        self, scope: Scope, names: set[str], globals_: set[str] | None = None
    ) -> Generator[None]:
        """Code of an inner scope that runs right here."""
        outer = self._frame
        self._frame = _Frame(scope, outer, names, globals_ or set(), outer.body)
        try:
            yield
        finally:
            self._frame = outer

    @contextmanager
    def function(self, names: set[str], globals_: set[str]) -> Generator[Body]:
        """Code of a function: it runs when the outermost function around it is called."""
        outer = self._frame
        body: Body = Body() if outer.body is None else outer.body
        self._frame = _Frame(Scope.FUNCTION, outer, names, globals_, body)
        try:
            yield body
        finally:
            self._frame = outer
        if outer.body is None:
            self._ledger.define(body)

    def _home(self, name: str) -> _Frame:
        frame, in_class = self._frame, True
        while frame.parent is not None and name not in frame.globals:
            if name in frame.names and (in_class or frame.scope is not Scope.CLASS):
                return frame
            # The names of a class are seen by the code directly in it, not by what it nests.
            in_class = in_class and frame.scope is Scope.TYPE
            frame = frame.parent
        while frame.parent is not None:
            frame = frame.parent
        return frame

    def _enclosing(self, *transparent: Scope) -> _Frame:
        frame = self._frame
        while frame.scope in transparent and frame.parent is not None:
            frame = frame.parent
        return frame
