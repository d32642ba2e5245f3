"""The writer's thread: what it does when nobody looks, and when things vanish under it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stepwell.errors import InvalidUsage, StoreClosed, StoreCorrupt, StoreError
from stepwell.store import Committed, Record, Store, _journal, _writer, open_store

RunPython = Callable[..., str]


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited 20 s"
        time.sleep(0.005)


def test_it_answers_on_its_own_thread(file_store: Store) -> None:
    """A listener never runs on the thread that appended."""
    names: list[str] = []
    file_store.append([Record("k")], lambda _: names.append(threading.current_thread().name))
    file_store.commit([])
    assert names == ["stepwell-store"]


def test_what_it_says_is_durable_can_be_read(file_store: Store) -> None:
    """A listener that looks finds its record."""
    seen: list[int] = []
    for _ in range(20):
        file_store.append([Record("k")], lambda _: seen.append(len(file_store.rows())))
    file_store.commit([])
    assert len(seen) == 20
    assert all(count >= number for number, count in enumerate(seen, 1))


def test_a_listener_that_raises_stops_nobody(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error is reported as any thread's is, and the store goes on."""
    reported: list[object] = []

    def report(args: threading.ExceptHookArgs) -> None:
        reported.append(args.exc_type)

    monkeypatch.setattr(threading, "excepthook", report)

    def raise_(_: object) -> None:
        raise ZeroDivisionError

    file_store.append([Record("k")], raise_)
    assert file_store.commit([Record("k")]) == Committed(2)
    assert reported == [ZeroDivisionError]


def test_a_listener_cannot_wait_for_the_store(file_store: Store) -> None:
    """It would wait for itself; it is told so. Appending and closing are fine."""
    heard: list[object] = []

    def listen(_: object) -> None:
        try:
            file_store.commit([Record("k")])
        except InvalidUsage as error:
            heard.append(error)
        file_store.append([Record("k")], heard.append)
        file_store.close()

    file_store.append([Record("k")], listen)
    _wait_until(lambda: len(heard) == 2)
    assert isinstance(heard[0], InvalidUsage)
    assert heard[1] == Committed(2)


def test_nobody_waits_in_vain_for_a_writer_that_is_gone(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake that ends the thread is reported, and whatever is asked afterwards answered."""
    reported: list[object] = []

    def report(args: threading.ExceptHookArgs) -> None:
        reported.append(args.exc_type)

    def fail(_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(threading, "excepthook", report)
    monkeypatch.setattr(_journal.Journal, "is_checkpoint_due", property(fail))
    assert file_store.commit([Record("k")]) == Committed(1)
    heard: list[object] = []
    file_store.append([Record("k")], heard.append)
    _wait_until(lambda: bool(heard and reported))
    assert [type(answer) for answer in heard] == [StoreClosed]
    assert reported == [ZeroDivisionError]


def test_one_append_may_be_larger_than_any_batch(file_store: Store) -> None:
    """Thirty thousand records in one append are kept together."""
    answer = file_store.commit([Record("k", body=b'{"n":%d}' % n) for n in range(30_000)])
    assert answer == Committed(30_000)
    assert [row.seq for row in file_store.rows(after=29_990)] == list(range(29_991, 30_001))


def test_it_tidies_up_when_it_is_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while without work the write-ahead log is moved into the file."""
    monkeypatch.setattr(_writer, "IDLE_SECONDS", 0.05)
    store = open_store(tmp_path / "n.duckdb")
    try:
        store.commit([Record("k")])
        _wait_until(lambda: not (tmp_path / "n.duckdb.wal").exists())
        assert store.commit([Record("k")]) == Committed(2)
    finally:
        store.close()


def test_it_does_not_let_the_log_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long log makes the next opening slow, so it is moved into the file in time."""
    monkeypatch.setattr(_journal, "CHECKPOINT_COMMITS", 20)
    store = open_store(tmp_path / "n.duckdb")
    wal = tmp_path / "n.duckdb.wal"
    try:
        sizes: list[int] = []
        for _ in range(60):
            store.commit([Record("k")])
            sizes.append(wal.stat().st_size if wal.exists() else 0)
        assert max(sizes[30:]) <= max(sizes[:30])
    finally:
        store.close()


def test_closing_leaves_one_tidy_file(tmp_path: Path) -> None:
    """What was queued is kept first, and answered."""
    answers: list[Committed | StoreError] = []
    store = open_store(tmp_path / "n.duckdb")
    for _ in range(100):
        store.append([Record("k")], answers.append)
    store.close()
    assert answers == [Committed(n) for n in range(1, 101)]
    assert not (tmp_path / "n.duckdb.wal").exists()


@pytest.mark.parametrize("end", ["", "raise SystemExit(0)", "del store", "1 / 0"])
def test_a_program_may_end_without_closing(tmp_path: Path, run_python: RunPython, end: str) -> None:
    """What was queued is kept, the log is tidied up, and the process does not hang."""
    path = tmp_path / "n.duckdb"
    program = f"""
import sys
from stepwell.store import Record, open_store
store = open_store(sys.argv[1])
for _ in range(500):
    store.append([Record("k")])
answer = store.sql("SELECT * FROM records")
{end}
"""
    run_python(program, path, expected=int(end == "1 / 0"))
    assert not (tmp_path / "n.duckdb.wal").exists()
    store = open_store(path)
    assert store.last_seq == 500
    store.close()


def test_a_log_that_vanishes_is_written_again(tmp_path: Path, run_python: RunPython) -> None:
    """Whoever removed it, what was and what will be acknowledged survives a kill."""
    path = tmp_path / "n.duckdb"
    program = """
import os, signal, sys
from stepwell.store import Record, open_store
store = open_store(sys.argv[1])
store.commit([Record("k")])
os.unlink(sys.argv[1] + ".wal")
store.commit([Record("k")])
store.commit([Record("k")])
os.kill(os.getpid(), signal.SIGKILL)
"""
    run_python(program, path, expected=-9)
    store = open_store(path)
    assert store.last_seq == 3
    store.close()


def test_a_file_that_is_removed_is_noticed(file_store: Store, tmp_path: Path) -> None:
    """Nothing is acknowledged into the void, and what there was can still be saved."""
    assert file_store.path is not None
    file_store.commit([Record("k")])
    file_store.path.unlink()
    with pytest.raises(StoreCorrupt, match="was removed or replaced"):
        file_store.commit([Record("k")])
    copy = open_store(file_store.snapshot(tmp_path / "copy.duckdb"))
    assert copy.last_seq >= 1
    copy.close()
