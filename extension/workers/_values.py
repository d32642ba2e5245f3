"""A step's values on their way to the store and back."""

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from stepwell.errors import StoreFull, ValueNotStorable
from stepwell.orchestrator import Output
from stepwell.store import Blob, Digest, Store
from stepwell.store.values import (
    GATHER,
    SECRETS,
    Resolve,
    Signer,
    Trust,
    decode,
    digest_value,
    encode,
    find_class,
    from_plain,
    gather,
    gathered,
    identify,
    is_immutable,
    reference,
    to_plain,
    type_name,
)

__all__ = ["Values"]


class Values:
    """Encodes outputs; gives every reader a copy of its own.

    A copy is made by decoding, so a reader sees exactly what it would see after a restart.
    Values that cannot be changed are shared. Any thread may call.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        trust: Trust,
        *,
        resolve: Resolve = lambda name: None,
        cache_bytes: int = 64 << 20,
    ) -> None:
        self._store = store
        self._signer = signer
        self.trust = trust
        self._resolve = resolve
        self._room = cache_bytes
        self._lock = threading.Lock()
        self._blobs: OrderedDict[str, Blob] = OrderedDict()
        self._size = 0
        self._shared: OrderedDict[str, object] = OrderedDict()
        self._live: dict[str, object] = {}
        # Of each output the last two: an attempt may have begun with the last but one.
        self._owned: dict[tuple[str, str, str], deque[str]] = {}

    def encode(self, step: str, variable: str, value: object) -> tuple[Output, Blob]:
        """The value, ready for a record. Raises `ValueNotStorable`, with both names."""
        try:
            _refuse_marked(variable, value)
            blob = encode(value, signer=self._signer, resolve=self._resolve)
        except ValueNotStorable as error:
            raise error.at(step=step, variable=variable) from error
        self._remember(blob)
        if blob.size <= 1024 and is_immutable(value):
            self._share(blob.digest, value)
        return Output(blob.digest, blob.type, blob.size, blob.preview, blob.codec), self._put(blob)

    def _put(self, blob: Blob) -> Blob:
        try:
            return self._store.put(blob)
        except StoreFull:
            # It goes with its record: that waits for space, and writes the file first.
            return blob

    def keep_live(
        self, step: str, variable: str, digest: str, value: object, *, item: str = ""
    ) -> Output:
        """A transient output: kept in this process alone, under the digest it goes by.

        Only the last two objects of a variable are kept, of a mapped step for each item.
        """
        if SECRETS.is_marked(variable):
            SECRETS.keep(variable, value)
        with self._lock:
            self._live[digest] = value
            mine = self._owned.setdefault((step, item, variable), deque())
            if digest in mine:
                mine.remove(digest)
            mine.append(digest)
            if len(mine) > 2:
                self._live.pop(mine.popleft(), None)
        return Output(digest, type_name(value), 0, "", "", stored=False)

    def gather(self, outputs: Sequence[Output | None]) -> tuple[Output, Blob]:
        """The list of these stored values; None for one that is missing."""
        digests = [None if output is None else output.digest for output in outputs]
        previews = ["None" if output is None else output.preview for output in outputs[:20]]
        blob = gather(digests, previews)
        self._remember(blob)
        parts = tuple(digest for digest in digests if digest is not None)
        size = sum(output.size for output in outputs if output is not None)
        output = Output(blob.digest, blob.type, size, blob.preview, blob.codec, parts=parts)
        return output, self._put(blob)

    def parts(self, digest: str) -> list[str | None] | None:
        """The digests of a list's elements where each is stored for itself; None elsewhere."""
        with self._lock:
            if digest in self._live or digest in self._shared:
                return None
            blob = self._blobs.get(digest)
        if blob is None or blob.data is None:
            blob = self._store.blob(Digest(digest))
            self._remember(blob)
        return gathered(blob) if blob.codec == GATHER else None

    def digest(self, value: object) -> str:
        """What tells the value from others: its content, else its type."""
        found = digest_value(value, resolve=self._resolve)
        if found is not None:
            return found
        try:
            return encode(value, signer=self._signer, resolve=self._resolve).digest
        except ValueNotStorable:
            return blake2b(f"opaque {type_name(value)}".encode(), digest_size=16).hexdigest()

    def load(self, digest: str) -> object:
        """The value, for one reader. Raises `ValueUnreadable`, `ValueNotTrusted`."""
        with self._lock:
            if digest in self._live:
                return self._live[digest]
            if digest in self._shared:
                return self._shared[digest]
            blob = self._blobs.get(digest)
        if blob is None or blob.data is None:
            blob = self._store.blob(Digest(digest))
            self._remember(blob)
        value = decode(blob, trust=self.trust, resolve=self._resolve, load=self.load)
        if blob.size <= 1024 and is_immutable(value):
            self._share(digest, value)
        return value

    def identify(self, value: object) -> tuple[str, str] | None:
        """Digest and preview; None if nothing tells the value from others of its type."""
        return identify(value, resolve=self._resolve)

    def class_name(self, kind: type) -> str | None:
        """The name under which another process finds the class; None if it would not."""
        return reference(kind, self._resolve)

    def class_of(self, name: str) -> type:
        """The class of that name. Raises `ValueUnreadable`, `ValueNotTrusted`."""
        return find_class(name, self._resolve, is_trusted=False)

    def to_plain(self, value: object) -> Any:
        """The value as readable JSON, secrets masked. Raises `ValueNotStorable`."""
        return to_plain(value, self._resolve)

    def from_plain(self, node: Any) -> object:
        """The value that was written so. Raises `ValueUnreadable`."""
        return from_plain(node, self._resolve)

    def is_live(self, digest: str) -> bool:
        """Whether a transient value of that digest exists in this process."""
        return digest in self._live

    def _share(self, digest: str, value: object) -> None:
        with self._lock:
            self._shared[digest] = value
            if len(self._shared) > 4096:
                self._shared.popitem(last=False)

    def _remember(self, blob: Blob) -> None:
        size = len(blob.data or b"")
        if size > self._room // 4:
            return
        with self._lock:
            if blob.digest in self._blobs:
                return
            self._blobs[blob.digest] = blob
            self._size += size + 200
            while self._size > self._room:
                _, oldest = self._blobs.popitem(last=False)
                self._size -= len(oldest.data or b"") + 200


def _refuse_marked(variable: str, value: object) -> None:
    if SECRETS.is_marked(variable):
        SECRETS.keep(variable, value)
        raise ValueNotStorable(type_name(value), "it was marked as secret with stepwell.secret()")
