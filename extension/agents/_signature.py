"""What an agent takes and gives: from `researcher(topic: str, depth: int = 1) -> report`."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from stepwell.errors import InvalidUsage

__all__ = ["Parameter", "Signature", "parse_signature"]

_HEAD = re.compile(r"\s*(?P<name>[^\W\d]\w*)\s*(?P<rest>\(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One name that goes in or comes out."""

    name: str
    annotation: str = ""
    """The type as it was written; empty where anything will do."""
    default: str | None = None
    """The default as it was written; None where there is none."""

    def __str__(self) -> str:
        typed = f"{self.name}: {self.annotation}" if self.annotation else self.name
        if self.default is None:
            return typed
        return f"{typed} = {self.default}" if self.annotation else f"{typed}={self.default}"


@dataclass(frozen=True, slots=True)
class Signature:
    """An agent's name, parameters and outputs, in order."""

    name: str
    parameters: tuple[Parameter, ...] = ()
    outputs: tuple[Parameter, ...] = ()
    # Types and defaults by parameter's name, where they were given as objects and not as
    # text. Results go by "-> name".
    types: Mapping[str, object] = field(default_factory=dict[str, object], compare=False)
    defaults: Mapping[str, object] = field(default_factory=dict[str, object], compare=False)

    def __str__(self) -> str:
        outputs = ", ".join(map(str, self.outputs))
        inner = ", ".join(map(str, self.parameters))
        return f"{self.name}({inner})" + (f" -> {outputs}" if outputs else "")

    @property
    def uses(self) -> tuple[str, ...]:
        """Names that its types and defaults mean."""
        found: dict[str, None] = {}
        for parameter in (*self.parameters, *self.outputs):
            if parameter.name in self.types or f"-> {parameter.name}" in self.types:
                continue
            for text in (parameter.annotation, parameter.default or ""):
                nodes = ast.walk(ast.parse(text.strip() or "None", mode="eval"))
                found |= dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name))
        return tuple(found)


def parse_signature(text: str) -> Signature:
    """Read a signature. Raises `InvalidUsage` that says what is expected where."""
    head = _HEAD.fullmatch(text)
    if head is None:
        raise _unreadable(text)
    name, rest = head["name"], head["rest"]
    before, arrow, outputs = rest.rpartition("->")
    parameters = _arguments(text, before if arrow else rest, closed=True)
    results = _arguments(text, f"({outputs.strip().rstrip(',')})") if arrow else ()
    if arrow and not results:
        raise InvalidUsage(f"%agent {name}: name the outputs after ->, or leave the arrow out")
    if len({it.name for it in results}) < len(results) or any(it.default for it in results):
        raise InvalidUsage(f"%agent {name}: each output once, as NAME or NAME: type")
    for both in {it.name for it in parameters} & {it.name for it in results}:
        raise InvalidUsage(
            f"%agent {name}: {both!r} is both a parameter and an output; give one another name"
        )
    return Signature(name, parameters, results)


def _arguments(text: str, listed: str, *, closed: bool = False) -> tuple[Parameter, ...]:
    try:
        function = ast.parse(f"def _{listed.strip()}: ...").body
    except SyntaxError as error:
        raise _unreadable(text) from error
    if len(function) != 1 or not isinstance(function[0], ast.FunctionDef):
        raise _unreadable(text)
    found = function[0].args
    if found.vararg or found.kwarg or found.posonlyargs:
        raise InvalidUsage(
            f"%agent {text.strip()}: parameters go by name; * and / say nothing here"
        )
    plain = found.args
    defaults = [None] * (len(plain) - len(found.defaults)) + [*found.defaults]
    pairs = [
        *zip(plain, defaults, strict=True),
        *zip(found.kwonlyargs, found.kw_defaults, strict=True),
    ]
    return tuple(_parameter(argument, default) for argument, default in pairs)


def _parameter(argument: ast.arg, default: ast.expr | None) -> Parameter:
    annotation = ast.unparse(argument.annotation) if argument.annotation is not None else ""
    return Parameter(
        argument.arg, annotation, ast.unparse(default) if default is not None else None
    )


def _unreadable(text: str) -> InvalidUsage:
    return InvalidUsage(
        f"it is written %agent NAME(param: type = default, …) -> output, …; got {text.strip()!r}"
    )
