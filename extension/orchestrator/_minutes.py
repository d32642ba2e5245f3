"""What has happened, on its way to becoming records.

Each event is a record of its own, but for attempts that begin one after the other: these
are written as one. A start says little, there is one to every attempt, and what a record
costs besides its bytes is more than that.
"""

from collections.abc import Sequence

from stepwell.orchestrator._body import encoded
from stepwell.orchestrator._events import AttemptsStarted, AttemptStarted, Start
from stepwell.orchestrator._port import Happened
from stepwell.orchestrator._reports import as_records
from stepwell.store import Blob, Record

__all__ = ["Minutes"]

MOST_STARTS = 1_000
"""On one record: whoever reads it reads all of it."""


class Minutes:
    """Kept in the order in which things have happened; taken to be written."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        # Attempts of one run that have begun, with nothing else in between.
        self._starts: list[Start] = []
        self._first: Happened | None = None

    def add(self, happened: Happened, body: bytes, blobs: Sequence[Blob] = ()) -> None:
        """This has happened; `body` is the event."""
        self._close_starts()
        self._records += as_records(happened, body, blobs)

    def add_start(self, happened: Happened, event: AttemptStarted) -> None:
        """An attempt has begun."""
        first = self._first
        if first is None or first.run != happened.run or len(self._starts) >= MOST_STARTS:
            self._close_starts()
            self._first = happened
        self._starts.append(
            Start(happened.step, happened.item, happened.attempt, happened.at, event)
        )

    def extend(self, records: Sequence[Record]) -> None:
        """These are to be written as well."""
        self._close_starts()
        self._records += records

    def take(self) -> list[Record]:
        """What is to be written, which is then the caller's affair."""
        self._close_starts()
        taken, self._records = self._records, []
        return taken

    def _close_starts(self) -> None:
        first, starts = self._first, self._starts
        if first is None:
            return
        self._first, self._starts = None, []
        if len(starts) == 1:
            self._records += as_records(first, encoded(starts[0].event)[1], ())
            return
        _, body = encoded(AttemptsStarted(tuple(starts)))
        together = Happened(first.run, "", 0, first.at, AttemptsStarted(()))
        self._records += as_records(together, body, ())
