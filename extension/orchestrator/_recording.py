"""What is written down without the state of a run at hand."""

from collections.abc import Sequence

from stepwell.errors import UnknownRun, near_misses
from stepwell.orchestrator._body import encoded
from stepwell.orchestrator._call_events import MessageSent
from stepwell.orchestrator._port import Happened
from stepwell.orchestrator._reports import as_records
from stepwell.store import Blob, Record, Store

__all__ = ["message"]


def message(
    store: Store, run: str, event: MessageSent, at: int, blobs: Sequence[Blob]
) -> list[Record]:
    """A message for a run that nobody advances: it finds it when it goes on.

    Raises `UnknownRun`.
    """
    known = [row.run for row in store.rows(kinds=["run_started"])]
    if run not in known:
        raise UnknownRun(run, str(store.path or "memory"), near_misses(run, known))
    event, body = encoded(event)
    return as_records(Happened(run, "", 0, at, event), body, blobs)
