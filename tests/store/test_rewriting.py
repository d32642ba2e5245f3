"""A store written anew keeps what is needed, and survives being killed while it is written."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepwell.errors import StoreError, ValueUnreadable
from stepwell.store import Blob, Record, Store, Tables, _journal, open_store
from stepwell.store._rewriting import rewritten_path, write_anew

MakeBlob = Callable[..., Blob]


def carrying(run: str, blob: Blob, *, step: str = "s", kind: str = "k") -> Record:
    """A record with a blob, which its body speaks of."""
    body = b'{"outputs":{"x":{"digest":"%s"}}}' % blob.digest.encode()
    return Record(kind, run, step, at=1, body=body, blob=blob)


def speaking_of(run: str, blob: Blob) -> Record:
    """A record of another run that only names the value."""
    return Record("k", run, "s", at=2, body=b'{"inputs":{"x":"%s"}}' % blob.digest.encode())


def test_a_dropped_run_goes_with_its_values(store: Store, make_blob: MakeBlob) -> None:
    """What only that run refers to is gone; the rest is as it was, numbered without gaps."""
    gone, kept = make_blob(b"gone"), make_blob(b"kept" * 50_000)
    store.commit([carrying("old", gone), carrying("new", kept)])
    done = store.rewrite(["old"])
    assert done.dropped == 1
    assert [(row.seq, row.run) for row in store.rows()] == [(1, "new")]
    assert store.blob(kept.digest).data == kept.data
    assert not store.has(gone.digest)
    with pytest.raises(ValueUnreadable):
        store.blob(gone.digest)


def test_a_value_that_a_kept_run_speaks_of_stays(store: Store, make_blob: MakeBlob) -> None:
    """Also when only the dropped run wrote it: small and large, once and again."""
    blobs = [make_blob(b"small"), make_blob(b"large" * 50_000)]
    store.commit([carrying("old", blob) for blob in blobs])
    store.commit([speaking_of("new", blob) for blob in blobs])
    for _ in range(2):
        store.rewrite(["old"])
        assert {row.run for row in store.rows()} == {"", "new"}
        assert [store.blob(blob.digest).data for blob in blobs] == [blob.data for blob in blobs]
    assert [row.kind for row in store.rows(run="new")] == ["k", "k"]
    assert store.sql("select run from runs").fetchall() == [("new",)]
    store.rewrite(["new"])
    assert store.rows() == []


def test_a_rewritten_store_goes_on(store: Store, make_blob: MakeBlob) -> None:
    """Numbers follow on, facts are kept, and a value that was dropped can be written again."""
    again = make_blob(b"again")
    store.set_meta("notebook", "a.ipynb")
    store.set_meta("notebook", "b.ipynb")
    store.commit([carrying("old", again), Record("k", "new")])
    store.rewrite(["old"])
    assert store.commit([carrying("new", again)]).seq == 2
    assert store.blob(again.digest).data == again.data
    assert store.meta("notebook") == "b.ipynb"
    assert store.check() == []
    assert store.sql("select count(*) from runs").fetchall() == [(1,)]


def test_a_store_without_anything_to_drop_is_rewritten_too(store: Store) -> None:
    """Vacuum: the same records, no run less; an empty store stays empty."""
    assert store.rewrite().dropped == 0
    store.commit([Record("k", "r", "s", body=b'{"n":1}')] * 3)
    before = store.rows()
    assert store.rewrite().dropped == 0
    assert store.rows() == before


def test_the_file_gets_smaller_and_is_found_whole_again(
    tmp_path: Path, make_blob: MakeBlob
) -> None:
    """Space comes back: in the file, in the folder of large values; and others may open it."""
    path = tmp_path / "n.duckdb"
    store = open_store(path)
    kept = make_blob(b"kept" * 50_000)
    for _ in range(40):
        store.commit([carrying("old", make_blob(os.urandom(60_000))) for _ in range(10)])
        store.commit([carrying("old", make_blob(os.urandom(70_000))), carrying("new", kept)])
    done = store.rewrite(["old"])
    assert done.dropped == 440
    assert done.after < done.before / 10
    store.close()
    assert sum(file.is_file() for file in (tmp_path / "n.duckdb.blobs").rglob("*")) == 1
    with_views = open_store(path)
    assert with_views.check() == []
    assert with_views.blob(kept.digest).data == kept.data
    with_views.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "n.duckdb",
        "n.duckdb.blobs",
        "n.duckdb.lock",
    ]


def test_readers_of_other_threads_wait_for_the_new_file(file_store: Store) -> None:
    """Whoever reads meanwhile reads the old file or the new one, never none."""
    file_store.commit([Record("k", "r", body=b"{}")] * 500)
    ended = threading.Event()
    seen: list[int] = []
    errors: list[BaseException] = []

    def read() -> None:
        try:
            while not ended.is_set():
                seen.append(len(file_store.rows("r")))
        except BaseException as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5):
        file_store.rewrite()
    ended.set()
    reader.join()
    assert errors == []
    assert set(seen) == {500}


def test_a_rewriting_that_fails_leaves_the_store_as_it_was(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, or a new file that is not what it should be: told, and nothing changed."""
    from stepwell.store import _rewriting

    file_store.commit([Record("k", "r"), Record("k", "s")])

    def fail(*_: object) -> None:
        raise StoreError("it is not what it should be")

    monkeypatch.setattr(_rewriting, "_verify", fail)
    with pytest.raises(StoreError, match="not what it should be"):
        file_store.rewrite(["r"])
    assert len(file_store.rows()) == 2
    assert file_store.commit([Record("k", "r")]).seq == 3
    assert file_store.path is not None
    assert not _rewriting.rewritten_path(file_store.path).exists()


# -- killed ---------------------------------------------------------------------------------

_REWRITER = """
import os, sys
from hashlib import blake2b
from stepwell.store import Blob, Record, open_store

store = open_store(sys.argv[1])
number = int(sys.argv[2])

def record(run, n):
    data = (b"%s %d " % (run.encode(), n)) * (20_000 if n % 5 == 0 else 20)
    digest = blake2b(data, digest_size=16).hexdigest()
    blob = Blob(digest, "raw", "bytes", len(data), "", data)
    body = b'{"digest":"%s"}' % digest.encode()
    return Record("k", run, "s", body=body, blob=store.put(blob))

while True:
    number += 1
    store.commit([record(f"run {number}", n) for n in range(40)])
    os.write(1, b"%d\\n" % number)
    store.rewrite([f"run {number - 3}"])
    os.write(1, b"%d\\n" % -max(0, number - 3))
"""


def _rewrite_and_kill(path: Path, number: int, delay: float) -> tuple[int, int]:
    """Answers the last run that is surely kept and the last that is surely dropped."""
    with subprocess.Popen(
        [sys.executable, "-c", _REWRITER, str(path), str(number)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        timer = threading.Timer(delay, process.send_signal, [signal.SIGKILL])
        timer.start()
        said = first + process.stdout.read()
        timer.join()
    numbers = [int(line) for line in said.split(b"\n")[:-1]]
    return max(numbers), -min(0, *numbers)


def test_killed_while_rewriting_nothing_kept_is_lost(tmp_path: Path) -> None:
    """Killed at random moments: the store opens, is whole, and holds every run it should."""
    path = tmp_path / "n.duckdb"
    choice = random.Random(7)
    number = dropped = 0
    for round_ in range(12):
        number, gone = _rewrite_and_kill(path, number, choice.uniform(0.0, 0.4))
        dropped = max(dropped, gone)
        store = open_store(path)
        try:
            assert store.notes == ()
            # A kill may leave files that no record speaks of; nothing else may be wrong.
            assert [it for it in store.check() if "belong to no value" not in it.what] == []
            there = {row.run for row in store.rows() if row.run}
            assert {f"run {n}" for n in range(max(1, number - 1), number + 1)} <= there
            assert f"run {dropped}" not in there or round_ == 0
            number = max(int(run.split()[1]) for run in there)
            store.rewrite()
            assert store.check() == []
        finally:
            store.close()


_DIES_AT = """
import os, sys
from pathlib import Path
from typing import Any
from stepwell.store import Record, _journal, _payloads, open_store
from stepwell.store._instance import Instance

store = open_store(sys.argv[1])
store.commit([Record("k", "old")] * 3 + [Record("k", "new", body=b'{"n":1}')] * 2)

def dying(*_):
    os._exit(9)

place, name, when = sys.argv[2:]
owner = {"journal": _journal, "path": Path, "instance": Instance, "payloads": _payloads}[place]
original = getattr(owner, name)

def after(*arguments):
    original(*arguments)
    os._exit(9)

setattr(owner, name, dying if when == "before" else after)
store.rewrite(["old"])
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "place",
    [
        "journal write_anew",
        "instance detach",
        "path replace",
        "journal sync_folder",
        "instance attach",
        "payloads sweep",
    ],
)
def test_whoever_dies_at_any_step_of_it_loses_nothing(
    tmp_path: Path, run_python: Callable[..., str], place: str, when: str
) -> None:
    """Afterwards the store is the old one or the new one, whole, and can be rewritten."""
    path = tmp_path / "n.duckdb"
    run_python(_DIES_AT, path, *place.split(), when, expected=9)
    store = open_store(path)
    assert store.notes == ()
    assert store.check() == []
    assert len(store.rows("new")) == 2
    assert len(store.rows("old")) in (0, 3)
    store.rewrite(["old"])
    assert [row.run for row in store.rows()] == ["new", "new"]
    store.close()
    assert not path.with_name(path.name + ".rewriting").exists()


def test_a_large_value_that_was_put_is_there_when_its_record_comes(
    file_store: Store, make_blob: MakeBlob
) -> None:
    """Whoever put it counts on it, although its file was an old run's and that run has gone."""
    large = make_blob(b"large" * 50_000)
    file_store.commit([carrying("old", large)])
    bare = file_store.put(large)
    assert bare.data is None
    file_store.rewrite(["old"])
    assert not file_store.has(large.digest)
    file_store.commit([carrying("new", bare)])
    assert file_store.blob(large.digest).data == large.data
    file_store.rewrite(["new"])
    assert file_store.check() == []
    assert file_store.path is not None
    assert not any(it.is_file() for it in file_store.path.parent.glob("*.blobs/*/*"))


def test_values_are_put_while_the_store_is_rewritten(
    file_store: Store, make_blob: MakeBlob
) -> None:
    """None that a record comes to carry is ever missing, whoever else had it."""
    blobs = [make_blob(bytes([number]) * 70_000) for number in range(6)]
    is_over = threading.Event()
    made: list[Blob] = []

    def put() -> None:
        chance = random.Random(1)
        while not is_over.is_set():
            made.append(file_store.put(chance.choice(blobs)))

    file_store.commit([carrying("run 0", blob) for blob in blobs])
    putter = threading.Thread(target=put)
    putter.start()
    for number in range(25):
        file_store.rewrite([f"run {number}"])
        taken = made[-3:]
        file_store.commit([carrying(f"run {number + 1}", blob) for blob in taken])
        assert all(file_store.blob(blob.digest).data for blob in taken)
    is_over.set()
    putter.join()
    assert [it for it in file_store.check() if "belong to no value" not in it.what] == []


def test_a_store_with_an_open_transaction_is_left_alone(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it begins, and also when the transaction begins in the middle of it."""
    file_store.commit([Record("k", "old"), Record("k", "new")])
    tables = file_store.begin()
    with pytest.raises(StoreError, match="a transaction on its tables is open"):
        file_store.rewrite(["old"])
    tables.rollback()
    began: list[Tables] = []

    def beginning(*arguments: Any) -> Path:
        began.append(file_store.begin())
        return write_anew(*arguments)

    monkeypatch.setattr(_journal, "write_anew", beginning)
    with pytest.raises(StoreError, match="a transaction on its tables is open"):
        file_store.rewrite(["old"])
    assert not rewritten_path(file_store.path or Path()).exists()
    began[0].execute("create table t as select 1 as n")
    file_store.append_with(began[0], [Record("k", "new")], lambda answer: None)
    file_store.commit([])
    assert [row.run for row in file_store.rows()] == ["old", "new", "new"]
    monkeypatch.undo()
    assert file_store.rewrite(["old"]).dropped == 1
    assert file_store.sql("select n from data.t").fetchall() == [(1,)]
