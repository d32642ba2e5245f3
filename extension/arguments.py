"""The policies of a step as arguments of `@stepwell.step`, checked where they come in."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypedDict

from stepwell.errors import InvalidUsage
from stepwell.flow import Approve, Deadlines, MapOver, OnTimeout, Policies, Retry

__all__ = ["PolicyArguments", "policies_from"]

Seconds = float | timedelta
Errors = str | type[BaseException]


class PolicyArguments(TypedDict, total=False):
    """What may be said of how a step is to be run; as the options of `%%step`."""

    when: str
    """An expression over the parameters; if it is false, the step is skipped."""
    even_if_skipped: bool
    retries: int
    backoff: Seconds
    max_backoff: Seconds
    retry_on: Errors | Sequence[Errors]
    timeout: Seconds
    total_timeout: Seconds
    stall: Seconds
    approve: bool | str
    """Ask a person first; a text may name parameters in braces."""
    edit: str | Sequence[str]
    approve_timeout: Seconds
    on_timeout: OnTimeout
    once: bool
    limit: str
    undo_of: str
    priority: int


def policies_from(given: PolicyArguments, over: MapOver | None) -> Policies:
    """The policies. Raises `InvalidUsage` for values that cannot be meant."""
    return Policies(
        map=over,
        when=given.get("when", "").strip(),
        even_if_skipped=given.get("even_if_skipped", False),
        retry=_retry(given),
        deadlines=_deadlines(given),
        approve=_approve(given),
        once=given.get("once", False),
        undo_of=given.get("undo_of", ""),
        limit=given.get("limit", ""),
        priority=given.get("priority", 0),
    )


def _retry(given: PolicyArguments) -> Retry | None:
    if "retries" not in given:
        for name in ("backoff", "max_backoff", "retry_on"):
            if name in given:
                raise InvalidUsage(f"{name}= is about retries: add retries=N, or leave it out")
        return None
    retries = given["retries"]
    if type(retries) is not int or retries < 0:
        raise InvalidUsage(f"retries={retries!r} is not a number: 0, 1, 2, …")
    default = Retry()
    return Retry(
        retries=retries,
        backoff=_seconds("backoff", given.get("backoff", default.backoff)),
        max_backoff=_seconds("max_backoff", given.get("max_backoff", default.max_backoff)),
        retry_on=_errors(given.get("retry_on", ())),
    )


def _approve(given: PolicyArguments) -> Approve | None:
    text = given.get("approve", False)
    if text is False:
        for name in ("edit", "approve_timeout", "on_timeout"):
            if name in given:
                raise InvalidUsage(f"{name}= is about a question to a person: add approve=True")
        return None
    on_timeout = given.get("on_timeout", "reject")
    if on_timeout not in {"reject", "approve", "fail"}:
        raise InvalidUsage(f"on_timeout={on_timeout!r} is none of 'reject', 'approve', 'fail'")
    edit = given.get("edit", ())
    return Approve(
        text="" if text is True else text,
        edit=(edit,) if isinstance(edit, str) else tuple(edit),
        timeout=_deadline("approve_timeout", given.get("approve_timeout")),
        on_timeout=on_timeout,
    )


def _errors(given: Errors | Sequence[Errors]) -> tuple[str, ...]:
    listed = [given] if isinstance(given, str | type) else given
    return tuple(
        each.rpartition(".")[2] if isinstance(each, str) else each.__name__ for each in listed
    )


def _deadlines(given: PolicyArguments) -> Deadlines | None:
    found = Deadlines(
        attempt=_deadline("timeout", given.get("timeout")),
        total=_deadline("total_timeout", given.get("total_timeout")),
        stall=_deadline("stall", given.get("stall")),
    )
    return found if found != Deadlines() else None


def _deadline(name: str, value: Seconds | None) -> float:
    seconds = 0.0 if value is None else _seconds(name, value)
    if value is not None and not seconds:
        raise InvalidUsage(f"{name}= must be more than nothing, or left out")
    return seconds


def _seconds(name: str, value: Seconds) -> float:
    try:
        seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    except (TypeError, ValueError) as error:
        raise InvalidUsage(f"{name}={value!r} is not seconds, nor a timedelta") from error
    if not 0 <= seconds < float("inf"):
        raise InvalidUsage(f"{name}={value!r} is not a length of time")
    return seconds
