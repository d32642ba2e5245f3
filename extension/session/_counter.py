"""A store's desk without a kernel: for a terminal, while nobody has the store."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from stepwell.errors import StoreError
from stepwell.orchestrator import Attempt, AttemptId, Link, Orchestrator
from stepwell.session._desk import Desk
from stepwell.session._engine import user_name
from stepwell.store import open_store
from stepwell.store.values import Signer, Trust
from stepwell.workers import Values

__all__ = ["open_desk"]


class _NoWorker:
    """Nothing is run at a counter: runs are looked up, and let go of again."""

    def start(self, attempt: Attempt, link: Link) -> None:
        """It is not."""
        raise RuntimeError(f"nothing is run here, and {attempt.id.step!r} was to be")

    def cancel(self, attempt: AttemptId) -> None:
        """There is none."""


@contextmanager
def open_desk(path: Path) -> Generator[Desk]:
    """The desk of a store, or of a notebook's.

    Raises `StoreLocked`, which names who has it, and `StoreError` where there is no store.
    """
    if path.suffix == ".ipynb":
        path = path.parent / ".stepwell" / f"{path.stem}.duckdb"
    if not path.exists():
        raise StoreError(
            f"there is no store at {path}. Name a store or its notebook; stores are beside "
            "notebooks, in .stepwell"
        )
    store = open_store(path, create=False)
    orchestrator = Orchestrator(store, _NoWorker())
    try:
        orchestrator.start()
        signer = Signer.of_user()
        values = Values(store, signer, Trust.of_user(store))
        yield Desk(orchestrator, store, values, user=user_name())
    finally:
        orchestrator.stop()
        store.close()
