"""A damaged write-ahead log costs what lies behind the damage, and never silently."""

import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stepwell.errors import StoreCorrupt
from stepwell.store import Record, open_store

Change = Callable[[bytearray], bytearray | None]
Damage = Callable[[Change], Path]

COMMITS = 12
PER_COMMIT = 5

# Ends without closing, so that everything is still in the log; says where each commit ends.
_WRITE = """
import os, sys
from stepwell.store import Record, _journal, open_store
_journal.TAIL_ROWS = 0  # everything into DuckDB's own log
path = sys.argv[1]
store = open_store(path)
for commit in range(12):
    body = b'{"n":"%s"}' % os.urandom(200).hex().encode()
    store.commit([Record("k", "r", f"step {commit}", body=body)] * 5)
    print(os.path.getsize(path + ".wal"))
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """Give a folder with a store that ended without closing, and where its commits end."""
    folder = tmp_path_factory.mktemp("crashed")
    said = subprocess.run(
        [sys.executable, "-c", _WRITE, str(folder / "n.duckdb")],
        capture_output=True,
        text=True,
        check=True,
    )
    (folder / "n.duckdb.lock").unlink()
    return folder, [int(line) for line in said.stdout.split()]


@pytest.fixture
def damage(crashed: tuple[Path, list[int]], tmp_path: Path) -> Damage:
    """Copy the crashed store and change its log; answers the path of the copy."""
    folder, _ = crashed
    path = tmp_path / "copy" / "n.duckdb"
    shutil.copytree(folder, path.parent)

    def change(how: Change) -> Path:
        wal = path.with_name("n.duckdb.wal")
        content = bytearray(wal.read_bytes())
        wal.write_bytes(how(content) or content)
        return path

    return change


def _kept(path: Path) -> tuple[int, tuple[str, ...]]:
    store = open_store(path)
    try:
        kept, notes = len(store.rows()), store.notes
        # It goes on from there, and the next time there is nothing left to tell.
        store.commit([Record("k")])
    finally:
        store.close()
    again = open_store(path)
    assert (again.last_seq, again.notes) == (kept + 1, ())
    again.close()
    return kept, notes


def test_an_undamaged_log_is_simply_read(damage: Damage) -> None:
    """A crash alone is nothing to talk about."""
    assert _kept(damage(lambda content: content)) == (COMMITS * PER_COMMIT, ())


@pytest.mark.parametrize("back", [1, 15, 21, 400])
def test_a_log_that_breaks_off_is_the_trace_of_a_crash(damage: Damage, back: int) -> None:
    """What was being written when the process died was never acknowledged: no alarm."""
    kept, notes = _kept(damage(lambda content: content[:-back]))
    assert kept == (COMMITS - 1) * PER_COMMIT
    assert notes == ()


@pytest.mark.parametrize("commit", [1, 6, 11])
def test_a_flipped_bit_costs_what_lies_behind_it(
    damage: Damage, crashed: tuple[Path, list[int]], commit: int
) -> None:
    """Every commit before it is saved, the loss is told, and the damaged log is kept."""
    at = crashed[1][commit] - 700

    def flip(content: bytearray) -> None:
        content[at] ^= 0x10

    path = damage(flip)
    damaged = path.with_name("n.duckdb.wal").read_bytes()
    kept, notes = _kept(path)
    assert kept == commit * PER_COMMIT
    assert len(notes) == 1
    assert f"{COMMITS - commit} commits" in notes[0]
    copies = list(path.parent.glob("n.duckdb.wal.corrupt-*"))
    assert [copy.read_bytes() for copy in copies] == [damaged]
    assert copies[0].name in notes[0]
    assert copies[0].stat().st_mode & 0o077 == 0


def test_zeroes_in_the_last_commit_cost_that_commit(
    damage: Damage, crashed: tuple[Path, list[int]]
) -> None:
    """A half-written page at a power failure does not take earlier commits with it."""
    end = crashed[1][-1]

    def blank(content: bytearray) -> None:
        content[end - 600 : end - 100] = bytes(500)

    kept, notes = _kept(damage(blank))
    assert kept == (COMMITS - 1) * PER_COMMIT
    assert len(notes) == 1


def test_a_damage_that_duckdb_would_not_notice_is_told(
    damage: Damage, crashed: tuple[Path, list[int]]
) -> None:
    """With a wrong length in the middle DuckDB drops the rest in silence; a person hears of it."""
    start = crashed[1][5]

    def stretch(content: bytearray) -> None:
        struct.pack_into("<Q", content, start, 1 << 40)

    path = damage(stretch)
    kept, notes = _kept(path)
    assert kept == 6 * PER_COMMIT
    assert f"{COMMITS - 6} commits" in notes[0]
    assert len(list(path.parent.glob("n.duckdb.wal.corrupt-*"))) == 1


def test_a_log_of_another_state_of_the_file_is_set_aside(damage: Damage, tmp_path: Path) -> None:
    """A file restored without its log opens as it is; the log is kept and told of."""
    path = damage(lambda content: content)
    stale = path.with_name("n.duckdb.wal").read_bytes()
    open_store(path).close()
    store = open_store(path)
    store.commit([Record("k")])
    store.close()
    path.with_name("n.duckdb.wal").write_bytes(stale)
    kept, notes = _kept(path)
    assert kept == COMMITS * PER_COMMIT + 1
    assert "kept as n.duckdb.wal.stale-" in notes[0]
    assert next(path.parent.glob("n.duckdb.wal.stale-*")).read_bytes() == stale


def test_a_damaged_file_is_left_alone(damage: Damage) -> None:
    """When the file itself is broken nothing is changed, and the message says what to do."""
    path = damage(lambda content: content)
    content = bytearray(path.read_bytes())
    content[8 + 4096 * 2 : 60 + 4096 * 2] = bytes(52)
    content[8 + 4096 : 60 + 4096] = bytes(52)
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match="backup"):
        open_store(path)
    assert path.read_bytes() == content
    assert path.with_name("n.duckdb.wal").exists()
