"""Results that are kept in one transaction with what their step has written to the user's tables.

Such a result may be refused: the user's part may conflict with another's. So it is applied
only when it is on disk, while other events are applied first and written then. Until that is
known, its attempt is *sealed*: it is neither given up nor interrupted, so whatever happens
in between means the same before it and after it.
"""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from stepwell.errors import StoreError, TransactionRefused
from stepwell.orchestrator._base import ErrorInfo
from stepwell.orchestrator._body import encoded
from stepwell.orchestrator._deadlines import Failure
from stepwell.orchestrator._events import Event
from stepwell.orchestrator._port import Failed, Finished, Happened, Report
from stepwell.orchestrator._reports import as_records
from stepwell.orchestrator._state import State
from stepwell.store import Blob, Committed, Record, Store

__all__ = ["Sealed", "Seals", "refused", "undo_tables"]


class Sealed(msgspec.Struct, frozen=True, gc=False):
    """What came of committing a result together with tables."""

    report: Finished
    happened: Happened
    answer: Committed | StoreError


class Seals:
    """Commits results together with tables. On the orchestrator's thread."""

    def __init__(
        self,
        store: Store,
        tell: Callable[[Sealed], None],
        after: Callable[[Callable[[], None]], None],
        now: Callable[[], int],
    ) -> None:
        self._store = store
        self._tell = tell
        self._after = after
        self._now = now

    def commit(self, state: State, report: Finished, event: Event, blobs: Sequence[Blob]) -> None:
        """Seal the attempt, and commit when all before it is durable; `tell` hears of it once."""
        it = report.id
        state.sealed.add((it.step, it.item))
        event, body = encoded(event)
        at, objects = self._now(), report.objects
        happened = Happened(it.run, it.step, it.attempt, at, event, objects, it.item)
        records = as_records(happened, body, blobs)
        self._after(partial(self._commit, report, happened, records))

    def release(self, state: State, sealed: Sealed) -> None:
        """It is known what came of it."""
        state.sealed.discard((sealed.report.id.step, sealed.report.id.item))

    def _commit(self, report: Finished, happened: Happened, records: Sequence[Record]) -> None:
        assert report.tables is not None

        def then(answer: Committed | StoreError) -> None:
            self._tell(Sealed(report, happened, answer))

        try:
            self._store.append_with(report.tables, records, then)
        except Exception as error:
            trouble = StoreError(f"the store does not take the result: {error}")
            trouble.__cause__ = error
            then(trouble)


def refused(report: Finished, error: StoreError) -> Failed:
    """The attempt's end, when its result and its tables could not be kept."""
    kind, is_conflict = type(error).__name__, False
    if isinstance(error, TransactionRefused):
        kind, is_conflict = error.facts["kind"] or kind, bool(error.facts["is_conflict"])
    info = ErrorInfo(kind, str(error), is_user_code=isinstance(error, TransactionRefused))
    failure = Failure((kind, "Error", "Exception"), is_transient=is_conflict)
    return Failed(report.id, info, report.seconds, report.log, failure)


def undo_tables(report: Report) -> None:
    """Nobody wants the result: nothing that belongs to it is kept."""
    if isinstance(report, Finished) and report.tables is not None:
        report.tables.rollback()
