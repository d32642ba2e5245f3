"""Agents in plain Python: from a function, from function steps, from another notebook.

@stepwell.agent
async def researcher(topic: str, depth: int = 1) -> str: ...

writer = stepwell.agent("writer", parameters={"topic": str}, out="text")

@writer.step(out="text")
def write(topic: str) -> str: ...
"""

import inspect
import sys
import typing
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, Unpack, cast, overload

from msgspec import structs

from stepwell.agents import (
    MAX_DEPTH,
    Agent,
    Definition,
    Parameter,
    Signature,
    parse_signature,
)
from stepwell.api import FunctionStep, declare
from stepwell.arguments import PolicyArguments, policies_from
from stepwell.defining import step_from_function
from stepwell.errors import InvalidUsage
from stepwell.notebook_agent import notebook_agent

__all__ = ["SteppedAgent", "agent"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

RESULT = "result"
"""The output of an agent that is one function."""


class SteppedAgent(Agent[..., Any]):
    """An agent that functions are made steps of, one by one."""

    def step(
        self,
        *,
        name: str = "",
        out: str | Sequence[str] = (),
        after: str | Sequence[str] = (),
        **policies: Unpack[PolicyArguments],
    ) -> Callable[[Callable[Parameters, Result]], FunctionStep[Parameters, Result]]:
        """Make a function a step of this agent, as `stepwell.step` makes one of the flow."""
        how = policies_from(policies, None)

        def decorate(function: Callable[Parameters, Result]) -> FunctionStep[Parameters, Result]:
            made = step_from_function(
                function,
                name=name,
                out=out if isinstance(out, str) else tuple(out),
                after=(after,) if isinstance(after, str) else tuple(after),
                policies=how,
            )
            self._add(structs.replace(made, flow=self.name), function)
            return FunctionStep(function, made)

        return decorate

    def _add(self, step: Any, function: Callable[..., Any]) -> None:
        mine = self.definition
        others = tuple(known for known in mine.steps if known.name != step.name)
        functions = {**mine.functions, step.name: function}
        self.become(replace(mine, steps=(*others, step), functions=functions))


@overload
def agent(
    function: Callable[Parameters, Coroutine[Any, Any, Result]], /
) -> Agent[Parameters, Result]: ...
@overload
def agent(function: Callable[Parameters, Result], /) -> Agent[Parameters, Result]: ...
@overload
def agent(
    notebook: str | Path, /, *, name: str = ..., out: str | Sequence[str] = ...
) -> Agent[..., Any]: ...
@overload
def agent(signature: str, /, *, max_depth: int = ...) -> Agent[..., Any]: ...
@overload
def agent(
    name: str,
    /,
    *,
    parameters: Mapping[str, Any],
    out: str | Sequence[str] | Mapping[str, Any] = ...,
    max_depth: int = ...,
) -> SteppedAgent: ...
def agent(
    what: Any,
    /,
    *,
    parameters: Mapping[str, Any] | None = None,
    name: str = "",
    out: str | Sequence[str] | Mapping[str, Any] = (),
    max_depth: int = MAX_DEPTH,
) -> Any:
    """An agent: called inside a step, it is a durable run of its own; await its result.

    From a function (as a decorator): its parameters are the agent's, what it returns is the
    result; what it awaits in turn (calls, other agents) is as durable as in any step. From a
    name with `parameters` (each a type, or a type and a default) and `out` (names, or names
    with types): an agent of several steps, which its `.step(…)` adds. From the path of a
    notebook: its cell tagged `parameters` says what it takes, its `%%step` and `%%setup`
    cells are its flow, and `out` names what it gives, all outputs by default. From a signature
    as `%agent` takes it, `"researcher(topic: str) -> report"`: what `stepwell.cell("STEP --agent
    researcher")` adds, or in a notebook its `%%step` cells, are its steps.

    Inside a step that does not await, `agent.run(…)` waits for the result.
    Raises `InvalidUsage`, `FlowError`.
    """
    if parameters is not None:
        return SteppedAgent(Definition(_signature(str(what), parameters, out), max_depth=max_depth))
    if callable(what):
        return _from_function(what, max_depth)
    if isinstance(what, str) and "(" in what and not what.endswith(".ipynb"):
        return _of_cells(what, max_depth)
    path = Path(what) if isinstance(what, str | Path) else None
    if path is not None and path.suffix == ".ipynb":
        wanted = (out,) if isinstance(out, str) else tuple(out)
        return Agent[..., Any](notebook_agent(path, name=name, out=wanted))
    raise InvalidUsage(
        f"stepwell.agent({what!r}): give it a function, the path of a notebook (….ipynb), or a "
        f"name with parameters={{…}} and out=…"
    )


def _of_cells(text: str, max_depth: int) -> Agent[..., Any]:
    if "stepwell.loading" in sys.modules:
        from stepwell.loading import current_notebook

        if (notebook := current_notebook()) is not None:
            return notebook.session.define_agent(text, max_depth=max_depth)
    made = Agent[..., Any](Definition(parse_signature(text), max_depth=max_depth))
    declare(made)
    return made


def _from_function(function: Callable[..., Any], max_depth: int) -> Agent[..., Any]:
    name = function.__name__
    step = step_from_function(function, out=RESULT)
    hints = _hints(function)
    found = inspect.signature(function).parameters
    given = {
        key: hints.get(key, Any)
        if parameter.default is parameter.empty
        else (hints.get(key, Any), parameter.default)
        for key, parameter in found.items()
    }
    signature = _signature(name, given, {RESULT: hints.get("return", Any)})
    made = structs.replace(step, name=name, flow=name)
    doc = inspect.getdoc(function) or ""
    definition = Definition(signature, (made,), {name: function}, max_depth=max_depth, doc=doc)
    return Agent(definition)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError):
        # A name that is there for type checkers alone: anything will do then.
        return {}


def _signature(
    name: str, parameters: Mapping[str, Any], out: str | Sequence[str] | Mapping[str, Any]
) -> Signature:
    listed = {out: Any} if isinstance(out, str) else out
    outputs = dict(listed) if isinstance(listed, Mapping) else dict.fromkeys(listed, Any)
    types, defaults = dict[str, Any](), dict[str, Any]()
    for key, declared in parameters.items():
        types[key] = declared
        if isinstance(declared, tuple):
            types[key], defaults[key] = cast("tuple[Any, Any]", declared)
    taken = tuple(
        Parameter(key, _shown(kind), repr(defaults[key]) if key in defaults else None)
        for key, kind in types.items()
    )
    given = tuple(Parameter(key, _shown(kind)) for key, kind in outputs.items())
    types.update({f"-> {key}": kind for key, kind in outputs.items()})
    return Signature(name, taken, given, types, defaults)


def _shown(kind: Any) -> str:
    return "" if kind is Any else inspect.formatannotation(kind)
