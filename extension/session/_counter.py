"""A store's desk without a kernel: for a terminal, while nobody has the store."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stepwell.errors import StoreError
from stepwell.orchestrator import (
    Attempt,
    AttemptId,
    Link,
    Orchestrator,
    RunCancelled,
    interrupted,
    load,
    runs,
)
from stepwell.session._asking import check_names
from stepwell.session._desk import Desk
from stepwell.session._engine import resolve_run, user_name
from stepwell.store import Store, open_store
from stepwell.store.values import Signer, Trust
from stepwell.workers import Values

__all__ = ["cancel", "open_desk"]


class _NoWorker:
    """Nothing is run at a counter: runs are looked up, and let go of again."""

    def start(self, attempt: Attempt, link: Link) -> None:
        """It is not."""
        raise RuntimeError(f"nothing is run here, and {attempt.id.step!r} was to be")

    def cancel(self, attempt: AttemptId) -> None:
        """There is none."""


@contextmanager
def open_desk(path: Path) -> Generator[Desk]:
    """The desk of a store, or of a notebook's. Raises as `_open`."""
    with _open(path) as (store, orchestrator):
        values = Values(store, Signer.of_user(), Trust.of_user(store))
        yield Desk(orchestrator, store, values, user=user_name())


def cancel(path: Path, names: Sequence[str] = (), run: str = "") -> str:
    """Have these steps, or all, of a run that nobody advances go on no more: the run's id.

    What may have happened in a step with `--once` is still asked. Without `run`, the latest that
    was not called by another. Raises as `_open`, and `UnknownRun`, `UnknownStep`.
    """
    with _open(path) as (store, orchestrator):
        known = [name for name, _, event in runs(store) if not event.parent]
        state = load(store, resolve_run(store, run or (known or [""])[-1]))
        check_names(state, names)

        def work() -> None:
            orchestrator.adopt(state)
            for step, item, attempt, event in interrupted(state):
                orchestrator.record(state.run, event, step=step, item=item, attempt=attempt)
            orchestrator.record(state.run, RunCancelled(tuple(names)))
            orchestrator.release(state.run)

        orchestrator.call(work)
        return state.run


@contextmanager
def _open(path: Path) -> Generator[tuple[Store, Orchestrator]]:
    """A store, or a notebook's, in which nothing is run.

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
        yield store, orchestrator
    finally:
        orchestrator.stop()
        store.close()
