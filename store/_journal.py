"""The journal as its writer sees it: commit rows, know what is durable, survive the disk.

Few rows at a time go to the tail (`_tail`), many into the DuckDB file, after those that wait
in the tail: they are in the file in the order of their numbers, and `fold` brings all there.

Every method is called by one thread at a time: by the thread that opens the store until
the writer starts, then by the writer, then by the thread that closes it.
"""

import os
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.errors import StoreCorrupt, StoreError, StoreFull, StoreReadOnly, TransactionRefused
from stepwell.store._files import sync_folder
from stepwell.store._instance import Instance
from stepwell.store._packing import Packed
from stepwell.store._rewriting import clear_remains, write_anew
from stepwell.store._salvage import wal_of
from stepwell.store._tables import Tables
from stepwell.store._tail import Tail

if TYPE_CHECKING:
    import duckdb

__all__ = ["Journal"]

CHECKPOINT_BYTES = 48 << 20
# Opening replays about 60,000 small commits a second.
CHECKPOINT_COMMITS = 8_000
CHUNK_ROWS = 4_000
REOPEN_SECONDS = 10.0
# Up to so many rows at once are put into the tail, until so many wait in it. A commit of DuckDB's
# of 100 rows and more is not worth sparing: they would be written twice.
TAIL_ROWS = 100
TAIL_BYTES = 160 << 10
FOLD_ROWS = 1_000
FOLD_BYTES = 2 << 20

Row = tuple[int, str, str, str | None, bytes | None]


class Journal:
    """Commits rows to the attached file `s`."""

    def __init__(self, instance: Instance, path: Path, chore: Callable[[], bool]) -> None:
        """`chore` is what can wait until nothing else is to be written; it says if it wrote."""
        self._chore = chore
        self._instance = instance
        self._path = path
        self._wal = wal_of(path)
        self._wal_inode = 0
        self._file_inode = path.stat().st_ino
        # A log left by a crash was replayed; moving it into the file can wait.
        self._commits = int(self._wal.exists())
        self._checkpoint_at = CHECKPOINT_BYTES
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._appender: Any = None
        self.last_seq: int = instance.query("last_seq")[0][0]
        self.numbering = 0
        self._tail = Tail(path)
        # Durable in the tail, and to be moved into the file: the last of these is `last_seq`.
        self._waiting: list[Packed] = []
        self._waiting_bytes = 0

    @property
    def possessions(self) -> tuple[object, ...]:
        """What a forked child must not free."""
        return (self._cursor, self._appender)

    def recover(self) -> tuple[str, ...]:
        """Take up the tail that a killed process has left; what there is to tell a person."""
        frames, lost = self._tail.read()
        rows = {first + at: row for first, rows in frames for at, row in enumerate(rows)}
        missing = sorted(seq for seq in rows if seq > self.last_seq)
        notes: list[str] = []
        if missing and missing[0] != self.last_seq + 1:
            kept = self._tail.set_aside("stale")
            notes.append(
                f"The tail of {self._path.name} belongs to another state of the file, which was "
                f"replaced or restored without it, and could not be used. It was kept as "
                f"{kept.name}."
            )
        elif missing:
            self._write([(seq, *rows[seq]) for seq in missing])
            self.last_seq = missing[-1]
            self._commits += 1
        if lost:
            kept = self._tail.set_aside("corrupt")
            notes.append(
                f"The tail of {self._path.name} is damaged; up to {lost} bytes of records at its "
                f"end are lost. It was kept as {kept.name}."
            )
        self._tail.remove()
        return tuple(notes)

    def commit(self, rows: Sequence[Packed], weight: int) -> None:
        """Number the rows and make them durable, all or none. Moves `last_seq`.

        `weight` is about the number of their bytes.

        Raises `StoreFull`, `StoreReadOnly`, `StoreCorrupt` or `StoreError` when none of
        them is durable.
        """
        if not rows:
            return
        if len(rows) > TAIL_ROWS or weight > TAIL_BYTES:
            self._commit_to_file(rows)
            self._watch()
            return
        self._tail.append(self.last_seq + 1, rows)
        self._waiting += rows
        self._waiting_bytes += weight
        self.last_seq += len(rows)
        self._watch()
        if not self._tail.is_there:
            self.fold()

    @property
    def is_waiting(self) -> bool:
        """Whether there are rows in the tail."""
        return bool(self._waiting)

    @property
    def is_fold_due(self) -> bool:
        """Whether there are many of them."""
        return len(self._waiting) >= FOLD_ROWS or self._waiting_bytes >= FOLD_BYTES

    def fold(self) -> None:
        """Move what waits in the tail into the file. Raises as `commit` does; then it waits on."""
        if self._waiting:
            self._commit_to_file(())

    def _commit_to_file(self, rows: Sequence[Packed]) -> None:
        import duckdb

        first = self._in_file + 1
        target = self.last_seq + len(rows)
        numbered = [(seq, *row) for seq, row in enumerate([*self._waiting, *rows], first)]
        try:
            self._write(numbered)
        except duckdb.Error as error:
            self._reconcile(error, target)
        self._is_in_file(target)

    def _is_in_file(self, target: int) -> None:
        """All records up to this one are durable in the file."""
        self.last_seq = target
        self._waiting, self._waiting_bytes = [], 0
        self._commits += 1
        self._tail.clear()

    @property
    def _in_file(self) -> int:
        """The last record that is in the file."""
        return self.last_seq - len(self._waiting)

    def commit_with(self, tables: Tables, rows: Sequence[Packed]) -> None:
        """As `commit`, in the transaction on the user's tables and together with that.

        Raises `TransactionRefused` where it is the user's part that cannot be committed.
        """
        import duckdb

        # What waits in the tail goes before: in the file rows stand in the order of numbers.
        first, target = self._in_file + 1, self.last_seq + len(rows)
        try:
            tables.commit([(seq, *row) for seq, row in enumerate([*self._waiting, *rows], first)])
        except duckdb.Error as error:
            tables.rollback()
            try:
                self._reconcile(error, target)
            except StoreError as trouble:
                raise _refused(error, trouble) from error
        except TransactionRefused:
            tables.rollback()
            raise
        self._is_in_file(target)
        self._watch()

    def execute(self, query: str, parameters: Sequence[Any]) -> None:
        """Commit a statement of ours that is no record."""
        import duckdb

        try:
            self._instance.cursor().execute(query, parameters)
        except duckdb.Error as error:
            raise _explain(error, self._path) from error
        self._commits += 1
        self._watch()

    def _write(self, rows: Sequence[Row]) -> None:
        appender = self._open_appender()
        if len(rows) <= CHUNK_ROWS:
            appender.append_rows(rows)
            appender.flush()
            return
        assert self._cursor is not None
        self._cursor.begin()
        for start in range(0, len(rows), CHUNK_ROWS):
            # Other threads stand still while rows are converted, so not too many at once.
            appender.append_rows(rows[start : start + CHUNK_ROWS])
            appender.flush()
        self._cursor.commit()

    def _open_appender(self) -> Any:
        if self._appender is None:
            self._cursor = self._instance.new_cursor()
            self._cursor.execute("USE s")
            # The plan of an appender's flush cannot be improved, and trying costs 50 µs.
            self._cursor.execute("PRAGMA disable_optimizer")
            self._appender = self._cursor.appender("journal")
        return self._appender

    def _drop_appender(self) -> None:
        import duckdb

        appender, self._appender = self._appender, None
        cursor, self._cursor = self._cursor, None
        # What failed before may fail here again; it is not used any more in any case.
        with suppress(duckdb.Error):
            if appender is not None:
                appender.clear()
            if cursor is not None:
                cursor.close()

    def _reconcile(self, error: "duckdb.Error", target: int) -> None:
        """After a failed commit: return if the rows are durable all the same, else raise why."""
        self._drop_appender()
        durable = self._durable_seq(error)
        if durable == target:
            return
        if durable != self._in_file:
            raise StoreCorrupt(
                f"{self._path}: after a failed write the store ends at record {durable}, but it "
                f"should end at {self._in_file} or {target}. Close it, keep a copy, and open it "
                "again",
                path=str(self._path),
            ) from error
        raise _explain(error, self._path) from error

    def _durable_seq(self, error: Exception) -> int:
        import duckdb

        try:
            return int(self._instance.query("last_seq")[0][0])
        except duckdb.Error:
            self._reopen(error)
            return int(self._instance.query("last_seq")[0][0])

    def _reopen(self, cause: Exception) -> None:
        """Attach the file anew: after a failed checkpoint DuckDB refuses everything else."""
        import duckdb

        deadline = time.monotonic() + REOPEN_SECONDS
        while True:
            try:
                self._instance.detach()
                self._instance.attach()
                break
            except duckdb.Error as error:
                # A reader that is just fetching holds the file a moment longer.
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"{self._path}: a write failed and the file cannot be opened again: "
                        f"{error}. Whether the last records were kept is not known; restart the "
                        "kernel and resume",
                        path=str(self._path),
                    ) from cause
                time.sleep(0.02)
        self._wal_inode = 0

    def _watch(self) -> None:
        """Notice files that vanish under us: a forked child, a second writer, `rm`."""
        try:
            if os.stat(self._path).st_ino != self._file_inode:  # noqa: PTH116 - 2 µs matter here
                raise FileNotFoundError
        except FileNotFoundError as error:
            raise StoreCorrupt(
                f"{self._path} was removed or replaced while it was open; nothing can be kept in "
                "it any more. What it held can still be saved: store.snapshot(PATH)",
                path=str(self._path),
            ) from error
        try:
            wal = os.stat(self._wal)  # noqa: PTH116
        except FileNotFoundError:
            # DuckDB's own checkpoint has removed it, or somebody else has: then memory is
            # still complete, and a checkpoint writes everything out again.
            self.checkpoint()
            return
        if wal.st_ino == self._wal_inode:
            if wal.st_size > self._checkpoint_at or self._commits > CHECKPOINT_COMMITS:
                self.is_checkpoint_due = True
            return
        if self._wal_inode:
            self.checkpoint()
            return
        self._wal_inode = wal.st_ino
        self._wal.chmod(0o600)

    is_checkpoint_due = False
    """Whether the write-ahead log has grown long. The writer answers first, then tidies up."""

    def checkpoint(self) -> None:
        """Move what is durable from the write-ahead log into the file, if there is anything.

        A checkpoint that fails loses nothing: it is tried again when there is more to move.
        """
        import duckdb

        self.is_checkpoint_due = False
        if not self._commits:
            return
        try:
            self._instance.query("checkpoint")
        except duckdb.Error as error:
            self._drop_appender()
            self._checkpoint_at += CHECKPOINT_BYTES // 4
            self._commits //= 2
            # If the file cannot even be opened again, the next commit says so.
            with suppress(StoreError):
                self._durable_seq(error)
            return
        self._checkpoint_at = CHECKPOINT_BYTES
        self._commits = 0
        self._wal_inode = 0

    def rewrite(
        self, without: Collection[str], alone: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Write the store anew without these runs, and go on with the new file.

        `alone` keeps readers out while one file takes the place of the other. Raises
        `StoreError` and its kinds; then the store is as it was.
        """
        import duckdb

        self.fold()
        # Its numbers are those of the old file: it must not be found beside the new one.
        self._tail.let_go()
        self.checkpoint()
        self._drop_appender()
        try:
            new = write_anew(self._instance, self._path, without)
        except duckdb.Error as error:
            raise _explain(error, self._path) from error
        try:
            with alone():
                self._take_up(new)
        except BaseException:
            clear_remains(self._path)
            raise

    def _take_up(self, new: Path) -> None:
        if self._wal.exists():
            # It belongs to the old file and must never be found beside the new one.
            clear_remains(self._path)
            raise StoreError(
                f"{self._path} was not rewritten: its write-ahead log could not be moved into it. "
                "Nothing was changed; free some space and try again",
                path=str(self._path),
            )
        self._instance.detach()
        self.numbering += 1
        try:
            new.replace(self._path)
            sync_folder(self._path.parent)
        finally:
            self._instance.attach()
            self._file_inode = self._path.stat().st_ino
            self._wal_inode = self._commits = 0
            self.last_seq = self._instance.query("last_seq")[0][0]

    def rest(self) -> None:
        """Nobody is waiting: write what can wait, and move everything into the file."""
        import duckdb

        # What fails here is only put off: records have been answered for already.
        with suppress(StoreError):
            self.fold()
        self.checkpoint()
        with suppress(duckdb.Error):
            self._commits += self._chore()
        self.checkpoint()

    def close(self) -> None:
        """Write everything into the file and let go of it."""
        self._drop_appender()
        # While a reader holds an older state, DuckDB would not move changed views.
        self._instance.dismiss_guests()
        self.rest()
        self._tail.let_go()


_SIGNS: tuple[tuple[tuple[str, ...], type[StoreError], str], ...] = (
    (
        ("No space left", "File too large", "Disk quota"),
        StoreFull,
        "the disk is full; what was acknowledged is kept. Free some space and try again",
    ),
    (
        ("Read-only file system", "Permission denied", "Operation not permitted"),
        StoreReadOnly,
        "it cannot be written any more; what was acknowledged is kept. Make it writable for you",
    ),
)


def _refused(error: "duckdb.Error", trouble: StoreError) -> StoreError:
    """The trouble, unless it was made by what the user's statements have written."""
    if type(trouble) is not StoreError:
        return trouble
    said = str(error)
    is_conflict = "conflict" in said.lower()
    return TransactionRefused(said, type(error).__name__, is_conflict=is_conflict)


def _explain(error: Exception, path: Path) -> StoreError:
    said = str(error)
    for signs, kind, meaning in _SIGNS:
        if any(sign in said for sign in signs):
            return kind(f"{path}: {meaning}. ({said.splitlines()[0]})", path=str(path))
    return StoreError(
        f"{path}: these records could not be kept: {said}. What was acknowledged is kept",
        path=str(path),
    )


Job = Callable[[Journal], None]
