"""The store."""
from stepwell.store._port import Blob, Committed, Digest, Record, Row, Store
__all__ = ["Blob", "Committed", "Digest", "Record", "Row", "Store"]
