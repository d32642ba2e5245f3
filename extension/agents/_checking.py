"""Arguments and results against what the agent says it takes and gives, by pydantic."""

from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.agents._signature import Signature
from stepwell.errors import InvalidArguments, near_misses, with_article

__all__ = ["check_arguments", "check_results"]

_SHOWN = 3
_adapters: dict[int, tuple[object, Any]] = {}
"""Type → what checks it. The type is kept beside it, so that its id stays its own."""


def check_arguments(
    signature: Signature,
    positional: Sequence[object],
    named: Mapping[str, object],
    scope: Mapping[str, object],
) -> dict[str, object]:
    """Every parameter's value, as the agent wants it. `scope` says what names in types mean.

    Values are made into what is declared where pydantic does so: "2" for an `int`, a dict
    for a model. Raises `InvalidArguments` with the parameter, the type given and the one
    expected.
    """
    given = _bound(signature, positional, named)
    values: dict[str, object] = {}
    for parameter in signature.parameters:
        what = f"agent {signature.name!r}: parameter {parameter.name!r}"
        if parameter.name in given:
            annotation = parameter.annotation
            expected = _expected(signature, parameter.name, annotation, what, scope)
            value = given[parameter.name]
            values[parameter.name] = validated(value, expected, what, shown=annotation)
        elif parameter.name in signature.defaults:
            values[parameter.name] = signature.defaults[parameter.name]
        elif parameter.default is not None:
            values[parameter.name] = _evaluated(parameter.default, what, scope)
        else:
            raise InvalidArguments(f"{what} is missing. It is called as {signature}")
    return values


def check_results(
    signature: Signature, values: Mapping[str, object], scope: Mapping[str, object]
) -> dict[str, object]:
    """Every output's value, as the agent is to give it. Raises `InvalidArguments`."""
    checked: dict[str, object] = {}
    for output in signature.outputs:
        what = f"agent {signature.name!r}: its output {output.name!r}"
        expected = _expected(signature, f"-> {output.name}", output.annotation, what, scope)
        value = values.get(output.name)
        checked[output.name] = validated(value, expected, what, shown=output.annotation)
    return checked


def _bound(
    signature: Signature, positional: Sequence[object], named: Mapping[str, object]
) -> dict[str, object]:
    names = [parameter.name for parameter in signature.parameters]
    if len(positional) > len(names):
        raise InvalidArguments(
            f"agent {signature.name!r} takes {len(names)} parameters, {len(positional)} were "
            f"given. It is called as {signature}"
        )
    given = dict(zip(names, positional, strict=False))
    for name, value in named.items():
        if name not in names:
            near = near_misses(name, names) or " It takes none."
            raise InvalidArguments(f"agent {signature.name!r} has no parameter {name!r}.{near}")
        if name in given:
            raise InvalidArguments(f"agent {signature.name!r}: {name!r} is given twice")
        given[name] = value
    return given


def _expected(
    signature: Signature, key: str, annotation: str, what: str, scope: Mapping[str, object]
) -> object:
    if key in signature.types:
        return signature.types[key]
    return _evaluated(annotation, what, scope) if annotation else Any


def _evaluated(text: str, what: str, scope: Mapping[str, object]) -> object:
    try:
        return eval(text, {}, scope)
    except Exception as error:
        raise InvalidArguments(
            f"{what}: {text!r} means nothing here: {type(error).__name__}: {error}"
        ) from error


def validated(value: object, expected: Any, what: str, *, shown: str = "") -> object:
    """The value as `expected` has it. Raises `InvalidArguments`."""
    if expected is Any:
        return value
    from pydantic import ValidationError

    try:
        return _adapter(expected).validate_python(value)
    except ValidationError as error:
        reasons = [_reason(it) for it in error.errors(include_url=False)[:_SHOWN]]
        more = error.error_count() - len(reasons)
        reasons += [f"and {more} more"] if more > 0 else []
        wanted = shown or getattr(expected, "__name__", None) or str(expected)
        raise InvalidArguments(
            f"{what} is {with_article(type(value).__name__)} ({_short(value)}), expected {wanted}: "
            + "; ".join(reasons)
        ) from error


def _adapter(expected: Any) -> Any:
    known = _adapters.get(id(expected))
    if known is not None and known[0] is expected:
        return known[1]
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    try:
        made: Any = TypeAdapter(expected, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # models and the like have a configuration of their own
        made = TypeAdapter(expected)
    _adapters[id(expected)] = (expected, made)
    return made


def _reason(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    said = str(error["msg"])
    return f"{place}: {said}" if place else said


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
