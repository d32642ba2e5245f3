"""What an attempt executes: a cell's code or a function, and how its outputs are gathered."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import msgspec

from stepwell.errors import InvalidStep, with_article
from stepwell.flow import Step
from stepwell.workers._code import SHOW, Compiled, compile_cell
from stepwell.workers._shell import give_shell

__all__ = ["Body", "prepare"]


class Body(Protocol):
    """Ready to run, once."""

    @property
    def is_async(self) -> bool:
        """Whether `run` gives a coroutine."""
        ...

    def run(self) -> object:
        """Execute the code."""
        ...

    def collect(self, result: object) -> dict[str, object]:
        """From what `run` gave (awaited) to outputs by name."""
        ...


def prepare(
    definition: Step, namespace: dict[str, object], function: Callable[..., object] | None = None
) -> Body:
    """The body of a step in this namespace; for a function, its parameters are looked up there."""
    if function is not None:
        arguments = {name: namespace[name] for name in _parameters(definition) if name in namespace}
        return _Call(definition, function, arguments)
    namespace[SHOW] = _show
    give_shell(namespace)
    return _Cell(definition, compile_cell(definition), namespace)


# Structs, because one is made for every attempt.
class _Cell(msgspec.Struct, frozen=True, eq=False):
    definition: Step
    compiled: Compiled
    namespace: dict[str, object]

    @property
    def is_async(self) -> bool:
        return self.compiled.is_async

    def run(self) -> object:
        return eval(self.compiled.code, self.namespace)

    def collect(self, result: object) -> dict[str, object]:
        return _written(self.definition, self.namespace)


class _Call(msgspec.Struct, frozen=True, eq=False):
    definition: Step
    function: Callable[..., object]
    arguments: dict[str, object]

    @property
    def is_async(self) -> bool:
        return self.definition.is_async

    def run(self) -> object:
        return self.function(**self.arguments)

    def collect(self, result: object) -> dict[str, object]:
        return _returned(self.definition, result)


def _written(definition: Step, namespace: Mapping[str, object]) -> dict[str, object]:
    for name in definition.writes:
        if name not in namespace:
            raise InvalidStep(
                definition.name,
                f"it ended without assigning {name!r}, which it is to write. "
                f"Assign it on every path, or name the outputs with --out",
            )
    return {name: namespace[name] for name in definition.writes}


def _parameters(definition: Step) -> Sequence[str]:
    over = definition.map
    if over is None:
        return definition.reads
    return [over.item, *(name for name in definition.reads if name not in over.apart)]


def _returned(definition: Step, result: object) -> dict[str, object]:
    names = definition.writes
    if len(names) == 1:
        return {names[0]: result}
    if not names:
        if result is not None:
            raise InvalidStep(
                definition.name,
                f"it returned {with_article(type(result).__name__)} but has no name for it. "
                f"Give it one with out=, or return nothing",
            )
        return {}
    is_many = isinstance(result, tuple | list)
    values = cast("Sequence[object]", result) if is_many else ()
    if len(values) != len(names):
        raise InvalidStep(
            definition.name,
            f"out= names {len(names)} outputs ({', '.join(names)}), so it must return a tuple "
            f"of as many; it returned {with_article(type(result).__name__)}",
        )
    return dict(zip(names, values, strict=True))


def _show(value: object) -> None:
    """Display the value of a cell's last expression, as the notebook does."""
    if value is None:
        return
    ipython: Any = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(repr(value))
    else:
        ipython.display.display(value)
