"""A full disk costs the records that did not fit, and nothing else.

A limit on the size of files stands in for the disk: it needs no privileges, and the
system refuses a write just as it does when there is no space.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from stepwell.errors import StoreCorrupt
from stepwell.store import Digest, Record, open_store
from stepwell.store._instance import Instance

RunPython = Callable[..., str]

_START = """
import os, resource, sys
from hashlib import blake2b
from stepwell.errors import StoreError, StoreFull
from stepwell.store import Blob, Record, _journal, open_store

_journal.TAIL_ROWS = 0  # everything into DuckDB's own log
path = sys.argv[1]
store = open_store(path)
acknowledged = 0

def record(size=50_000):
    data = os.urandom(size)
    digest = blake2b(data, digest_size=16).hexdigest()
    return Record("k", blob=Blob(digest, "raw", "bytes", size, "", data))

def limit(size):
    size = resource.RLIM_INFINITY if size is None else size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def keep(*records):
    global acknowledged
    acknowledged = store.commit(records).seq
    assert len(store.rows()) == acknowledged == store.last_seq

for _ in range(10):
    keep(record())
"""

_NO_ROOM_FOR_THE_LOG = (
    _START
    + """
limit(1 << 20)
try:
    while True:
        keep(record())
except StoreFull as error:
    assert "Free some space" in str(error), error
assert len(store.rows()) == acknowledged
heard = []
store.append([Record("a")], heard.append)
store.append([record(), record()], heard.append)
store.append([Record("b")], heard.append)
store.set_meta("notebook", "n.ipynb")
print(*(type(answer).__name__ for answer in heard))
limit(None)
acknowledged = store.last_seq
keep(record())
print(acknowledged, flush=True)
os._exit(0)
"""
)

_NO_ROOM_FOR_A_CHECKPOINT = (
    _START
    + """
reopened = []
reopen = _journal.Journal._reopen
_journal.Journal._reopen = lambda *these: (reopened.append(1), reopen(*these))
if sys.argv[2] == "ours":
    _journal.CHECKPOINT_BYTES = store._journal._checkpoint_at = 600_000
else:
    store._instance.new_cursor().execute("SET wal_autocheckpoint = '600KB'")
for _ in range(10):
    keep(record())
# The log has just been emptied; what it is to be moved into may not grow.
limit(os.path.getsize(path) + 60_000)
for _ in range(15):
    keep(record(), Record("small"))
assert reopened, "the checkpoint was expected to fail"
limit(None)
keep(record())
print(acknowledged, flush=True)
os._exit(0)
"""
)


def _kept(path: Path) -> int:
    store = open_store(path)
    try:
        assert store.notes == ()
        assert [row.seq for row in store.rows()] == list(range(1, store.last_seq + 1))
        digests = [row.digest for row in store.rows() if row.digest]
        assert len(store.blobs(digests)) == len(digests)
        return store.last_seq
    finally:
        store.close()


def test_what_did_not_fit_is_told_and_the_rest_goes_on(
    tmp_path: Path, run_python: RunPython
) -> None:
    """`StoreFull`, then business as usual once there is space, in the same process."""
    path = tmp_path / "n.duckdb"
    said = run_python(_NO_ROOM_FOR_THE_LOG, path).split()
    assert set(said[:3]) <= {"Committed", "StoreFull"}
    assert "StoreFull" in said[:3]
    assert _kept(path) == int(said[3])


def test_a_failed_checkpoint_loses_nothing(tmp_path: Path, run_python: RunPython) -> None:
    """Records are acknowledged once, whatever becomes of the tidying up."""
    path = tmp_path / "n.duckdb"
    assert int(run_python(_NO_ROOM_FOR_A_CHECKPOINT, path, "ours")) == _kept(path)


def test_a_failed_checkpoint_of_duckdb_loses_nothing(tmp_path: Path, run_python: RunPython) -> None:
    """A commit that DuckDB reports as failed but has kept is acknowledged, not repeated."""
    path = tmp_path / "n.duckdb"
    assert int(run_python(_NO_ROOM_FOR_A_CHECKPOINT, path, "duckdb")) == _kept(path)


_NO_ROOM_FOR_A_FILE = (
    _START
    + """
limit(1 << 20)
try:
    store.put(record(2 << 20).blob)
except StoreFull as error:
    print("full")
assert not any(files for _, _, files in os.walk(path + ".blobs"))
limit(None)
keep(record(2 << 20))
store.close()
"""
)


def test_a_value_that_does_not_fit_leaves_nothing_behind(
    tmp_path: Path, run_python: RunPython
) -> None:
    """A large value is written whole or not at all."""
    assert run_python(_NO_ROOM_FOR_A_FILE, tmp_path / "n.duckdb") == "full\n"


def test_a_reader_under_whom_a_checkpoint_fails_reads_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits until the file is attached anew; who is still refused learns that it is damage."""
    store = open_store(tmp_path / "n.duckdb")
    store.commit([Record("k")])
    query, failures = Instance.query, [duckdb.TransactionException("has been invalidated")]

    def fail_first(instance: Instance, name: str, parameters: Any = None) -> Any:
        if name == "carriers" and failures:
            raise failures.pop()
        return query(instance, name, parameters)

    monkeypatch.setattr(Instance, "query", fail_first)
    assert not store.has(Digest("0" * 32))
    assert failures == []
    failures += [duckdb.TransactionException("has been invalidated")] * 2
    with pytest.raises(StoreCorrupt, match="cannot be read"):
        store.has(Digest("0" * 32))
    store.close()
