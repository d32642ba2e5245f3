"""What is written down: records in order, numbered without gaps, and the values they carry.

A store knows records, blobs and digests. It knows no step, no notebook and no event loop;
`run`, `step` and `kind` are words it keeps in columns so that people can query them. The
one place that understands the bodies of records is `views.sql`, which is for people.

`open_store` opens a file, `MemoryStore` keeps the same promises for as long as the
process lives. How values become blobs is the business of `stepwell.store.values`.
"""

from stepwell.store._duckdb import open_store
from stepwell.store._memory import MemoryStore
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
from stepwell.store._tables import Tables

__all__ = [
    "Blob",
    "Committed",
    "Digest",
    "Flaw",
    "MemoryStore",
    "Record",
    "Rewritten",
    "Row",
    "Shortcut",
    "Store",
    "Tables",
    "Then",
    "open_store",
]
