"""The writer: one thread that commits whatever has been queued, in one go.

`submit` may be called by any thread and never waits for the disk. The thread takes all
that is there, commits, and then answers, in the order of submission. It never lingers:
while a commit is under way the next batch gathers by itself.
"""

import atexit
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import NamedTuple
from weakref import WeakSet

from stepwell.errors import StoreClosed, StoreError
from stepwell.store._journal import Job, Journal
from stepwell.store._packing import Packed
from stepwell.store._port import Committed, Digest, Then
from stepwell.store._tables import Tables

__all__ = ["Submission", "Writer"]

BATCH_ROWS = 2_000
BATCH_BYTES = 4 << 20
IDLE_SECONDS = 3.0
FOLD_SECONDS = 0.05


class Submission(NamedTuple):
    """Rows that are to be kept together, and whom to tell."""

    rows: Sequence[Packed]
    weight: int
    then: Then | None
    carried: Sequence[tuple[int, Digest]] = ()
    """Index in `rows` and digest of those that describe a blob."""
    job: Job | None = None
    """Something else to be done on the writer's thread, between batches."""
    tables: Tables | None = None
    """The transaction that the rows belong into; they make a batch of their own."""

    @property
    def is_alone(self) -> bool:
        """Whether it cannot share a commit with others."""
        return self.job is not None or self.tables is not None


class Writer:
    """Owns the journal from its start to its end."""

    def __init__(
        self,
        journal: Journal,
        learn: Callable[[Digest, int], None],
        at_end: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._learn = learn
        self._at_end = at_end
        self._queue: SimpleQueue[Submission | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._is_open = True
        # Not a daemon: one that is still inside DuckDB when the interpreter goes away
        # aborts the process. `_stop_all` ends it before the interpreter would wait for it.
        self._thread = threading.Thread(target=self._run, name="stepwell-store", daemon=False)
        self._thread.start()
        _writers.add(self)

    @property
    def is_current_thread(self) -> bool:
        """Whether the caller is the writer itself, which must not wait for itself."""
        return threading.get_ident() == self._thread.ident

    def submit(self, submission: Submission) -> None:
        """Queue it. Raises `StoreClosed` once the writer has been told to stop."""
        with self._gate:
            if not self._is_open:
                raise StoreClosed("the store has been closed; open it again to go on")
            self._queue.put(submission)

    def stop(self) -> None:
        """Commit and answer what is queued, close the journal, and end."""
        with self._gate:
            if self._is_open:
                self._is_open = False
                self._queue.put(None)
        if not self.is_current_thread:
            self._thread.join()

    def abandon(self) -> None:
        """In a forked child: there is no such thread here to be stopped."""
        _writers.discard(self)

    def _run(self) -> None:
        try:
            self._work()
            self._journal.close()
        finally:
            self._refuse_rest()
            self._at_end()

    def _work(self) -> None:
        goes_on = True
        while goes_on:
            is_waiting = self._journal.is_waiting
            try:
                head = self._queue.get(timeout=FOLD_SECONDS if is_waiting else IDLE_SECONDS)
            except Empty:
                self._rest(is_waiting)
                continue
            batch, goes_on = self._take(head)
            self._keep(batch)
            if self._journal.is_fold_due:
                self._fold()
            if self._journal.is_checkpoint_due:
                self._journal.checkpoint()

    def _rest(self, is_waiting: bool) -> None:
        """Nobody has come for a while."""
        if is_waiting and self._fold():
            return
        self._journal.rest()

    def _fold(self) -> bool:
        # What cannot be moved now is durable where it is, and is moved with the next.
        try:
            self._journal.fold()
        except StoreError:
            return False
        return True

    def _refuse_rest(self) -> None:
        """Should the thread ever end by a mistake of ours, nobody waits for it in vain."""
        with self._gate:
            self._is_open = False
        error = StoreClosed("the store's writer has ended; open the store again to go on")
        while not self._queue.empty():
            submission = self._queue.get()
            if submission is not None:
                _tell(submission.then, error)

    def _take(self, head: Submission | None) -> tuple[list[Submission], bool]:
        """Everything that is queued, up to a size; and whether there may be more."""
        batch: list[Submission] = []
        rows = weight = 0
        while head is not None:
            batch.append(head)
            rows += len(head.rows)
            weight += head.weight
            if rows >= BATCH_ROWS or weight >= BATCH_BYTES or head.is_alone:
                return batch, True
            try:
                head = self._queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _keep(self, batch: Sequence[Submission]) -> None:
        together = [submission for submission in batch if not submission.is_alone]
        if together:
            self._keep_rows(together)
        for submission in batch[len(together) :]:
            if submission.job is not None:
                self._do(submission)
            else:
                self._keep_rows([submission])

    def _keep_rows(self, batch: Sequence[Submission]) -> None:
        seq, tables = self._journal.last_seq, batch[0].tables
        rows = [row for submission in batch for row in submission.rows]
        try:
            if tables is not None:
                self._journal.commit_with(tables, rows)
            else:
                self._journal.commit(rows, sum(submission.weight for submission in batch))
        except Exception as error:
            for submission in batch:
                _tell(submission.then, _as_store_error(error))
            return
        for submission in batch:
            for index, digest in submission.carried:
                self._learn(digest, seq + index + 1)
            seq += len(submission.rows)
            _tell(submission.then, Committed(seq))

    def _do(self, submission: Submission) -> None:
        assert submission.job is not None
        try:
            submission.job(self._journal)
        except Exception as error:
            _tell(submission.then, _as_store_error(error))
            return
        _tell(submission.then, Committed(self._journal.last_seq))


def _as_store_error(error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return error
    wrapped = StoreError(f"these records could not be kept: {error!r}")
    wrapped.__cause__ = error
    return wrapped


def _tell(then: Then | None, answer: Committed | StoreError) -> None:
    if then is None:
        return
    try:
        then(answer)
    except Exception as error:
        threading.excepthook(
            threading.ExceptHookArgs(
                (type(error), error, error.__traceback__, threading.current_thread())
            )
        )


_writers: "WeakSet[Writer]" = WeakSet()


def _stop_all() -> None:
    for writer in list(_writers):
        writer.stop()


def _stop_at_exit() -> None:
    # The interpreter joins its threads before it runs atexit functions, and would wait
    # forever for a writer that waits for work; only this hook comes early enough.
    register = getattr(threading, "_register_atexit", None)
    (register or atexit.register)(_stop_all)


_stop_at_exit()
