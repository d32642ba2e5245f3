"""Errors that the orchestrator itself has to report, in words for people."""

from itertools import islice
from typing import Literal

from stepwell.flow import Step
from stepwell.orchestrator._base import ErrorInfo
from stepwell.orchestrator._unit import StepState

__all__ = ["items_failed", "timed_out"]

_SHOWN = 3


def items_failed(step: StepState) -> ErrorInfo:
    """Of a mapped step too many of whose items have failed."""
    items = step.items
    if items is None:
        return ErrorInfo("ItemsFailed", "its items are not known", is_user_code=False)
    errors = [(key, items.by_key[key].error) for key in islice(items.failed, _SHOWN)]
    lines = [f"{key}: {error.type}: {error.message}" for key, error in errors if error is not None]
    more = len(items.failed) - len(lines)
    lines += [f"and {more} more"] if more > 0 else []
    first = next((error for _, error in errors if error is not None), None)
    return ErrorInfo(
        "ItemsFailed",
        f"{len(items.failed)} of {len(items.order)} items failed. "
        f"Those that are done are kept; to try the others again: "
        f"%stepwell rerun {step.name} --failed\n" + "\n".join(lines),
        first.traceback if first is not None else "",
        first.line if first is not None else 0,
    )


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
