"""A run as the front end is told of it: plain JSON, made from the views, in the views' words.

What is at its default is left out; `static/link.js` puts it back. Names are sent as they
are, since they are sent back when something is done with them: the front end shows all text
as text, and what is hidden in it by number.
"""

from typing import Any

from stepwell.orchestrator import ApprovalView, ItemsView, Output, ProgressView, RunView, StepView
from stepwell.widgets._said import error_kind, error_line, facts, way_out
from stepwell.widgets._state import look
from stepwell.widgets._streams import stream_facts
from stepwell.widgets._text import line

__all__ = ["Message", "approval_facts", "output_facts", "run_facts", "step_facts"]

Message = dict[str, Any]
"""What is said to a front end, or by it."""

_LISTED = 200


def run_facts(view: RunView) -> Message:
    """All there is to say of a run besides its steps."""
    return _filled(
        id=view.run,
        flow=line(view.flow),
        status=view.status,
        is_paused=view.is_paused or None,
        started=view.started,
        notebook=line(view.notebook, 200),
        store=line(view.store, 200),
        spent=view.seconds_spent,
        saved=view.seconds_saved,
        cost=view.cost,
        tokens=view.tokens,
        approvals=[approval_facts(approval) for approval in view.approvals],
    )


def step_facts(view: StepView) -> Message:
    """A step, without what only its details show."""
    writers = dict.fromkeys(writer for _, writer in view.reads if writer)
    return _filled(
        name=view.name,
        state=look(view).word,
        since=view.since,
        attempt=view.attempt,
        seconds=view.seconds,
        after=list(writers),
        writes=list(view.writes[:_LISTED]),
        error=_error(view),
        waiting=list(view.waiting_for[:_LISTED]),
        blocked=list(view.blocked_by[:_LISTED]),
        way_out=way_out(view) if view.blocked_by else "",
        stale=[line(reason, 300) for reason in view.stale[:20]],
        note=line(view.note, 600),
        items=_items(view.items),
        progress=_progress(view.progress),
        streams=[stream_facts(stream) for stream in view.streams],
        more_streams=view.more_streams,
        approval=approval_facts(view.approval) if view.approval else None,
        children=[
            {"run": child.run, "agent": child.agent, "status": child.status}
            for child in view.children[:_LISTED]
        ],
        retry_at=view.retry_at,
        retry=view.retry,
        retries=view.retries,
        held=line(view.held, 300),
        skipped=line(view.skipped, 300),
        cost=view.cost,
        tokens=view.tokens,
    )


def approval_facts(view: ApprovalView) -> Message:
    """A question, without the value it is about."""
    return _filled(
        id=view.id,
        step=view.step,
        item=line(view.item, 80),
        question=view.question[:4000],
        form=view.form,
        edit=list(view.edit),
        tool=view.tool,
        requested=view.requested,
        due=view.due,
        on_timeout=view.on_timeout if view.due else "",
        status=view.status,
        decided=view.decided,
        by=view.decided_by,
        channel=view.channel,
        note=view.note[:4000],
    )


def output_facts(name: str, output: Output) -> Message:
    """An output by name, type and size, with what is known of it without reading it."""
    return _filled(
        name=name,
        type=line(output.type, 80),
        size=output.size,
        preview=output.preview,
        digest=output.digest,
        is_stored=output.stored,
    )


def _error(view: StepView) -> Message | None:
    said: Any = facts(view)["error"]
    if said is None:
        return None
    number, source = error_line(view)
    return {"kind": error_kind(view), "message": said["message"], "line": number, "source": source}


def _items(view: ItemsView | None) -> Message | None:
    if view is None:
        return None
    return _filled(
        total=view.total,
        done=view.done,
        failed=view.failed,
        running=view.running,
        reused=view.reused,
        since=view.since,
    )


def _progress(view: ProgressView | None) -> Message | None:
    if view is None:
        return None
    return {"done": view.done, "total": view.total, "text": line(view.text)}


def _filled(**facts: Any) -> Message:
    return {key: value for key, value in facts.items() if value not in (None, "", 0, [], ())}
