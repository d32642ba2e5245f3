"""The way to the disk: what is to be written, and what may be done once it is.

Rule: one batch is on its way at a time. Whatever is written meanwhile forms the next one,
so that a slow disk makes larger batches, and a batch that could not be written (a full
disk) is tried again before anything that came after it. Effects run on the store's thread
when everything written before them is durable, and after every effect before them; they
hand work on and return.
"""

import logging
import threading
from collections.abc import Callable

from stepwell.errors import StoreError
from stepwell.store import Committed, Record, Store

__all__ = ["Effect", "Journal"]

_LOG = logging.getLogger("stepwell.orchestrator")

Effect = Callable[[], None]


class Journal:
    """Records go in, effects come out in the same order, each after the records before it."""

    def __init__(self, store: Store, on_trouble: Callable[[StoreError], None]) -> None:
        self._store = store
        self._on_trouble = on_trouble
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._records: list[Record] = []
        self._effects: list[Effect] = []
        # Set until the batch's effects have run, too: those of the next one come after.
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
        self._append(records)

    def drain(self, seconds: float) -> bool:
        """Wait until all is written, so long at most; False if it is not, or cannot be."""
        with self._lock:
            return self._idle.wait_for(lambda: self._is_idle or self._failed, seconds) and (
                self._is_idle
            )

    @property
    def _is_idle(self) -> bool:
        return self._flying is None and not self._records

    def _send(self) -> None:
        while True:
            with self._lock:
                if self._flying is not None:
                    return
                if not (self._records or self._effects):
                    self._idle.notify_all()
                    return
                records, effects = self._records, self._effects
                self._records, self._effects = [], []
                self._flying = (records, effects)
            if records:
                self._append(records)
                return
            # Nothing is on its way, so everything before these effects is durable.
            self._landed()

    def _append(self, records: list[Record]) -> None:
        try:
            self._store.append(records, self._answered)
        except StoreError as error:
            self._answered(error)
        except Exception as error:
            trouble = StoreError(f"the store does not take what happened: {error}")
            trouble.__cause__ = error
            self._answered(trouble)

    def _answered(self, answer: Committed | StoreError) -> None:
        if isinstance(answer, StoreError):
            with self._lock:
                self._failed = True
                self._idle.notify_all()
            self._on_trouble(answer)
            return
        self._landed()
        self._send()

    def _landed(self) -> None:
        with self._lock:
            effects = self._flying[1] if self._flying is not None else []
        for effect in effects:
            try:
                effect()
            except Exception:
                _LOG.exception("something that was to follow a commit failed")
        with self._lock:
            self._flying = None
