"""What a call came to, written down and brought back: a result, or an error of its own type."""

from collections.abc import Callable
from typing import Any, cast

from stepwell.errors import CallFailed, ValueNotStorable, ValueProblem
from stepwell.inside._current import Inside
from stepwell.orchestrator import Call, ErrorInfo, Output
from stepwell.store import Blob

__all__ = ["error_of", "keep_error", "keep_result", "made_again", "message_of", "result_of"]

REMEMBERED = "(this call failed before; its error was brought back from the store)"


def keep_result(inside: Inside, name: str, result: object) -> tuple[Output, Blob]:
    """The result, ready to be written down. Raises `ValueNotStorable` with the call's name."""
    step = inside.attempt.id.step
    try:
        return inside.values.encode(step, f"{name}()", result)
    except ValueNotStorable as error:
        raise ValueNotStorable(
            error.facts["type"],
            error.facts["reason"],
            step=step,
            variable=f"{name}()",
            path=error.facts["path"],
            way_out=_way_out(result),
        ) from error


def _way_out(result: object) -> str:
    if hasattr(result, "__aenter__") or hasattr(result, "__enter__"):
        return (
            "It is to be entered with `with`, and lives only as long. Enter it inside the durable "
            "function: make that an asynccontextmanager which yields the pieces that come"
        )
    return (
        "The call was made, and its result is lost. Have it return plain data, or make it "
        "without stepwell: then it is made again whenever the step is"
    )


def result_of(inside: Inside, call: Call) -> object:
    """A remembered result, a copy for this reader."""
    return inside.values.load(call.result.digest) if call.result is not None else None


def keep_error(
    inside: Inside, name: str, error: BaseException
) -> tuple[ErrorInfo, str, list[Blob]]:
    """The error for people; and its digest and bytes, if it can be brought back as it is.

    What is kept is the class, `args` and attributes: an error is made again without calling
    `__init__`, whose parameters may be others.
    """
    info = ErrorInfo(type(error).__name__, message_of(error))
    parts = (inside.values.class_name(type(error)), error.args, dict(vars(error)))
    try:
        made_again(type(error), *parts[1:])
        output, blob = inside.values.encode(inside.attempt.id.step, f"{name}()", parts)
    except (ValueProblem, TypeError):  # something in it cannot be kept, or its class not be made
        return info, "", []
    return (info, output.digest, [blob]) if parts[0] else (info, "", [])


def error_of(inside: Inside, name: str, call: Call) -> BaseException:
    """A remembered error: of its own type where that could be kept, else `CallFailed`."""
    if call.error_value:
        try:
            found = inside.values.load(call.error_value)
            kind, args, attributes = cast("tuple[str, tuple[Any, ...], dict[str, Any]]", found)
            made = made_again(inside.values.class_of(kind), args, attributes)
        except (ValueProblem, TypeError):
            pass
        else:
            made.add_note(REMEMBERED)
            return made
    info = call.error or ErrorInfo("Exception")
    return CallFailed(name, info.type, info.message)


def made_again(kind: type, args: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    """An exception as it was. Raises `TypeError` for a class that cannot be made so."""
    new = cast("Callable[..., BaseException]", kind.__new__)
    made = new(kind, *args)
    made.args = args
    vars(made).update(attributes)
    return made


def message_of(error: BaseException) -> str:
    """What it says, if it can say it."""
    try:
        return str(error)
    except Exception:
        return "(its message cannot be shown: __str__ failed)"
