"""What is said of a step, whatever the form: times, the line that failed, the way out."""

import re
from collections import Counter
from collections.abc import Iterator

from stepwell.orchestrator import Output, Phase, ProgressView, StepView
from stepwell.widgets._format import clock_time, duration, elapsed, size
from stepwell.widgets._progress import progress_words
from stepwell.widgets._text import block, line

__all__ = [
    "NAMES",
    "about",
    "error_kind",
    "error_line",
    "facts",
    "origin",
    "stale_label",
    "standing",
    "times",
    "way_out",
]

NAMES = 6
"""So many names are listed, the others counted."""

_LISTED = 100


def facts(view: StepView) -> dict[str, object]:
    """The step for programs: plain JSON, small, the phase by its own word."""
    error = view.error
    return {
        "step": line(view.name),
        "run": line(view.run),
        "phase": view.phase.value,
        "attempt": view.attempt,
        "seconds": view.seconds,
        "since": view.since,
        "restored": view.restored,
        "error": None
        if error is None or view.phase is not Phase.FAILED
        else {
            "type": line(error.type),
            "message": block(error.message, lines=20),
            "line": error.line,
        },
        **_counts(view),
        **_children(view),
        "waiting_for": [line(name) for name in view.waiting_for[:_LISTED]],
        "blocked_by": [line(name) for name in view.blocked_by[:_LISTED]],
        "stale": [line(reason, 300) for reason in view.stale[:20]],
        **_question(view),
    }


def _question(view: StepView) -> dict[str, object]:
    approval = view.approval
    if approval is None or approval.status != "pending":
        return {}
    return {"needs_person": line(approval.question, 300)}


def _children(view: StepView) -> dict[str, object]:
    if not view.children:
        return {}
    listed = view.children[:_LISTED]
    return {"children": [{"run": it.run, "agent": it.agent, "status": it.status} for it in listed]}


def _counts(view: StepView) -> dict[str, object]:
    items = view.items
    if items is None:
        return {}
    counts = {"total": items.total, "done": items.done, "failed": items.failed}
    return {"items": {**counts, "running": items.running, "reused": items.reused}}


def times(view: StepView, now: int) -> list[str]:
    """Duration, moment and attempt, as far as they mean something in this phase.

    The first attempt is not worth a word.
    """
    said = [_duration(view, now), _moment(view, now)]
    if view.phase in (Phase.RUNNING, Phase.WAITING):
        said += progress_words(view, now)
    if view.attempt > 1 and view.phase not in (Phase.WAITING, Phase.DEFERRED):
        said.append(f"attempt {view.attempt}")
    return [part for part in said if part]


def _duration(view: StepView, now: int) -> str:
    match view.phase:
        case Phase.RUNNING:
            return elapsed((now - view.since) / 1e6) if view.since else ""
        case Phase.COMPLETED if view.restored:
            return f"saved {duration(view.seconds)}"
        case Phase.COMPLETED | Phase.FAILED:
            return duration(view.seconds) if view.seconds else ""
        case Phase.WAITING | Phase.DEFERRED | Phase.CANCELLED | Phase.SKIPPED | Phase.UNDONE:
            return ""


def _moment(view: StepView, now: int) -> str:
    moment = clock_time(view.since, now)
    if not moment or view.phase is Phase.DEFERRED:
        return ""
    match view.phase:
        case Phase.RUNNING | Phase.WAITING:
            return f"since {moment}"
        case Phase.COMPLETED if view.restored:
            return f"stored {moment}"
        case _:
            return moment


def standing(view: StepView, now: int) -> list[str]:
    """Why it does not go on, how far it is, or why it was skipped: a line for each."""
    lines: list[str] = []
    if view.retry_at:
        seconds = max(0.0, (view.retry_at - now) / 1e6)
        when = f"in {elapsed(seconds)}" if seconds >= 1 else "now"
        lines.append(f"retry {view.retry} of {view.retries} {when}{_after(view)}")
    if view.held:
        lines.append(line(view.held, 200))
    if view.skipped:
        lines.append(f"because {line(view.skipped, 200)}")
    if view.progress is not None and view.phase is Phase.RUNNING:
        lines.append(_progress(view.progress))
    if view.phase is Phase.RUNNING:
        lines += _called(view)
    return lines


def _called(view: StepView) -> Iterator[str]:
    """The runs it waits for: of each agent how many, how they stand, and the newest one's id."""
    agents = dict.fromkeys(child.agent for child in view.children)
    for agent in list(agents)[:NAMES]:
        mine = [child for child in view.children if child.agent == agent]
        counts = Counter(child.status for child in mine)
        said = ", ".join(f"{count:,} {status}" for status, count in counts.items())
        newest = next((it for it in reversed(mine) if it.status == "running"), mine[-1])
        what = f"{line(agent, 60)}({line(newest.parameters, 80)})"
        yield f"calls {what}: {said} · run {newest.run}"


def _after(view: StepView) -> str:
    error = view.error
    if error is None:
        return ""
    return f" after {error_kind(view)}" + (f": {line(error.message, 120)}" if error.message else "")


def _progress(it: ProgressView) -> str:
    share = f"{it.done:,g} of {it.total:,g}" if it.total else f"{it.done:,g}" if it.done else ""
    percent = f"{it.done / it.total:.0%}" if it.total else ""
    return " · ".join(part for part in (share, percent, line(it.text, 120)) if part)


def error_kind(view: StepView) -> str:
    """What went wrong, in a word or two; in plain words where the step's code is not to blame."""
    error = view.error
    if error is None or error.is_user_code:
        return line(error.type, 80) if error else ""
    if error.type == "ValueNotStorable":
        return "its code ran to its end, but the result cannot be stored"
    return f"not for its code: {line(error.type, 80)}"


def origin(name: str, step: str) -> str:
    """The step a name comes from, where that is not said by the name itself."""
    return "" if step == name else step


def error_line(view: StepView) -> tuple[str, str]:
    """The number of the cell's line that failed and its code, as far as they are known."""
    error = view.error
    if error is None or not error.line:
        return "", ""
    # The traceback was written when the code was that of the attempt; the cell may be newer.
    found = re.search(
        rf'^  File "<step [^\n]*>", line {error.line}\b[^\n]*\n    (\S[^\n]*)',
        error.traceback[:100_000],
        re.MULTILINE,
    )
    return str(error.line), found[1] if found else ""


def way_out(view: StepView) -> str:
    """What a person can do about the steps that block this one."""
    names = [line(name, 60) for name in view.blocked_by]
    if len(names) == 1:
        return f"fix {names[0]}'s cell and run it"
    return f"fix the cells of {_listed(names)} and run them"


def _listed(names: list[str]) -> str:
    if len(names) > NAMES:
        return f"{', '.join(names[:NAMES])} and {len(names) - NAMES:,} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def about(output: Output) -> str:
    """Type and size of an output."""
    facts = [line(output.type, 60), size(output.size) if output.stored and output.size else ""]
    facts.append("" if output.stored else "not stored, made again on resume")
    return ", ".join(fact for fact in facts if fact)


def stale_label(view: StepView) -> str:
    """What introduces the reasons: a result that does not match, or one that is being renewed."""
    return "runs again" if view.phase in (Phase.RUNNING, Phase.WAITING) else "stale"
