"""From the store back to a state: which runs there are, and how each of them stands."""

import gc
from collections.abc import Generator
from contextlib import contextmanager
from itertools import chain

from stepwell.errors import UnknownRun, near_misses
from stepwell.orchestrator._events import RunStarted
from stepwell.orchestrator._fold import applied, decode, fold, portions
from stepwell.orchestrator._request import recover
from stepwell.orchestrator._state import State
from stepwell.store import Store

__all__ = ["load", "load_at", "runs"]


def load(store: Store, run: str) -> State:
    """The run as its recorded events leave it, for a new process. Raises `UnknownRun`.

    Attempts that were under way are still `running` in it: see `interrupted`.
    """
    with _without_collections():
        state = fold(store, run).state
    state.is_replayed = False
    if state.started is None:
        known = [row.run for row in store.rows(kinds=["run_started"])]
        raise UnknownRun(run, str(store.path or "memory"), near_misses(run, known))
    return recover(state)


def load_at(store: Store, run: str, step: str) -> State:
    """The run as it stood when the step's present result was stored.

    As `load`, which this is where the step has no result. Raises `UnknownRun`.
    """
    present = load(store, run)
    found = present.steps.get(step)
    if found is None or found.checkpoint is None:
        return present
    state = State(run, is_replayed=True)
    for row in chain.from_iterable(portions(store, run)):
        state = applied(state, [row])
        then = state.steps.get(step)
        if then is not None and then.checkpoint == found.checkpoint:
            break
    state.is_replayed = False
    return recover(state)


@contextmanager
def _without_collections() -> Generator[None]:
    # A long history makes very many objects at once, all of which stay. Looking through
    # them for garbage again and again takes longer than making them.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # All there is becomes old, unseen: the next collection, which comes at once,
            # would look through all of it for what died young.
            gc.freeze()
            gc.unfreeze()
        if was_on:
            gc.enable()


def runs(store: Store) -> list[tuple[str, int, RunStarted]]:
    """Every run with the time it started, oldest first."""
    found: list[tuple[str, int, RunStarted]] = []
    for row in store.rows(kinds=["run_started"]):
        event = decode(row)
        if isinstance(event, RunStarted):
            found.append((row.run, row.at, event))
    return found
