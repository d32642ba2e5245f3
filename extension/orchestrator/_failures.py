"""Errors that the orchestrator itself has to report, in words for people."""

from collections.abc import Sequence
from itertools import islice
from typing import Literal

from stepwell.flow import Step
from stepwell.orchestrator._base import ErrorInfo, Failure
from stepwell.orchestrator._unit import StepState

__all__ = ["items_failed", "timed_out"]

_SHOWN = 3


def items_failed(step: StepState) -> ErrorInfo:
    """Of a mapped step too many of whose items have failed: how many, and the first of them."""
    items = step.items
    if items is None:
        return ErrorInfo("ItemsFailed", "its items are not known", is_user_code=False)
    units = [items.by_key[key] for key in islice(items.failed, _SHOWN)]
    lines = [f"{unit.name}: {_said(unit.error)}" for unit in units if unit.error is not None]
    more = len(items.failed) - len(lines)
    lines += [f"and {more:,} more"] if more > 0 else []
    lines.append(
        f"What is done is kept; to try the others again: %stepwell rerun {step.name} --failed"
    )
    first = next((unit.error for unit in units if unit.error is not None), None)
    count = f"{len(items.failed):,} of {len(items.order):,} items failed"
    return ErrorInfo(
        "ItemsFailed",
        f"{count}. " + "\n".join(lines),
        first.traceback if first is not None else "",
        first.line if first is not None else 0,
        failure=_of_all([items.by_key[key].error for key in items.failed]),
    )


def _of_all(errors: Sequence[ErrorInfo | None]) -> Failure:
    """Likely to pass if all of them are."""
    found = [error.failure or Failure() for error in errors if error is not None]
    kinds = dict.fromkeys(kind for failure in found for kind in failure.kinds)
    return Failure(
        ("ItemsFailed", *kinds),
        is_transient=bool(found) and all(failure.is_transient for failure in found),
        is_terminal=any(failure.is_terminal for failure in found),
    )


def _said(error: ErrorInfo) -> str:
    message = next(iter(error.message.strip().splitlines()), "")
    where = f" (line {error.line})" if error.line else ""
    return f"{error.type}: {message}{where}" if message else f"{error.type}{where}"


def timed_out(step: Step, kind: Literal["timeout", "total", "stall"]) -> ErrorInfo:
    """Of an attempt that took too long; its late result will be refused."""
    deadlines = step.deadlines
    assert deadlines is not None
    advice = (
        ""
        if step.is_async
        else " Code without `await` cannot be stopped in the kernel: it runs on, and its result is "
        "refused. To have it stopped, run it in a process: --on process"
    )
    match kind:
        case "timeout":
            what = f"the attempt took longer than {deadlines.attempt:g} s (--timeout)."
        case "total":
            what = f"all attempts took longer than {deadlines.total:g} s (--total-timeout)."
        case "stall":
            what = f"it gave no heartbeat for {deadlines.stall:g} s (--stall)."
    return ErrorInfo("StepTimedOut", what + advice, is_user_code=False)
