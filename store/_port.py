"""What a store promises, and the three nouns that cross its border.

A store keeps *records*: facts about runs, in the order they were appended,
numbered without gaps. A record may carry one *blob*: the bytes of a value,
found again by its digest. The store does not know what a step or a notebook
is; `kind`, `run`, `step` and `item` are words it keeps in columns so that
people can query them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NewType, Protocol

import msgspec

if TYPE_CHECKING:
    import duckdb

    from stepwell.errors import StoreError
    from stepwell.store._tables import Tables

__all__ = [
    "Blob",
    "Committed",
    "Digest",
    "Flaw",
    "Record",
    "Rewritten",
    "Row",
    "Shortcut",
    "Store",
    "Then",
]

Digest = NewType("Digest", str)
"""BLAKE2b of a value's codec and encoded bytes: 32 lower-case hexadecimal characters (128 bits)."""


class Blob(msgspec.Struct, frozen=True, gc=False):
    """A value as it is written down."""

    digest: Digest
    codec: str
    """Which codec made `data`; see `stepwell.store.values`."""
    type: str
    """The value's type as a person would write it: `dict`, `pandas.DataFrame`, `Plan`."""
    size: int
    """Bytes of the encoded value before compression."""
    preview: str
    """Readable JSON or text, short, for tables and cards."""
    data: bytes | None
    """The payload, compressed where that pays; None when it lies in a file of its own."""
    signature: str = ""
    """HMAC of a pickle under the user's key; empty for codecs that run nothing when read."""

    def without_data(self) -> "Blob":
        """The same value, its payload left where it was put."""
        return msgspec.structs.replace(self, data=None)


class Record(msgspec.Struct, frozen=True, gc=False):
    """One fact to be kept."""

    kind: str
    run: str = ""
    step: str = ""
    item: str = ""
    attempt: int = 0
    at: int = 0
    """Microseconds since 1970-01-01 UTC."""
    body: bytes = b"{}"
    """A JSON object, UTF-8."""
    blob: Blob | None = None


# A struct and not a dataclass: a resume makes hundreds of thousands of these, and a struct
# that the garbage collector does not follow is made three times as fast.
class Row(msgspec.Struct, frozen=True, gc=False):
    """One kept fact, as read back. A blob is fetched apart, by digest."""

    seq: int
    kind: str
    run: str
    step: str
    item: str
    attempt: int
    at: int
    body: bytes
    digest: Digest | None


class Committed(msgspec.Struct, frozen=True, gc=False):
    """The answer to an append: everything up to and including `seq` is on disk."""

    seq: int


class Rewritten(msgspec.Struct, frozen=True, gc=False):
    """What a rewriting has done."""

    dropped: int
    """Records that are gone."""
    before: int
    """Bytes on disk, files of large values included; 0 for a store in memory."""
    after: int


class Shortcut(msgspec.Struct, frozen=True, gc=False):
    """What a run's records up to `seq` come to, in the words of whoever made it."""

    seq: int
    form: str
    """What the parts mean to whoever made them."""
    parts: Iterator[bytes]
    """As they were given. Raises `StoreCorrupt` where it turns out to be damaged, or whatever
    reading a file raises: then there is none."""


class Flaw(msgspec.Struct, frozen=True, gc=False):
    """Something that is not as it was written."""

    what: str
    """A sentence: the fact."""
    digest: str = ""
    """The value concerned, if it is one."""
    step: str = ""
    """The step whose record carries the value."""


Then = Callable[["Committed | StoreError"], None]
"""Called once, on the store's own thread, quickly and without raising."""


class Store(Protocol):
    """Where records and blobs are kept.

    Every method may be called from any thread. `append` never blocks on the disk.
    """

    @property
    def path(self) -> Path | None:
        """The file, or None for a store in memory."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about this store: sentences, mostly none.

        Such as a file system that cannot be relied on, or records lost to damage.
        """
        ...

    @property
    def last_seq(self) -> int:
        """The number of the last durable record; 0 when there is none."""
        ...

    @property
    def numbering(self) -> int:
        """How often records have been numbered anew: who reads in portions begins again then."""
        ...

    def begin(self) -> "Tables":
        """Begin a transaction on the user's own tables, which are in the schema `data`.

        Given to `append_with`, it commits together with records; otherwise it is to be rolled
        back. Raises `InvalidUsage` for a store that has no file.
        """
        ...

    def append_with(self, tables: "Tables", records: Sequence[Record], then: Then) -> None:
        """As `append`; the records are the last part of that transaction.

        Both are kept, or neither. The error may be `TransactionRefused`; whatever it is, it
        cannot be tried again: what was written to the tables is undone.
        """
        ...

    def append(self, records: Sequence[Record], then: Then | None = None) -> None:
        """Keep these records, in this order, all or none of them.

        Appends are durable in the order they were made. `then` hears of it once: with
        `Committed` when they are on disk, or with the error if they are not and never
        will be (a full disk, a closed store); the same records may then be appended again.
        Without `then`, a closed store raises `StoreClosed` at once.

        Raises `InvalidUsage` for a record that could not be read back, and `ValueUnreadable`
        for a blob without data that the store does not have; then nothing is kept.
        """
        ...

    def commit(self, records: Sequence[Record]) -> Committed:
        """Append and wait until durable. Raises what `append` would have reported."""
        ...

    def put(self, blob: Blob) -> Blob:
        """Make a blob ready to be carried by a record.

        A large payload is written to a content-addressed file and synced before this
        returns, and the answer has no data; a small one comes back as it was.
        """
        ...

    def rows(
        self,
        run: str | None = None,
        *,
        after: int = 0,
        until: int | None = None,
        kinds: Iterable[str] | None = None,
    ) -> list[Row]:
        """Kept records in order, of one run or of all, with `seq` greater than `after`.

        And not greater than `until`: who reads very many does so in portions.
        """
        ...

    def latest(self, run: str, kinds: Iterable[str]) -> list[Row]:
        """For each step and item of a run the last record of these kinds, in order of `seq`.

        What a resume needs to know of a long run, at the price of its steps, not of its history.
        """
        ...

    def keep_shortcut(self, last: Row, form: str, parts: Iterable[bytes]) -> None:
        """Keep what the records of `last.run` up to `last` come to, as long as nothing happens.

        It is written while `parts` are made, and is there when all of it is. No more than a
        convenience: it may be gone at any time, and a disk that refuses is not reported.
        """
        ...

    def shortcut(self, run: str) -> Shortcut | None:
        """What was last kept for the run, if it was made of the records there are."""
        ...

    def drop_shortcut(self, run: str) -> None:
        """Keep it no longer."""
        ...

    def blob(self, digest: Digest) -> Blob:
        """A kept blob with its payload. Raises `ValueUnreadable` if missing or damaged."""
        ...

    def blobs(self, digests: Iterable[Digest]) -> dict[Digest, Blob]:
        """Many at once, each as `blob` would give it."""
        ...

    def has(self, digest: Digest) -> bool:
        """Whether a durable record carries this blob."""
        ...

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> "duckdb.DuckDBPyRelation":
        """Read with SQL; the views `runs`, `steps`, `attempts`, `calls`, `costs`,
        `approvals`, `values`.

        One statement that reads; anything that would write is refused with `InvalidUsage`.
        The answer sees the store as it is now.
        """
        ...

    def meta(self, key: str) -> str | None:
        """A small fact about the store itself, such as `notebook`; None when never set."""
        ...

    def set_meta(self, key: str, value: str) -> None:
        """Keep a small fact about the store itself; durable when this returns."""
        ...

    def snapshot(self, path: Path | str) -> Path:
        """Copy everything durable to a new store at `path`, which other processes may open."""
        ...

    def rewrite(self, without: Collection[str] = ()) -> Rewritten:
        """Write the store anew: without these runs, and without values nobody refers to then.

        A value is kept if its digest stands anywhere in a record that is kept; records are
        numbered anew. A crash at any moment leaves the store as it was before or after.
        Nobody may append, or be about to, until this returns: the caller sees to it. Others
        may read and `put` meanwhile. What `sql` has given out stops working. Raises
        `StoreError`, also while a transaction on tables is open; then nothing was changed.
        """
        ...

    def check(self, is_intact: Callable[[Blob], bool] = lambda blob: True) -> list[Flaw]:
        """Read everything and compare it with what was written; empty when all is well.

        Numbers without gaps, each value's bytes there and unchanged. `is_intact` may look
        deeper into a value than the store can.
        """
        ...

    def close(self) -> None:
        """Write everything out and let go of the file. Closing twice is harmless."""
        ...
