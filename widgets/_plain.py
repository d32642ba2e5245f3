"""The card of a step as text for a log."""

from collections.abc import Iterator

from stepwell.orchestrator import Phase, StepView
from stepwell.widgets._items import failures, items_said
from stepwell.widgets._said import (
    NAMES,
    about,
    error_kind,
    error_line,
    origin,
    stale_label,
    standing,
    times,
    way_out,
)
from stepwell.widgets._state import FAILED, look
from stepwell.widgets._streams import stream_words
from stepwell.widgets._text import line

__all__ = ["plain_card", "trouble"]

_LINES = 5


def plain_card(view: StepView, now: int) -> str:
    """The card in one to five lines."""
    state = look(view)
    head = [f"{state.sign} {line(view.name, 80)}: {state.word}", *times(view, now), _flow(view)]
    lines = [" · ".join(part for part in head if part)]
    lines += [
        f"  {row}"
        for row in (
            *_items(view, now),
            *standing(view, now),
            *trouble(view),
            *stream_words(view),
            *_outputs(view),
        )
    ]
    return "\n".join(lines[:_LINES])


def _items(view: StepView, now: int) -> Iterator[str]:
    if said := items_said(view, now):
        yield said
    for key, why in failures(view):
        yield f"{FAILED.sign} {line(key, 60)}: {why}"


def trouble(view: StepView) -> Iterator[str]:
    """What people must know about the step, a line for each; nothing when all is well."""
    if view.approval is not None and view.approval.status == "pending":
        yield f"asks: {line(view.approval.question, 300)}"
    if view.phase is Phase.FAILED and view.error is not None:
        yield _error(view)
    if view.blocked_by:
        yield f"blocked by {_few(view.blocked_by)}: {way_out(view)}"
    elif view.phase is Phase.WAITING and view.waiting_for:
        yield f"waits for {_few(view.waiting_for)}"
    if view.stale:
        first, *others = view.stale
        more = f" (+{len(others):,} more)" if others else ""
        yield f"{stale_label(view)}: {line(first)}{more}"
    if view.note:
        yield f"note: {line(view.note)}"


def _error(view: StepView) -> str:
    error = view.error
    if error is None:
        return ""
    number, source = error_line(view)
    where = f" (line {number}: {line(source, 80)})" if source else ""
    where = where or (f" (line {number})" if number else "")
    # What is not the code's fault has a way out at its end, which must be seen.
    message = (
        f": {line(error.message, 200 if error.is_user_code else 600)}" if error.message else ""
    )
    return f"{error_kind(view)}{message}{where}"


def _outputs(view: StepView) -> Iterator[str]:
    if view.phase is not Phase.COMPLETED:
        return
    for name, output in list(view.outputs.items())[:3]:
        preview = line(output.preview, 90) or f"({about(output)})"
        yield f"{line(name, 40)} = {preview}"


def _flow(view: StepView) -> str:
    reads = [_read(name, origin(name, step)) for name, step in view.reads]
    said = [f"reads {_few(reads)}"] if reads else []
    return " ".join([*said, f"→ {_few(view.writes)}"] if view.writes else said)


def _read(name: str, step: str) -> str:
    return f"{name} ({step})" if step else name


def _few(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - NAMES:,} more" if len(names) > NAMES else ""
    return ", ".join(line(name, 80) for name in names[:NAMES]) + more
