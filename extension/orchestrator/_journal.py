"""The way to the disk: what is to be written, and what may be done once it is.

Rule: one batch is on its way at a time. Whatever is written meanwhile forms the next one,
so that a slow disk makes larger batches, and a batch that could not be written (a full
disk) is tried again before anything that came after it. Effects run on the store's thread
when everything written before them is durable; they hand work on and return.
"""

import threading
from collections.abc import Callable

from stepwell.errors import StoreError
from stepwell.store import Committed, Record, Store

__all__ = ["Effect", "Journal"]

Effect = Callable[[], None]


class Journal:
    """Records go in, effects come out in the same order, each after the records before it."""

    def __init__(self, store: Store, on_trouble: Callable[[StoreError], None]) -> None:
        self._store = store
        self._on_trouble = on_trouble
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._effects: list[Effect] = []
        self._flying: tuple[list[Record], list[Effect]] | None = None
        self._failed = False

    def write(self, records: list[Record], effects: list[Effect]) -> None:
        """Keep the records; run the effects when they, and all before, are durable."""
        with self._lock:
            self._records += records
            self._effects += effects
        self._send()

    def retry(self) -> None:
        """Try the failed batch again."""
        with self._lock:
            if not self._failed or self._flying is None:
                return
            self._failed = False
            records = self._flying[0]
        self._store.append(records, self._answered)

    @property
    def is_failing(self) -> bool:
        """Whether a batch waits for `retry`."""
        return self._failed

    def _send(self) -> None:
        while True:
            with self._lock:
                if self._flying is not None or not (self._records or self._effects):
                    return
                records, effects = self._records, self._effects
                self._records, self._effects = [], []
                if records:
                    self._flying = (records, effects)
            if records:
                self._store.append(records, self._answered)
                return
            # Nothing is on its way, so everything before these effects is durable.
            for effect in effects:
                effect()

    def _answered(self, answer: Committed | StoreError) -> None:
        if isinstance(answer, StoreError):
            self._failed = True
            self._on_trouble(answer)
            return
        with self._lock:
            flying, self._flying = self._flying, None
        if flying is not None:
            for effect in flying[1]:
                effect()
        self._send()
