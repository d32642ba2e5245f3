"""From what is typed to a `Step`."""

import inspect
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import structs

from stepwell.errors import InvalidStep
from stepwell.flow import (
    Dataflow,
    Policies,
    Step,
    analyse,
    code_digest,
    conditional,
    gated,
    mapped,
    name_trouble,
    source_digest,
)

__all__ = ["plain_code", "step_from_cell", "step_from_function"]


def plain_code(source: str, transform: Callable[[str], str]) -> str:
    """What is typed in plain Python, line for line; `transform` is the shell's."""
    first = source[: len(source) - len(source.lstrip())]
    # IPython takes empty lines at the top away, and lines are counted from the top.
    return "\n" * first.count("\n") + transform(source)


def step_from_cell(
    name: str,
    source: str,
    code: str,
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] | None = None,
    after: Sequence[str] = (),
    transient: Sequence[str] = (),
    always: bool = False,
    defer: bool = False,
    flow: str = "",
    cell: str = "",
    policies: Policies | None = None,
    line: str = "",
) -> Step:
    """The step a cell makes. `code` is `source` in plain Python.

    Raises `InvalidStep` for code that is not Python, a name the step both reads and
    writes, or an option that names something the code does not have.
    """
    # Errors count lines as the cell does, whose first is the magic.
    dataflow = analyse(f"\n{code}", name=name)
    item = policies.map.item if policies is not None and policies.map is not None else ""
    # Each element is given to the code anew: what it does to the name is its own affair.
    found = tuple(name for name in dataflow.writes if name != item)
    writes = found if outputs is None else tuple(outputs)
    reads = tuple(dict.fromkeys([*dataflow.reads, *inputs]))
    _check_outputs(name, dataflow, writes, outputs or ())
    _check_rebinding(name, dataflow, reads, writes)
    _check_transient(name, transient, writes)
    step = Step(
        name=name,
        source=source,
        code=code,
        digest=code_digest(code, name=name),
        flow=flow,
        reads=reads,
        writes=writes,
        after=tuple(after),
        transient=tuple(transient),
        always=always,
        defer=defer,
        is_async=dataflow.is_async,
        optional=dataflow.optional,
        builtins=dataflow.builtins,
        line=line,
        cell=cell,
    )
    return _with_policies(step, policies)


def _with_policies(step: Step, policies: Policies | None) -> Step:
    if policies is None:
        return step
    step = structs.replace(step, **{**structs.asdict(policies), "map": None, "when": ""})
    if policies.undo_of:
        step = _undoing(step)
    if policies.when:
        step = conditional(step, policies.when)
    return gated(mapped(step, policies.map) if policies.map is not None else step)


def _undoing(step: Step) -> Step:
    """A step that undoes another one. What it assigns is its own affair."""
    if step.undo_of == step.name:
        raise InvalidStep(step.name, "it cannot undo itself")
    return structs.replace(step, writes=(), defer=True)


def _check_outputs(
    name: str, dataflow: Dataflow, writes: Sequence[str], outputs: Iterable[str]
) -> None:
    for output in outputs:
        if output not in dataflow.binds and output not in dataflow.globals:
            made = ", ".join(dataflow.binds) or "nothing"
            raise InvalidStep(
                name, f"--out names {output!r}, which the cell does not assign (it assigns {made})"
            )
    for output in writes:
        if output in dataflow.reads and output not in dataflow.rebinds:
            raise InvalidStep(name, f"{output!r} is named both by --in and by --out")


def _check_rebinding(
    name: str, dataflow: Dataflow, reads: Sequence[str], writes: Sequence[str]
) -> None:
    for both in dict.fromkeys([*dataflow.rebinds, *(read for read in reads if read in writes)]):
        if both in writes:
            raise InvalidStep(
                name,
                f"it reads {both!r} before it assigns it, so its own result would be its input. "
                f"Give the result another name, or leave {both!r} out of --out",
            )


def _check_transient(name: str, transient: Sequence[str], writes: Sequence[str]) -> None:
    for output in transient:
        if output not in writes:
            made = ", ".join(writes) or "nothing"
            raise InvalidStep(
                name, f"--transient names {output!r}, which is no output of it (it writes {made})"
            )


def step_from_function(
    function: Callable[..., Any],
    *,
    name: str = "",
    out: str | Sequence[str] = (),
    after: Sequence[str] = (),
    transient: Sequence[str] = (),
    always: bool = False,
    defer: bool = False,
    cell: str = "",
    policies: Policies | None = None,
) -> Step:
    """The step a function makes: its parameters are what it reads.

    Raises `InvalidStep` for parameters that cannot be looked up by name, or a name that no
    step can have.
    """
    named = name or function.__name__
    # A function may be private to its module; nothing hides a step.
    if trouble := name_trouble(name or named.lstrip("_")):
        raise InvalidStep(named[:60], f"it needs another name, given with name=. {trouble}")
    parameters, defaults = _parameters(function, named)
    writes = (out,) if isinstance(out, str) else tuple(out)
    for both in writes:
        if both in parameters:
            raise InvalidStep(named, f"{both!r} is both a parameter and an output; rename one")
    _check_transient(named, transient, writes)
    source = _source(function)
    in_module = function.__module__ != "__main__" and "<locals>" not in function.__qualname__
    step = Step(
        name=named,
        source=source,
        code=source,
        digest=source_digest(source) if source else _code_object_digest(function),
        kind="function",
        reads=tuple(parameters),
        writes=writes,
        after=tuple(after),
        transient=tuple(transient),
        always=always,
        defer=defer,
        is_async=inspect.iscoroutinefunction(function),
        module=function.__module__ if in_module else "",
        qualname=function.__qualname__,
        defaults=tuple(defaults),
        cell=cell,
    )
    return _with_policies(step, policies)


def _parameters(function: Callable[..., Any], name: str) -> tuple[list[str], list[str]]:
    parameters: list[str] = []
    defaults: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InvalidStep(
                name,
                f"*{parameter.name} says nothing about what the step reads; name the parameters",
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise InvalidStep(
                name, f"{parameter.name!r} is positional-only; a step's inputs go by name"
            )
        parameters.append(parameter.name)
        if parameter.default is not parameter.empty:
            defaults.append(parameter.name)
    return parameters, defaults


def _source(function: Callable[..., Any]) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):  # made by exec, or not a Python function
        return ""


def _code_object_digest(function: Callable[..., Any]) -> str:
    from stepwell.workers.namespace import code_object_digest

    return code_object_digest(function.__code__)
