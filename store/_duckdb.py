"""The store in a DuckDB file.

Any thread may call anything. Appends go through the writer's queue; reads run on the
calling thread's own connection and see what is committed. `_end` runs once, on the
writer's thread, after the last commit. A lock is held only while a single field changes.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from stepwell.errors import InvalidUsage, StoreClosed, StoreCorrupt, StoreError, StoreLocked
from stepwell.store._asking import ask
from stepwell.store._checking import numbering_flaws, value_flaws
from stepwell.store._files import BlobFiles
from stepwell.store._fork import watch_forks
from stepwell.store._gate import Gate
from stepwell.store._instance import Instance
from stepwell.store._journal import Job, Journal
from stepwell.store._known import Known
from stepwell.store._lock import Lock
from stepwell.store._opening import network_notes, open_file, prepare_folder
from stepwell.store._packing import Packed, pack
from stepwell.store._payloads import INLINE_BYTES, Payloads
from stepwell.store._port import (
    Blob,
    Committed,
    Digest,
    Flaw,
    Record,
    Rewritten,
    Row,
    Shortcut,
    Store,
    Then,
)
from stepwell.store._reading import read_latest, read_rows
from stepwell.store._rewriting import clear_remains
from stepwell.store._salvage import wal_of
from stepwell.store._schema import check_key, prepare, refresh_views
from stepwell.store._shortcuts import Shortcuts
from stepwell.store._snapshot import write_snapshot
from stepwell.store._sql import statement
from stepwell.store._tables import Tables
from stepwell.store._tail import tail_of
from stepwell.store._writer import Submission, Writer

if TYPE_CHECKING:
    import duckdb

__all__ = ["open_store"]

Found = TypeVar("Found")

_NOBODY: Mapping[str, str] = MappingProxyType({})
_LOOK_AGAIN_SECONDS = 0.05


def open_store(
    path: Path | str,
    *,
    holder: Mapping[str, str] = _NOBODY,
    create: bool = True,
    patience: float = 0.0,
) -> Store:
    """Open the store at `path`, for this process alone, making it if there is none.

    `holder` says who has it, to whoever comes second: `notebook` and `kernel` are shown.
    `patience` is how many seconds another process is given to let go of it.
    A damaged write-ahead log is repaired as far as it goes; `notes` of the store then says
    what happened.

    Raises `StoreLocked`, `StoreReadOnly`, `StoreFull`, `StoreVersionMismatch`,
    `StoreCorrupt`, or plain `StoreError` for a file that is something else.
    """
    path = Path(path).expanduser().resolve()
    prepare_folder(path, create=create)
    until = time.monotonic() + patience
    while True:
        try:
            return _open(path, holder)
        except StoreLocked as error:
            # Nothing is to be gained by waiting for oneself.
            if time.monotonic() >= until or error.facts.get("pid") == os.getpid():
                raise
        time.sleep(_LOOK_AGAIN_SECONDS)


def _open(path: Path, holder: Mapping[str, str]) -> "_DuckStore":
    lock = Lock(path, holder)
    instance = None
    try:
        clear_remains(path)
        instance, notes = open_file(path)
        meta = prepare(instance, path)
        return _DuckStore(path, lock, instance, meta, (*network_notes(path), *notes))
    except BaseException:
        if instance is not None:
            instance.close()
        lock.release(remove=True)
        raise


class _DuckStore(Store):
    """See `Store`."""

    def __init__(
        self,
        path: Path,
        lock: Lock,
        instance: Instance,
        meta: dict[str, str],
        notes: tuple[str, ...],
    ) -> None:
        self._path = path
        self._lock = lock
        self._instance = instance
        self._meta = meta
        self._dead = ""
        self._has_data = False
        self._tables: WeakSet[Tables] = WeakSet()
        self._gate = Gate()
        self._files = BlobFiles(path.with_name(path.name + ".blobs"))
        self._payloads = Payloads(instance, self._files, Known())
        self._shortcuts = Shortcuts(path.with_name(path.name + ".shortcuts"), meta.get("store", ""))
        self._journal = Journal(instance, path, lambda: refresh_views(instance, meta))
        self._notes = (*notes, *self._journal.recover())
        self._writer = Writer(self._journal, self._payloads.learn, self._end)
        watch_forks(self)

    @property
    def path(self) -> Path:
        return self._path

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    @property
    def last_seq(self) -> int:
        return self._journal.last_seq

    @property
    def numbering(self) -> int:
        return self._journal.numbering

    def begin(self) -> Tables:
        self._check_alive()
        if not self._has_data:
            query = statement("create_data")
            job: Job = lambda journal: journal.execute(query, ())  # noqa: E731
            self._await(lambda then: self._writer.submit(Submission((), 0, then, job=job)))
            self._has_data = True
        with self._gate.passing():
            tables = Tables(self._instance)
            self._tables.add(tables)
        return tables

    def append(self, records: Sequence[Record], then: Then | None = None) -> None:
        self._append(records, then)

    def append_with(self, tables: Tables, records: Sequence[Record], then: Then) -> None:
        if not records:
            # After a failed commit the number of the last record tells what is on disk.
            raise InvalidUsage("a transaction on tables is kept together with at least one record")
        self._append(records, then, tables)

    def _append(
        self, records: Sequence[Record], then: Then | None, tables: Tables | None = None
    ) -> None:
        rows: list[Packed] = []
        carried: list[tuple[int, Digest]] = []
        weight = 0
        try:
            self._check_alive()
            for record in records:
                weight += len(record.body)
                blob = record.blob
                if blob is None:
                    rows.append(pack(record, None, None))
                    continue
                meta, data = self._payloads.describe(blob)
                if meta is not None:
                    carried.append((len(rows), blob.digest))
                    weight += meta.stored
                rows.append(pack(record, meta, data))
            self._writer.submit(Submission(rows, weight, then, carried, tables=tables))
        except StoreClosed as error:
            if then is None:
                raise
            then(error)

    def commit(self, records: Sequence[Record]) -> Committed:
        return self._await(lambda then: self.append(records, then))

    def _await(self, start: Callable[[Then], None]) -> Committed:
        if self._writer.is_current_thread:
            raise InvalidUsage("a `then` must not wait for the store; use append")
        answers: list[Committed | StoreError] = []
        answered = threading.Lock()
        answered.acquire()

        def then(answer: Committed | StoreError) -> None:
            answers.append(answer)
            answered.release()

        start(then)
        answered.acquire()
        answer = answers[0]
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def put(self, blob: Blob) -> Blob:
        self._check_alive()
        if blob.data is None or len(blob.data) <= INLINE_BYTES:
            return blob  # it goes with its record
        with self._gate.passing():
            return self._payloads.put(blob)

    def rows(
        self,
        run: str | None = None,
        *,
        after: int = 0,
        until: int | None = None,
        kinds: Iterable[str] | None = None,
    ) -> list[Row]:
        return self._read(lambda: read_rows(self._instance, run, after, until, kinds))

    def latest(self, run: str, kinds: Iterable[str]) -> list[Row]:
        return self._read(lambda: read_latest(self._instance, run, kinds))

    def keep_shortcut(self, last: Row, form: str, parts: Iterable[bytes]) -> None:
        self._check_alive()
        self._shortcuts.write(last, form, parts)

    def shortcut(self, run: str) -> Shortcut | None:
        self._check_alive()
        origin = self._shortcuts.origin(run)
        if origin is None:
            return None
        ends = self.rows(run, after=origin.seq - 1, until=origin.seq)
        return self._shortcuts.read(run, ends[0] if ends else None)

    def drop_shortcut(self, run: str) -> None:
        self._shortcuts.drop(run)

    def blob(self, digest: Digest) -> Blob:
        return self.blobs([digest])[digest]

    def blobs(self, digests: Iterable[Digest]) -> dict[Digest, Blob]:
        wanted = list(digests)
        return self._read(lambda: self._payloads.get(wanted))

    def has(self, digest: Digest) -> bool:
        return self._read(lambda: self._payloads.has(digest))

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> "duckdb.DuckDBPyRelation":
        self._check_alive()
        self._fold()
        return ask(self._instance, query, parameters)

    def meta(self, key: str) -> str | None:
        return self._meta.get(key)

    def set_meta(self, key: str, value: str) -> None:
        check_key(key)
        self._check_alive()
        if self._meta.get(key) == value:
            return

        def write(journal: Journal) -> None:
            journal.execute(statement("write_meta"), (key, value))
            self._meta[key] = value

        self._await(lambda then: self._writer.submit(Submission((), 0, then, job=write)))

    def snapshot(self, path: Path | str) -> Path:
        target = Path(path).expanduser().resolve()
        return self._read(lambda: write_snapshot(self._instance, self._files.folder, target))

    def rewrite(self, without: Collection[str] = ()) -> Rewritten:
        self._check_alive()
        self._refuse_tables()
        before, records = self._bytes(), self.last_seq

        def write(journal: Journal) -> None:
            journal.rewrite(without, self._renumbering)

        self._await(lambda then: self._writer.submit(Submission((), 0, then, job=write)))
        return Rewritten(records - self.last_seq, before, self._bytes())

    @contextmanager
    def _renumbering(self) -> Generator[None]:
        """While one file takes the place of the other, nobody else is inside."""
        with self._gate.closed():
            # Somebody may have begun meanwhile: what is not committed would be lost.
            self._refuse_tables()
            yield
            self._meta.pop("views", None)
            self._payloads.settle_anew()
            # They speak of records by their old numbers.
            self._shortcuts.drop()

    def _refuse_tables(self) -> None:
        if any(tables.is_open for tables in self._tables):
            raise StoreError(
                f"{self._path} was not rewritten: a transaction on its tables is open (a running "
                "step uses stepwell.current().db), and would be lost. Nothing was changed; wait "
                "for the step and try again",
                path=str(self._path),
            )

    def _bytes(self) -> int:
        files = [self._path, wal_of(self._path), tail_of(self._path), *self._files.all()]
        files += self._shortcuts.all()
        return sum(file.stat().st_size for file in files if file.exists())

    def check(self, is_intact: Callable[[Blob], bool] = lambda blob: True) -> list[Flaw]:
        return self._read(
            lambda: [
                *numbering_flaws(self._instance),
                *value_flaws(self._instance, self._files, is_intact),
            ]
        )

    def close(self) -> None:
        if not self._dead:
            self._writer.stop()

    def _end(self) -> None:
        # Last of all on the writer's thread, whether `close` was called or Python ends.
        self._dead = f"{self._path} has been closed; open it again to go on"
        try:
            self._instance.close()
        finally:
            self._lock.release()

    def abandon(self) -> None:
        """In a forked child: be closed without closing anything."""
        self._dead = (
            f"{self._path} belongs to the process that opened it; this is a forked child. Start "
            "workers with spawn or forkserver, and let the parent write"
        )
        self._writer.abandon()
        self._instance.abandon(*self._journal.possessions)
        self._lock.abandon()

    def _fold(self) -> None:
        """Have what is durable in the tail moved to where it can be read."""
        if not self._journal.is_waiting:
            return
        if self._writer.is_current_thread:
            self._journal.fold()
            return
        self._await(lambda then: self._writer.submit(Submission((), 0, then, job=Journal.fold)))

    def _check_alive(self) -> None:
        if self._dead:
            raise StoreClosed(self._dead, path=str(self._path))

    def _read(self, work: Callable[[], Found]) -> Found:
        """What `work` reads. Tried once more: a checkpoint may have failed under it."""
        import duckdb

        try:
            return self._pass(work)
        except duckdb.Error:
            self._check_alive()
            self._let_writer_mend()
        try:
            return self._pass(work)
        except duckdb.Error as error:
            self._check_alive()
            raise StoreCorrupt(
                f"{self._path} cannot be read: {error}. Keep a copy of the file, restart the "
                "kernel and open it again; if that does not help, bring it back from a backup",
                path=str(self._path),
            ) from error

    def _let_writer_mend(self) -> None:
        # When it comes to its next job it has attached the file anew, or could not.
        if not self._writer.is_current_thread:
            with suppress(StoreError):
                self._await(lambda then: self._writer.submit(Submission((), 0, then, job=_nothing)))

    def _pass(self, work: Callable[[], Found]) -> Found:
        self._check_alive()
        self._fold()
        with self._gate.passing():
            return work()


def _nothing(_: Journal) -> None:
    """What a reader waits for."""
