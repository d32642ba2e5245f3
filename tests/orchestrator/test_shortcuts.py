"""Shortcuts: a state that was kept, and the rest of the events, are the run."""

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from histories import HISTORIES, with_strays
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import Entry, World, play, random_flow

from stepwell.orchestrator import (
    Event,
    Happened,
    HeartbeatKept,
    RunStarted,
    Shortcuts,
    State,
    apply,
    fold,
    is_shortcut_true,
    load,
    make_shortcut,
    recover,
)
from stepwell.orchestrator import _shortcuts as making
from stepwell.orchestrator._shortcut import form, parts_of, state_of
from stepwell.store import MemoryStore, Record, Store, open_store


def facts(state: State) -> dict[str, Any]:
    """All there is to a state, comparable."""
    found = {name: getattr(state, name) for name in State.__dataclass_fields__}
    flows = {"": state.flow, **state.agents}
    return {
        **found,
        "flow": {
            name: (list(flow), flow.order(), [flow.upstream(step.name) for step in flow])
            for name, flow in flows.items()
        },
        "agents": list(state.agents),
        # The order in which things came in counts.
        "orders": [f"{it}" for name, it in found.items() if name != "message_ids"],
        "calls of steps": {
            name: list(step.calls or ()) + list(step.items.by_key if step.items else ())
            for name, step in state.steps.items()
        },
    }


def reread(event: Event) -> Event:
    """As it is when it comes from the store."""
    return msgspec.json.decode(msgspec.json.encode(event), type=Event)


def replayed(history: Iterable[Entry], state: State | None = None) -> State:
    """The state after these events."""
    state = state or State("r", is_replayed=True)
    for step, item, attempt, at, event in history:
        state = apply(state, event, step=step, item=item, attempt=attempt, at=at)
    return state


@pytest.mark.parametrize("kind", HISTORIES)
@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32), crashes=st.integers(0, 3), is_odd=st.booleans())
def test_the_state_at_any_cut_and_the_rest_are_the_run(
    kind: str, seed: int, crashes: int, *, is_odd: bool
) -> None:
    """Of steps, calls, items, waits, children, undoing; and of what should not happen at all.

    Every field is the same, its order too; also where it was kept and taken up twice.
    """
    choose = random.Random(seed)
    history = HISTORIES[kind](choose, crashes)
    if is_odd:
        history = with_strays(history, choose)
    history = [(*entry[:4], reread(entry[4])) for entry in history]
    first = choose.randint(0, len(history))
    second = choose.randint(first, len(history))
    half = state_of("r", parts_of(replayed(history[:first])))
    most = state_of("r", parts_of(replayed(history[first:second], half)))
    whole = replayed(history)
    quick = replayed(history[second:], most)
    assert facts(quick) == facts(whole)
    assert list(parts_of(quick)) == list(parts_of(whole))
    assert facts(recover(quick)) == facts(recover(whole))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), crashes=st.integers(0, 3))
def test_a_run_is_read_from_its_shortcut(seed: int, crashes: int) -> None:
    """`load` gives the same with a shortcut as without, whatever has come after it."""
    choose = random.Random(seed)
    kind = choose.choice(list(HISTORIES))
    records = as_records(HISTORIES[kind](choose, crashes))
    cut = choose.randint(1, len(records))
    store, plain = MemoryStore(), MemoryStore()
    store.commit(records[:cut])
    assert make_shortcut(store, "r")
    store.commit(records[cut:])
    plain.commit(records)
    assert is_shortcut_true(store, "r")
    assert facts(load(store, "r")) == facts(load(plain, "r"))
    assert fold(store, "r").count == len(records) - cut


def as_records(history: Sequence[Entry], run: str = "r") -> list[Record]:
    """As they are written."""
    found = [Record("run_started", run, body=msgspec.json.encode(RunStarted()))]
    for step, item, attempt, at, event in history:
        kind = str(type(event).__struct_config__.tag)
        found.append(Record(kind, run, step, item, attempt, at, msgspec.json.encode(event)))
    return found


@pytest.fixture
def run() -> list[Record]:
    """Give the records of a finished run."""
    choose = random.Random(7)
    world = World()
    play(world, random_flow(choose, 6), choose, crashes=2, by_resume=True)
    return as_records(world.disk)


@pytest.fixture
def store(tmp_path: Path, run: list[Record]) -> Iterator[Store]:
    """Give a store in a file, with the run and its shortcut."""
    made = open_store(tmp_path / "n.duckdb")
    made.commit(run)
    assert make_shortcut(made, "r") == len(run)
    yield made
    made.close()


def shortcut_file(store: Store) -> Path:
    """Where it lies."""
    assert store.path is not None
    (found,) = store.path.with_name("n.duckdb.shortcuts").iterdir()
    return found


def test_a_damaged_shortcut_is_as_good_as_none(store: Store, run: list[Record]) -> None:
    """Whichever byte is another, and wherever it was cut off, the run is what its records say."""
    expected = facts(load(store, "r"))
    file = shortcut_file(store)
    whole = file.read_bytes()
    choose = random.Random(1)
    for place in choose.sample(range(len(whole)), 150):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << choose.randrange(8)
        file.write_bytes(damaged)
        assert facts(load(store, "r")) == expected
        file.write_bytes(whole[:place])
        assert facts(load(store, "r")) == expected
        assert fold(store, "r").count == len(run)
    file.write_bytes(whole)
    assert fold(store, "r").count == 0


def test_a_shortcut_of_other_code_is_not_taken_up(
    store: Store, run: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an older nor a newer version of stepwell is believed."""
    monkeypatch.setattr("stepwell.orchestrator._fold.form", lambda: "of the future")
    assert fold(store, "r").count == len(run)


def test_parts_that_mean_nothing_are_not_taken_up(store: Store, run: list[Record]) -> None:
    """Written whole, and still nonsense: the records are read."""
    last = store.rows("r")[-1]
    for parts in ([b"\x93abc"], [b""], [msgspec.msgpack.encode(["items", "nobody", []])]):
        store.keep_shortcut(last, form(), parts)
        assert fold(store, "r").count == len(run)
        assert load(store, "r").started is not None


def test_a_wrong_shortcut_is_found_out(store: Store) -> None:
    """Checking compares it with the records, all of them."""
    assert is_shortcut_true(store, "r")
    state = fold(store, "r").state
    next(iter(state.steps.values())).attempts += 1
    store.keep_shortcut(store.rows("r")[-1], form(), parts_of(state))
    assert not is_shortcut_true(store, "r")
    file = shortcut_file(store)
    file.write_bytes(file.read_bytes()[:-30])
    assert not is_shortcut_true(store, "r")


def test_records_that_are_numbered_anew_in_between_are_read_anew(run: list[Record]) -> None:
    """Whoever reads in portions never takes records of two numberings for one history."""
    store = MemoryStore()
    store.commit([*as_records([], "old"), *run])
    once = iter([True])

    def pace() -> None:
        if next(once, False):
            store.rewrite(["old"])

    folded = fold(store, "r", pace=pace, portion=3)
    assert store.numbering == 1
    assert facts(folded.state) == facts(fold(store, "r").state)
    assert folded.last == store.rows("r")[-1]


# -- when they are made -------------------------------------------------------------------------


def happened(count: int) -> list[Happened]:
    """So many things that happened in the run."""
    return [Happened("r", "", 0, 0, HeartbeatKept(), {}, "")] * count


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it is so."""
    ticking = threading.Event()
    for _ in range(2000):
        if condition():
            return
        ticking.wait(0.005)
    raise AssertionError("it does not come to that")


def test_one_is_made_when_much_has_happened(run: list[Record]) -> None:
    """In the background, so that a process that is killed has one, too."""
    store = MemoryStore()
    store.commit(run)
    shortcuts = Shortcuts(store)
    shortcuts.follow(happened(making.EVERY - 1))
    assert store.shortcut("r") is None
    shortcuts.follow(happened(1))
    wait_for(lambda: store.shortcut("r") is None or fold(store, "r").count == 0)
    shortcuts.close()


def test_one_is_made_at_the_end(run: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where that is worth it."""
    monkeypatch.setattr(making, "AT_THE_END", len(run))
    store = MemoryStore()
    store.commit(run)
    few = Shortcuts(store)
    few.follow(happened(len(run) - 1))
    few.close()
    assert store.shortcut("r") is None
    many = Shortcuts(store)
    many.follow(happened(len(run)))
    many.close()
    assert fold(store, "r").count == 0


def test_one_is_made_after_much_had_to_be_read(
    run: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process has less to read."""
    store = MemoryStore()
    store.commit(run)
    shortcuts = Shortcuts(store)
    shortcuts.look("r")
    monkeypatch.setattr(making, "EVERY", len(run))
    shortcuts.look("r")
    shortcuts.close()
    assert fold(store, "r").count == 0


def test_whoever_closes_does_not_wait_for_long(run: list[Record]) -> None:
    """What cannot be made in time is not made."""
    store = MemoryStore()
    store.commit(run)
    shortcuts = Shortcuts(store)
    shortcuts.follow(happened(making.AT_THE_END))
    shortcuts.close(0.0)
    assert store.shortcut("r") is None
    assert [it.name for it in threading.enumerate() if it.name == "stepwell-shortcuts"] == []
    shortcuts.follow(happened(making.EVERY))
    assert [it.name for it in threading.enumerate() if it.name == "stepwell-shortcuts"] == []


def test_what_was_read_in_half_the_time_is_kept(run: list[Record]) -> None:
    """A shortcut to a part of the way is one, too."""
    store = MemoryStore()
    store.commit(run * 300)
    pace = making.Pace()
    pace.hurry(0.0)
    pace._until = float("inf")  # pyright: ignore[reportPrivateUsage]
    assert make_shortcut(store, "r", pace=pace) == making.PORTION
    assert make_shortcut(store, "r", pace=pace) == making.PORTION * 2
    assert fold(store, "r").count == store.last_seq - making.PORTION * 2
    assert is_shortcut_true(store, "r")


ENDS = """
import sys
from stepwell.orchestrator import Happened, HeartbeatKept, RunStarted, Shortcuts
from stepwell.store import Record, open_store
store = open_store(sys.argv[1])
store.commit([Record("run_started", "r", body=b'{"kind":"run_started"}')] * 20_000)
shortcuts = Shortcuts(store)
shortcuts.follow([Happened("r", "", 0, 0, HeartbeatKept(), {}, "")] * int(sys.argv[2]))
"""


@pytest.mark.parametrize("count", [making.AT_THE_END, making.EVERY])
def test_a_process_that_just_ends_ends(tmp_path: Path, count: int) -> None:
    """Also in the middle of making one, and without a word."""
    command = [sys.executable, "-c", ENDS, str(tmp_path / "n.duckdb"), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_store_that_goes_away_meanwhile_is_no_trouble(
    run: list[Record], caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody hears of it."""
    store = MemoryStore()
    store.commit(run)
    shortcuts = Shortcuts(store)
    store.close()
    shortcuts.follow(happened(making.EVERY))
    shortcuts.close()
    assert caplog.records == []
