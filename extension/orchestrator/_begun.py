"""What has begun lately under limits, from the store: a restart does not make it undone."""

from collections.abc import Iterator

from stepwell.orchestrator._call_events import CallCompleted, CallFailed, CallTried
from stepwell.orchestrator._events import AttemptsStarted, AttemptStarted
from stepwell.orchestrator._fold import decode
from stepwell.store import Store

__all__ = ["begun_since"]

_KINDS = ("attempt_started", "attempts_started", "call_completed", "call_failed", "call_tried")


def begun_since(store: Store, since: int) -> Iterator[tuple[str, int]]:
    """Limit and time (microseconds UTC) of all that counts under one and has begun since then.

    A call is written down when it ends: that is its time, and one that was cut off has none.
    """
    query = "SELECT min(seq) FROM records WHERE time >= make_timestamp($1)"
    ((first,),) = store.sql(query, [since]).fetchall()
    if first is None:
        return
    for row in store.rows(after=first - 1, kinds=_KINDS):
        match decode(row):
            case AttemptStarted(limit=limit) if limit:
                yield limit, row.at
            case AttemptsStarted(starts=starts):
                yield from ((it.event.limit, it.at) for it in starts if it.event.limit)
            case CallCompleted(limit=limit) | CallFailed(limit=limit) | CallTried(limit=limit):
                if limit:
                    yield limit, row.at
            case _:
                pass
