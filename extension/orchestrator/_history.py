"""From the store back to a state: read a run's events, apply them."""

import gc
from collections.abc import Generator
from contextlib import contextmanager

import msgspec

from stepwell.errors import StoreCorrupt, UnknownRun, near_misses
from stepwell.orchestrator._apply import apply
from stepwell.orchestrator._events import Event, RunStarted
from stepwell.orchestrator._request import recover
from stepwell.orchestrator._state import State
from stepwell.store import Row, Store

__all__ = ["decode", "load", "load_at", "runs"]

_decoder: "msgspec.json.Decoder[Event]" = msgspec.json.Decoder(Event)
# Kinds that carry no event: blobs that belong to the record after them.
_NO_EVENT = frozenset({"value"})


def decode(row: Row) -> Event:
    """The event a row holds. Raises `StoreCorrupt` if this version cannot read it."""
    try:
        return _decoder.decode(row.body)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(
            f"record {row.seq} ({row.kind}) cannot be read by this version of stepwell: {error}. "
            f"Nothing was changed; open the store with the version that wrote it",
            seq=row.seq,
        ) from error


def load(store: Store, run: str) -> State:
    """The run as its recorded events leave it, for a new process. Raises `UnknownRun`.

    Attempts that were under way are still `running` in it: see `interrupted`.
    """
    state = State(run, is_replayed=True)
    with _without_collections():
        for row in store.rows(run):
            state = _after(state, row)
    state.is_replayed = False
    if state.started is None:
        known = [row.run for row in store.rows(kinds=["run_started"])]
        raise UnknownRun(run, str(store.path or "memory"), near_misses(run, known))
    return recover(state)


def _after(state: State, row: Row) -> State:
    if row.kind in _NO_EVENT:
        return state
    event = decode(row)
    return apply(state, event, step=row.step, item=row.item, attempt=row.attempt, at=row.at)


def load_at(store: Store, run: str, step: str) -> State:
    """The run as it stood when the step's present result was stored.

    As `load`, which this is where the step has no result. Raises `UnknownRun`.
    """
    present = load(store, run)
    found = present.steps.get(step)
    if found is None or found.checkpoint is None:
        return present
    state = State(run, is_replayed=True)
    for row in store.rows(run):
        state = _after(state, row)
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
