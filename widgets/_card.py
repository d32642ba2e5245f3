"""The card of a step: how it stands, in one line when all is well."""

import re
from collections.abc import Iterator

from stepwell.orchestrator import ApprovalView, Output, Phase, StepView, place_name
from stepwell.widgets._format import plural
from stepwell.widgets._html import PRE, Markup, code, details, element, join, muted, pre, text
from stepwell.widgets._items import item_lines
from stepwell.widgets._plain import plain_card
from stepwell.widgets._progress import progress_bar
from stepwell.widgets._said import (
    NAMES,
    about,
    error_kind,
    error_line,
    facts,
    origin,
    standing,
    times,
    way_out,
)
from stepwell.widgets._state import DONE, FAILED, STALE, Look, chip, look
from stepwell.widgets._streams import stream_blocks
from stepwell.widgets._text import block, line
from stepwell.widgets._view import Bundle

__all__ = ["STEP_MIME", "card", "diff"]

STEP_MIME = "application/vnd.stepwell.step+json"

ITEMS_FAILED = "ItemsFailed"
"""The error of a step some of whose items failed: one of them to a line."""

_ROW = "margin:2px 0 0 0"
_UNSAFE = re.compile(r"[^\w-]", re.ASCII)


def card(view: StepView, *, now: int) -> Bundle:
    """The step as HTML, as text of one to five lines, and as a small JSON for programs.

    `now` is in microseconds since 1970; a running step's time is counted up to it.
    """
    return {
        "text/html": _html(view, now),
        "text/plain": plain_card(view, now),
        STEP_MIME: facts(view),
    }


def _html(view: StepView, now: int) -> str:
    state = look(view)
    head = _headline(view, state, now)
    more = join(_on_request(view))
    if more:
        # Without the triangle the state stands in the same place whether or not there is more.
        hint = muted(" ⋯", style="font-weight:600")
        summary = element("summary", head, hint, style="display:block;cursor:pointer")
        head = element("details", summary, more, style="margin:0")
    style = (
        f"border-left:3px solid {state.tint(0.85)};padding:1px 0 1px 9px;margin:2px 0;"
        "line-height:1.6;text-align:left;overflow-wrap:break-word"
    )
    return element("div", head, *_in_sight(view, now), style=style)


def _headline(view: StepView, state: Look, now: int) -> Markup:
    reads, writes = _reads(view), _writes(view)
    name = join([chip(state), Markup("&nbsp; "), element("b", text(view.name, 80))])
    # Whoever reads nothing has its arrow at its name.
    flow = [name, join([reads, writes], " ")] if reads else [join([name, writes], " ")]
    said = times(view, now)
    return element("span", join([*flow, muted(" · ".join(said)) if said else ""], " · "))


def _reads(view: StepView) -> Markup:
    reads = [_read(name, origin(name, step)) for name, step in view.reads[:NAMES]]
    return join(["reads ", join(reads, ", "), _and_more(len(view.reads))]) if reads else Markup()


def _writes(view: StepView) -> Markup:
    writes = [code(name, 40) for name in view.writes[:NAMES]]
    return join(["→ ", join(writes, ", "), _and_more(len(view.writes))]) if writes else Markup()


def _read(name: str, step: str) -> Markup:
    return join([code(name, 40), muted(" from ", text(step, 40)) if step else ""])


def _and_more(count: int) -> str:
    return f" and {count - NAMES:,} more" if count > NAMES else ""


def _in_sight(view: StepView, now: int) -> Iterator[Markup]:
    """What must be seen without asking: questions, why it does not go on, trouble and its
    way out.
    """
    if view.approval is not None and view.approval.status == "pending":
        yield _question(view.approval)
        if view.questions > 1:
            more = plural(view.questions - 1, "more question")
            yield element("div", muted(f"and {more}: ", code("%stepwell inbox")), style=_ROW)
    elif view.phase is Phase.RUNNING and (bar := progress_bar(view)):
        yield element("div", bar, style=_ROW)
    for said in standing(view, now):
        yield element("div", muted(text(said, 400)), style=_ROW)
    if view.phase is Phase.FAILED and view.error is not None:
        yield from _error(view)
    if view.blocked_by:
        names = [element("b", text(name, 60)) for name in view.blocked_by[:NAMES]]
        blocked = join(["blocked by ", join(names, ", "), _and_more(len(view.blocked_by))])
        yield element("div", blocked, muted(" · "), text(way_out(view)), style=_ROW)
    elif view.phase is Phase.WAITING and view.waiting_for:
        names = [text(name, 60) for name in view.waiting_for[:NAMES]]
        waiting = join(["waits for ", join(names, ", "), _and_more(len(view.waiting_for))])
        yield element("div", muted(waiting), style=_ROW)
    yield from item_lines(view, now)
    yield from stream_blocks(view)
    yield from _reasons(view)
    if view.note:
        yield element("div", element("b", "note: "), text(view.note, 600), style=_ROW)


def _question(asked: ApprovalView) -> Markup:
    """The question as it can be read; `static/approval.js` draws a form over it."""
    question = element("b", text(asked.question or f"Go on with {asked.step}?", 2000))
    parts = [element("div", question, style=_ROW)]
    if asked.payload is not None and asked.payload.preview:
        parts.append(pre(asked.payload.preview, lines=20, columns=200))
    parts.append(element("div", muted(*_ways(asked)), style=_ROW))
    place = {"class": f"stepwell-question-{_UNSAFE.sub('_', asked.id)}"}
    return element("div", *parts, **place)


def _ways(asked: ApprovalView) -> list[str | Markup]:
    """What to type."""
    place = place_name(asked.step, asked.item)
    is_plain = place and " " not in place and len(place) <= 60
    name = line(place, 60) if is_plain else asked.id
    approve, reject = code(f"%stepwell approve {name}"), code(f"%stepwell reject {name}")
    if asked.form != "in_doubt":
        return [approve, " or ", reject]
    happened = code(
        f"%stepwell respond {name} RESULT" if asked.edit else f"%stepwell respond {name}"
    )
    return ["it happened: ", happened, " · run it again: ", approve, " · it failed: ", reject]


def _reasons(view: StepView) -> Iterator[Markup]:
    """Why the stored result is not taken, or was not."""
    is_stale = look(view) is STALE
    sign = element("b", "↳ " if is_stale else "runs again: ", style=f"color:{STALE.solid}")
    for reason in view.stale[:5]:
        yield element("div", sign, text(reason), style=_ROW)
    if len(view.stale) > 5:
        yield element("div", muted(f"and {len(view.stale) - 5:,} more reasons"), style=_ROW)
    if view.stale and view.diff and view.phase is not Phase.RUNNING:
        yield details("what changed in the code", diff(view.diff))
    if view.stale and is_stale:
        way_out = ["run its cell, or ", code(f"%stepwell run {view.name}")]
        yield element("div", muted(*way_out), style=_ROW)


def _error(view: StepView) -> Iterator[Markup]:
    error = view.error
    if error is None:
        return
    kind = element("b", text(error_kind(view), 120), style=f"color:{FAILED.solid}")
    first, *rest = error.message.split("\n") if error.type == ITEMS_FAILED else [error.message]
    yield element("div", kind, ": " if first else "", text(first, 600), style=_ROW)
    for row in rest:
        yield element("div", text(row, 300), style=_ROW)
    number, failed = error_line(view)
    if number:
        at = muted(f"line {number} of the cell: " if failed else f"in line {number} of the cell")
        yield element("div", at, code(failed, 200) if failed else "", style=_ROW)
    if error.traceback and error.is_user_code:
        source = pre(view.source, lines=80) if view.source else ""
        yield details("traceback and code" if source else "traceback", pre(error.traceback), source)


def _on_request(view: StepView) -> Iterator[Markup]:
    """What is folded away. Nothing while the step runs: each tick would fold it up again.

    An error brings its own.
    """
    if view.phase in (Phase.RUNNING, Phase.WAITING, Phase.FAILED):
        return
    if view.phase is Phase.COMPLETED:
        for name, output in list(view.outputs.items())[:20]:
            yield _output(name, output)
        if len(view.outputs) > 20:
            yield muted(f"and {len(view.outputs) - 20:,} more outputs")
    if view.source:
        yield details("code", pre(view.source, lines=80))


def _output(name: str, output: Output) -> Markup:
    kind = about(output)
    head = join([code(name), muted(" ", text(kind)) if kind else ""])
    return _titled(head, pre(output.preview, lines=16, columns=200) if output.preview else "")


def _titled(title: str, content: str) -> Markup:
    return element("div", element("div", title, style=_ROW), content)


def diff(said: str) -> Markup:
    """A unified diff, its lines tinted."""
    rows = block(said, lines=80, columns=240).split("\n")
    return element("pre", join([_diff_row(row) for row in rows], "\n"), style=PRE)


def _diff_row(row: str) -> Markup:
    if row.startswith("+"):
        return element("span", row, style=f"background-color:{DONE.tint(0.22)}")
    if row.startswith("-"):
        return element("span", row, style=f"background-color:{FAILED.tint(0.2)}")
    return muted(row) if row.startswith("@@") else element("span", row)
