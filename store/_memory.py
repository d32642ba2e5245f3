"""The twin in memory: the same promises, except that nothing outlives the process."""

import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from stepwell.errors import InvalidUsage, StoreClosed
from stepwell.store._asking import ask
from stepwell.store._checking import damaged
from stepwell.store._files import BlobFiles
from stepwell.store._instance import Instance
from stepwell.store._packing import SEPARATOR, BlobMeta, Packed, checksum, pack, unpack
from stepwell.store._payloads import INLINE_BYTES, missing
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
from stepwell.store._schema import check_key, prepare
from stepwell.store._snapshot import write_snapshot
from stepwell.store._tables import Tables

if TYPE_CHECKING:
    import duckdb

__all__ = ["MemoryStore"]

_DIGEST = re.compile(rb'"([0-9a-f]{32})"')


class MemoryStore(Store):
    """A store without a file, for tests and for trying things out.

    Answers come at once, on the appending thread, before `append` returns. DuckDB is only
    loaded by `sql` and `snapshot`.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._packed: list[Packed] = []
        self._rows: list[Row] = []
        self._blobs: dict[Digest, Blob] = {}
        self._put: dict[Digest, bytes] = {}
        self._shortcuts: dict[str, tuple[Row, str, list[bytes]]] = {}
        self._meta: dict[str, str] = {}
        self._numbering = 0
        self._is_open = True

    @property
    def path(self) -> Path | None:
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    @property
    def last_seq(self) -> int:
        return len(self._rows)

    @property
    def numbering(self) -> int:
        return self._numbering

    def begin(self) -> Tables:
        raise InvalidUsage(
            "a store in memory has no tables of yours. Open one in a file: %stepwell store PATH"
        )

    def append_with(self, tables: Tables, records: Sequence[Record], then: Then) -> None:
        self.begin()

    def append(self, records: Sequence[Record], then: Then | None = None) -> None:
        answer: Committed | StoreClosed
        try:
            answer = self.commit(records)
        except StoreClosed as error:
            if then is None:
                raise
            answer = error
        if then is not None:
            then(answer)

    def commit(self, records: Sequence[Record]) -> Committed:
        with self._lock:
            self._check_alive()
            blobs: dict[Digest, Blob] = {}
            packed = [self._pack(record, blobs) for record in records]
            numbered = enumerate(packed, len(self._rows) + 1)
            self._rows += unpack((seq, row[0], row[1]) for seq, row in numbered)
            self._packed += packed
            self._blobs |= blobs
            return Committed(len(self._rows))

    def _pack(self, record: Record, blobs: dict[Digest, Blob]) -> Packed:
        blob = record.blob
        if blob is None or blob.digest in self._blobs:
            return pack(record, None, None)
        payload = self._put.get(blob.digest) if blob.data is None else blob.data
        if payload is None:
            raise missing(blob.digest)
        is_large = len(payload) > INLINE_BYTES
        meta = BlobMeta.of(blob, len(payload), checksum(payload), file=is_large)
        blobs[blob.digest] = msgspec.structs.replace(blob, data=payload)
        return pack(record, meta, None if is_large else payload)

    def put(self, blob: Blob) -> Blob:
        if blob.data is None or len(blob.data) <= INLINE_BYTES:
            return blob
        with self._lock:
            self._check_alive()
            self._put[blob.digest] = blob.data
        return blob.without_data()

    def rows(
        self,
        run: str | None = None,
        *,
        after: int = 0,
        until: int | None = None,
        kinds: Iterable[str] | None = None,
    ) -> list[Row]:
        self._check_alive()
        wanted = None if kinds is None else frozenset(kinds)
        return [
            row
            for row in self._rows[max(after, 0) : until]
            if (run is None or row.run == run) and (wanted is None or row.kind in wanted)
        ]

    def latest(self, run: str, kinds: Iterable[str]) -> list[Row]:
        last = {(row.step, row.item): row for row in self.rows(run, kinds=kinds)}
        return sorted(last.values(), key=lambda row: row.seq)

    def keep_shortcut(self, last: Row, form: str, parts: Iterable[bytes]) -> None:
        self._check_alive()
        self._shortcuts[last.run] = (last, form, list(parts))

    def shortcut(self, run: str) -> Shortcut | None:
        self._check_alive()
        if run not in self._shortcuts:
            return None
        last, form, parts = self._shortcuts[run]
        if last not in self._rows[last.seq - 1 : last.seq]:
            return None
        return Shortcut(last.seq, form, iter(parts))

    def drop_shortcut(self, run: str) -> None:
        self._shortcuts.pop(run, None)

    def blob(self, digest: Digest) -> Blob:
        return self.blobs([digest])[digest]

    def blobs(self, digests: Iterable[Digest]) -> dict[Digest, Blob]:
        self._check_alive()
        found: dict[Digest, Blob] = {}
        for digest in digests:
            if digest not in self._blobs:
                raise missing(digest)
            found[digest] = self._blobs[digest]
        return found

    def has(self, digest: Digest) -> bool:
        self._check_alive()
        return digest in self._blobs

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> "duckdb.DuckDBPyRelation":
        self._check_alive()
        return ask(self._as_database(), query, parameters)

    def _as_database(self) -> Instance:
        instance = Instance(None)
        prepare(instance, None)
        with self._lock:
            rows = [(seq, *row) for seq, row in enumerate(self._packed, 1)]
            facts = list(self._meta.items())
        cursor = instance.new_cursor()
        cursor.execute("USE s")
        for table, content in (("journal", rows), ("meta", facts)):
            appender = cursor.appender(table)
            appender.append_rows(content)
            appender.flush()
        return instance

    def meta(self, key: str) -> str | None:
        return self._meta.get(key)

    def set_meta(self, key: str, value: str) -> None:
        check_key(key)
        self._check_alive()
        self._meta[key] = value

    def snapshot(self, path: Path | str) -> Path:
        self._check_alive()
        target = Path(path).expanduser().resolve()
        instance = self._as_database()
        try:
            written = write_snapshot(instance, None, target)
        finally:
            instance.close()
        files = BlobFiles(target.with_name(target.name + ".blobs"))
        for blob in self._blobs.values():
            if blob.data is not None and len(blob.data) > INLINE_BYTES:
                files.write(blob.digest, blob.data)
        return written

    def rewrite(self, without: Collection[str] = ()) -> Rewritten:
        with self._lock:
            self._check_alive()
            before = len(self._rows)
            kept = [row for row in self._rows if row.run not in without]
            needed = {digest for row in kept for digest in _mentioned(row)}
            whole = {row.seq for row in kept if row.run or row.kind != "value"}
            packed = [
                row if seq in whole else _of_nobody(row)
                for seq, row in enumerate(self._packed, 1)
                if seq in whole or (row[2] is not None and row[0][-32:] in needed)
            ]
            self._numbering += 1
            self._packed = packed
            self._shortcuts.clear()
            self._rows = unpack((seq, row[0], row[1]) for seq, row in enumerate(packed, 1))
            self._blobs = {key: blob for key, blob in self._blobs.items() if key in needed}
            return Rewritten(before - len(packed), 0, 0)

    def check(self, is_intact: Callable[[Blob], bool] = lambda blob: True) -> list[Flaw]:
        self._check_alive()
        return [
            Flaw(damaged(blob.type, digest), digest)
            for digest, blob in self._blobs.items()
            if not is_intact(blob)
        ]

    def close(self) -> None:
        self._is_open = False

    def _check_alive(self) -> None:
        if not self._is_open:
            raise StoreClosed("this store in memory has been closed, and what it held is gone")


def _mentioned(row: Row) -> Iterator[str]:
    if row.digest is not None and (row.run or row.kind != "value"):
        yield row.digest
    for found in _DIGEST.findall(row.body):
        yield found.decode()


def _of_nobody(row: Packed) -> Packed:
    """A record that only carries a value, of a run that is gone."""
    head, _, meta, data = row
    return SEPARATOR.join(["", "value", *head.split(SEPARATOR)[2:]]), "{}", meta, data
