"""The tail: records that are on disk before they are in the DuckDB file."""

import resource
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from stepwell.errors import StoreFull
from stepwell.store import Blob, Digest, Record, Store, _journal, open_store
from stepwell.store._tail import tail_of

RunPython = Callable[..., str]
COMMITS = 12

_WRITE_AND_DIE = """
import os, signal, sys
from stepwell.store import Record, open_store
store = open_store(sys.argv[1])
for commit in range(12):
    store.commit([Record("k", "r", body=b'{"n":%d}' % n) for n in (2 * commit + 1, 2 * commit + 2)])
    print(os.path.getsize(sys.argv[1] + ".tail"), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def died(tmp_path: Path, run_python: RunPython) -> tuple[Path, list[int]]:
    """A store whose process was killed with everything in the tail; where its frames end."""
    path = tmp_path / "n.duckdb"
    said = run_python(_WRITE_AND_DIE, path, expected=-9)
    return path, [int(line) for line in said.split()]


def numbers(store: Store) -> list[bytes]:
    """What each record says of itself, and that its number is the right one."""
    rows = store.rows()
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert [row.body for row in rows] == [b'{"n":%d}' % row.seq for row in rows]
    return [row.body for row in rows]


def test_what_was_acknowledged_survives_a_kill(died: tuple[Path, list[int]]) -> None:
    """It is found in the tail, moved into the file, and the tail is gone when it is closed."""
    path, _ = died
    store = open_store(path)
    assert store.notes == ()
    assert len(numbers(store)) == 2 * COMMITS
    store.close()
    assert not tail_of(path).exists()
    again = open_store(path)
    assert len(numbers(again)) == 2 * COMMITS
    again.close()


@pytest.mark.parametrize("cut", [1, 15, 21, 60])
def test_a_tail_that_breaks_off_is_the_trace_of_a_kill(
    died: tuple[Path, list[int]], cut: int
) -> None:
    """The last frame was never acknowledged; nothing is said of it, and writing goes on."""
    path, ends = died
    with tail_of(path).open("r+b") as file:
        file.truncate(ends[-1] - cut)
    store = open_store(path)
    assert store.notes == ()
    assert len(numbers(store)) == 2 * COMMITS - 2
    store.commit([Record("k", "r", body=b'{"n":23}')])
    assert len(numbers(store)) == 23
    store.close()


def test_damage_in_the_middle_costs_what_lies_behind_it_and_is_told(
    died: tuple[Path, list[int]],
) -> None:
    """The damaged tail is kept, and the store is whole up to there."""
    path, ends = died
    content = bytearray(tail_of(path).read_bytes())
    content[ends[4] + 40] ^= 0x10
    tail_of(path).write_bytes(content)
    store = open_store(path)
    assert len(numbers(store)) == 10
    assert "damaged" in store.notes[0]
    assert path.with_name("n.duckdb.tail.corrupt-0").read_bytes() == content
    store.close()


def test_a_tail_of_another_state_of_the_file_is_not_used(
    died: tuple[Path, list[int]], tmp_path: Path
) -> None:
    """An older copy of the file was put back: numbers would be missing in between."""
    path, _ = died
    empty = open_store(tmp_path / "old.duckdb")
    empty.close()
    store = open_store(path)
    store.close()
    store = open_store(path)
    store.commit([Record("k", "r", body=b'{"n":25}')])
    shutil.copy(tail_of(path), tmp_path / "kept.tail")
    store.close()
    shutil.copy(tmp_path / "old.duckdb", path)
    shutil.copy(tmp_path / "kept.tail", tail_of(path))
    store = open_store(path)
    assert store.last_seq == 0
    assert "n.duckdb.tail.stale-0" in store.notes[0]
    store.close()


def test_rows_that_are_in_the_file_already_are_not_taken_twice(
    died: tuple[Path, list[int]], tmp_path: Path
) -> None:
    """A kill between moving rows and emptying the tail leaves both."""
    path, _ = died
    shutil.copy(tail_of(path), tmp_path / "kept.tail")
    open_store(path).close()
    shutil.copy(tmp_path / "kept.tail", tail_of(path))
    store = open_store(path)
    assert store.notes == ()
    assert len(numbers(store)) == 2 * COMMITS
    store.close()


def test_a_tail_that_vanishes_is_made_again(tmp_path: Path, run_python: RunPython) -> None:
    """Whoever removed it, what was and what will be acknowledged survives a kill."""
    path = tmp_path / "n.duckdb"
    program = """
import os, signal, sys
from stepwell.store import Record, open_store
store = open_store(sys.argv[1])
store.commit([Record("k", body=b'{"n":1}')])
os.unlink(sys.argv[1] + ".tail")
for n in (2, 3, 4):
    store.commit([Record("k", body=b'{"n":%d}' % n)])
os.kill(os.getpid(), signal.SIGKILL)
"""
    run_python(program, path, expected=-9)
    store = open_store(path)
    assert len(numbers(store)) == 4
    store.close()


def test_readers_see_what_is_in_the_tail(tmp_path: Path) -> None:
    """Rows, values and answers to SQL, at once."""
    store = open_store(tmp_path / "n.duckdb")
    blob = Blob(Digest("0" * 32), "raw", "bytes", 3, "", b"abc")
    store.commit([Record("k", "r", body=b'{"n":1}', blob=blob)])
    assert tail_of(tmp_path / "n.duckdb").stat().st_size > 0
    assert store.blob(blob.digest).data == b"abc"
    store.commit([Record("k", "r", body=b'{"n":2}')])
    assert store.sql("SELECT count(*) FROM records").fetchall() == [(2,)]
    store.commit([Record("k", "r", body=b'{"n":3}')])
    assert len(numbers(store)) == 3
    store.close()


def test_much_that_comes_after_little_keeps_its_order(tmp_path: Path) -> None:
    """Many records go into the file, behind those that wait in the tail."""
    store = open_store(tmp_path / "n.duckdb")
    number = 0
    for count in (1, 1, 50, 2, 3, 400, 1):
        store.commit([Record("k", "r", body=b'{"n":%d}' % (number + n + 1)) for n in range(count)])
        number += count
    assert len(numbers(store)) == number
    store.close()


def test_the_tail_does_not_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is emptied whenever so many rows wait in it."""
    monkeypatch.setattr(_journal, "FOLD_ROWS", 20)
    store = open_store(tmp_path / "n.duckdb")
    sizes: list[int] = []
    for n in range(100):
        store.commit([Record("k", "r", body=b'{"n":%d}' % (n + 1))])
        sizes.append(tail_of(tmp_path / "n.duckdb").stat().st_size)
    assert max(sizes[40:]) < max(sizes[:40]) + 50
    assert len(numbers(store)) == 100
    store.close()


def test_a_tail_that_does_not_fit_on_the_disk_is_told(tmp_path: Path) -> None:
    """Nothing of the record is left, and it is business as usual when there is space."""
    store = open_store(tmp_path / "n.duckdb")
    store.commit([Record("k", "r", body=b'{"n":1}')])
    room = tail_of(tmp_path / "n.duckdb").stat().st_size + 30
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(StoreFull, match="Free some space"):
            store.commit([Record("k", "r", body=b'{"n":2}')])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    store.commit([Record("k", "r", body=b'{"n":2}')])
    assert len(numbers(store)) == 2
    store.close()


def test_a_frame_knows_its_length() -> None:
    """The layout is that of released stores: it does not change."""
    from stepwell.store._tail import _HEAD, _MARK  # pyright: ignore[reportPrivateUsage]

    assert (_MARK, _HEAD.size, struct.calcsize(_HEAD.format)) == (b"\xf7sw1", 24, 24)
