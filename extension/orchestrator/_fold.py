"""A run's events applied one after the other, from the beginning or from its shortcut.

The records are the truth. A shortcut only saves reading those it was made of, and whatever
is wrong with one, the answer is the same: nobody notices but by the time it takes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from stepwell.errors import StoreCorrupt
from stepwell.orchestrator._apply import apply
from stepwell.orchestrator._events import Event
from stepwell.orchestrator._shortcut import form, state_of
from stepwell.orchestrator._state import State
from stepwell.store import Row, Store

__all__ = ["Folded", "GivenUp", "applied", "decode", "fold", "portions"]

PORTION = 16_384
"""Records are read so many at a time: what is in hand at once stays small."""
_FEW = 64
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


class GivenUp(Exception):
    """Nobody wants the answer any more."""


class Folded(msgspec.Struct):
    """A run's events applied, up to and including the last record."""

    state: State
    last: Row | None = None
    """None where nothing came after the shortcut."""
    count: int = 0
    """Records that were read."""


def fold(
    store: Store,
    run: str,
    *,
    until: int | None = None,
    is_direct: bool = True,
    pace: Callable[[], None] = lambda: None,
    is_enough: Callable[[], bool] = lambda: False,
    portion: int = PORTION,
) -> Folded:
    """Apply what there is of the run, or what there is up to the record `until`.

    Not `is_direct`: all of it, and not from a shortcut. `pace` is called after every few
    records, and may raise `GivenUp`; `is_enough` after every portion.
    """
    while True:
        numbering = store.numbering
        folded, after = _taken(store, run, pace) if is_direct else (_nothing(run), 0)
        for rows in portions(store, run, after=after, until=until, size=portion):
            if store.numbering != numbering:
                break
            _apply_all(folded, rows, pace)
            if is_enough():
                return folded
        else:
            return folded


def _apply_all(folded: Folded, rows: Sequence[Row], pace: Callable[[], None]) -> None:
    for start in range(0, len(rows), _FEW):
        folded.state = applied(folded.state, rows[start : start + _FEW])
        pace()
    folded.last = rows[-1] if rows else folded.last
    folded.count += len(rows)


def portions(
    store: Store,
    run: str | None = None,
    *,
    after: int = 0,
    until: int | None = None,
    size: int = PORTION,
) -> Iterator[list[Row]]:
    """The run's records, or all, in order, of `size` numbers at once: see `Store.numbering`."""
    end = store.last_seq if until is None else until
    for start in range(after, end, size):
        yield store.rows(run, after=start, until=min(end, start + size))


def applied(state: State, rows: Iterable[Row]) -> State:
    """The state after these records."""
    for row in rows:
        if row.kind in _NO_EVENT:
            continue
        event = decode(row)
        state = apply(state, event, step=row.step, item=row.item, attempt=row.attempt, at=row.at)
    return state


def _nothing(run: str) -> Folded:
    return Folded(State(run, is_replayed=True))


def _taken(store: Store, run: str, pace: Callable[[], None]) -> tuple[Folded, int]:
    """What the run's shortcut gives, and up to which record; nothing where it has none."""
    found = store.shortcut(run)
    if found is None or found.form != form():
        return _nothing(run), 0
    try:
        state = state_of(run, _paced(found.parts, pace))
    except GivenUp:
        raise
    except Exception:
        # Whatever is wrong with it: the records are there, and are all that counts.
        return _nothing(run), 0
    state.is_replayed = True
    return Folded(state), found.seq


def _paced(parts: Iterator[bytes], pace: Callable[[], None]) -> Iterator[bytes]:
    for part in parts:
        yield part
        pace()
