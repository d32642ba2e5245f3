"""Blobs on their way into a row or a file of their own, and back."""

import threading
from collections import Counter
from collections.abc import Iterable

from stepwell.errors import ValueUnreadable
from stepwell.store._files import BlobFiles
from stepwell.store._instance import Instance
from stepwell.store._known import Known
from stepwell.store._packing import BlobMeta, checksum, unpack_blob, unpack_meta
from stepwell.store._port import Blob, Digest
from stepwell.store._rewriting import sweep

__all__ = ["INLINE_BYTES", "Payloads", "missing"]

INLINE_BYTES = 64 << 10
"""Payloads above this get a file: in a row they would be written out again and again."""


def missing(digest: Digest) -> ValueUnreadable:
    """No record carries it."""
    return ValueUnreadable(
        f"value {digest} is not in this store. Run the step that made it again", digest=digest
    )


class Payloads:
    """Where the bytes of values are. Any thread may call any method."""

    def __init__(self, instance: Instance, files: BlobFiles, known: Known) -> None:
        self._instance = instance
        self._files = files
        self._known = known
        # Files written by this process whose record may not be durable yet, with the length
        # and checksum that the record is to carry. Each entry is made before it is needed.
        self._fresh: dict[Digest, tuple[int, str]] = {}
        # Large values that were put, each so many times more than a record has come for it:
        # until then their files stay, whatever else is removed.
        self._awaited: Counter[Digest] = Counter()
        self._awaited_lock = threading.Lock()
        # Large values whose file was written or read back whole by this process.
        self._sound: set[Digest] = set()

    def put(self, blob: Blob) -> Blob:
        """Write a large payload to its file, unless a sound one is there already."""
        if blob.data is None or len(blob.data) <= INLINE_BYTES:
            return blob
        if blob.digest not in self._fresh and not self._is_sound(blob.digest):
            self._files.write(blob.digest, blob.data)
            self._fresh[blob.digest] = (len(blob.data), checksum(blob.data))
            self._sound.add(blob.digest)
        with self._awaited_lock:
            self._awaited[blob.digest] += 1
        return blob.without_data()

    def _has_come(self, digest: Digest) -> None:
        with self._awaited_lock:
            self._awaited[digest] -= 1
            if self._awaited[digest] <= 0:
                del self._awaited[digest]

    def _is_sound(self, digest: Digest) -> bool:
        """Whether the value can be read back, looked at once in the life of the store."""
        if not self._files.has(digest):
            return False
        if digest not in self._sound:
            try:
                self.get([digest])
            except ValueUnreadable:
                return False
            self._sound.add(digest)
        return True

    def describe(self, blob: Blob) -> tuple[BlobMeta | None, bytes | None]:
        """What a record that carries this blob has to say of it; nothing if that is durable."""
        data = blob.data
        if data is not None and len(data) > INLINE_BYTES:
            blob = self.put(blob)
            data = None
        if data is None and self._awaited:
            self._has_come(blob.digest)
        if self._fresh and (fresh := self._fresh.get(blob.digest)) is not None:
            return BlobMeta.of(blob, *fresh, file=True), None
        if self._known.seq(blob.digest) is not None:
            return None, None
        if data is not None:
            return BlobMeta.of(blob, len(data), checksum(data), file=False), data
        return self._describe_bare(blob), None

    def _describe_bare(self, blob: Blob) -> BlobMeta | None:
        """For a blob without payload: one that is durable, or left in a file by a crash."""
        if self.has(blob.digest):
            return None
        if not self._files.has(blob.digest):
            raise missing(blob.digest)
        payload = self._files.read(blob.digest)
        return BlobMeta.of(blob, len(payload), checksum(payload), file=True)

    def learn(self, digest: Digest, seq: int) -> None:
        """The writer says: record `seq`, which describes this blob, is durable."""
        self._known.learn(digest, seq)
        self._fresh.pop(digest, None)

    def settle_anew(self) -> int:
        """The store has been rewritten: forget the numbers, remove files nobody describes.

        On the writer's thread, while nobody reads, puts or appends. Answers the bytes removed.
        """
        self._known.forget_all()
        self._sound.clear()
        described = [Digest(digest) for (digest,) in self._instance.query("in_files")]
        return sweep(self._files, described, [*self._fresh, *self._awaited])

    def has(self, digest: Digest) -> bool:
        """Whether a durable record describes this blob."""
        return self._known.seq(digest) is not None or bool(self._carriers([digest]))

    def get(self, digests: Iterable[Digest]) -> dict[Digest, Blob]:
        """The blobs with their payloads, verified. Raises `ValueUnreadable`."""
        wanted = list(dict.fromkeys(digests))
        seqs = {digest: self._known.seq(digest) for digest in wanted}
        unknown = [digest for digest, seq in seqs.items() if seq is None]
        if unknown:
            seqs |= self._carriers(unknown)
        described = self._described([seq for seq in seqs.values() if seq is not None])
        return {digest: self._blob(digest, described) for digest in wanted}

    def _carriers(self, digests: list[Digest]) -> dict[Digest, int]:
        return dict(self._instance.query("carriers", {"digests": digests}))

    def _described(self, seqs: list[int]) -> dict[Digest, tuple[str, bytes | None]]:
        if len(seqs) == 1:
            rows = self._instance.query("payload", {"seq": seqs[0]})
        else:
            rows = self._instance.query("payloads", {"seqs": seqs}) if seqs else []
        return {digest: (meta, data) for digest, meta, data in rows}

    def _blob(self, digest: Digest, described: dict[Digest, tuple[str, bytes | None]]) -> Blob:
        if digest not in described:
            raise missing(digest)
        text, data = described[digest]
        meta = unpack_meta(text)
        payload = self._files.read(digest) if meta.file else data
        return unpack_blob(digest, meta, payload or b"")
