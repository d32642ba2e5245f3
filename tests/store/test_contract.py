"""What every store promises, over the one in a file and the one in memory."""

import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from stepwell.errors import InvalidUsage, StoreClosed, StoreError, ValueUnreadable
from stepwell.store import Blob, Committed, Digest, Record, Row, Store, open_store

MakeBlob = Callable[..., Blob]


def _numbered(count: int, run: str = "r") -> list[Record]:
    return [Record("k", run, body=b'{"n":%d}' % n) for n in range(count)]


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    """Every field survives, whatever characters people use."""
    record = Record(
        "kind", "r✓", "step ü", "item\n\t'\"", 3, 1_700_000_000_000_001, b'{"a": "\xc3\xa4"}'
    )
    store.commit([record])
    assert store.rows() == [
        Row(
            1, "kind", "r✓", "step ü", "item\n\t'\"", 3, 1_700_000_000_000_001,
            b'{"a": "\xc3\xa4"}', None,
        )
    ]  # fmt: skip


def test_records_are_numbered_without_gaps(store: Store) -> None:
    """The first is 1, and each append says up to where everything is kept."""
    assert store.last_seq == 0
    assert store.commit(_numbered(3)) == Committed(3)
    assert store.commit(_numbered(2)) == Committed(5)
    assert [row.seq for row in store.rows()] == [1, 2, 3, 4, 5]
    assert store.last_seq == 5


def test_appends_are_answered_in_their_order(store: Store) -> None:
    """Each append hears once of its own last record, in the order they were made."""
    answers: list[Committed | StoreError] = []
    for _ in range(200):
        store.append(_numbered(2), answers.append)
    store.commit([])
    assert answers == [Committed(2 * n) for n in range(1, 201)]


def test_appends_of_many_threads_stay_whole(store: Store) -> None:
    """Records of one append stand next to each other, whoever else appends."""

    def append(name: str) -> None:
        for _ in range(40):
            store.append(_numbered(5, name))

    threads = [threading.Thread(target=append, args=[name]) for name in ("a", "b", "c", "d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.commit([])
    runs = [row.run for row in store.rows()]
    assert len(runs) == 800
    assert all(len(set(runs[n : n + 5])) == 1 for n in range(0, 800, 5))


def test_an_empty_append_is_a_barrier(store: Store) -> None:
    """It is answered when all that came before it is kept."""
    store.append(_numbered(100))
    assert store.commit([]) == Committed(100)


def test_a_record_that_cannot_be_read_back_is_refused(store: Store) -> None:
    """The whole append is refused with the reason, and nothing of it is kept."""
    good = Record("k")
    for bad, reason in (
        (Record("k", step="a\x1fb"), "U\\+001F"),
        (Record("k", item="\ud800"), "UTF-8"),
        (Record("k", body=b"{"), "not JSON"),
        (Record("k", body=b"[1]"), "not an object"),
        (Record("k", body=b'{"a":"\xff"}'), "not JSON"),
        (Record("k", at=2**80), "microseconds"),
    ):
        with pytest.raises(InvalidUsage, match=reason):
            store.append([good, bad])
    assert store.commit([]) == Committed(0)


def test_rows_are_chosen_by_run_number_and_kind(store: Store) -> None:
    """Any combination of the three narrows the answer and keeps the order."""
    store.commit([Record(kind, run) for run in ("a", "ab") for kind in ("x", "y", "z")])
    assert [row.seq for row in store.rows("a")] == [1, 2, 3]
    assert [row.seq for row in store.rows("ab", kinds=["z", "x"])] == [4, 6]
    assert [row.seq for row in store.rows(after=4)] == [5, 6]
    assert [row.seq for row in store.rows(kinds=["y"], after=2)] == [5]
    assert [row.seq for row in store.rows("a", kinds=["y"], after=2)] == []
    assert store.rows("b") == []
    assert store.rows(kinds=[]) == []


def test_latest_is_the_last_of_each_step_and_item(store: Store) -> None:
    """Of several records of the wanted kinds only the last one of each step and item comes."""
    store.commit(
        [
            Record("done", "r", "a", attempt=1),
            Record("done", "r", "a", "i", attempt=1),
            Record("failed", "r", "b", attempt=1),
            Record("started", "r", "a", attempt=2),
            Record("failed", "r", "a", attempt=2),
            Record("done", "other", "a", attempt=9),
        ]
    )
    latest = store.latest("r", ["done", "failed"])
    assert [(row.seq, row.step, row.item, row.kind) for row in latest] == [
        (2, "a", "i", "done"),
        (3, "b", "", "failed"),
        (5, "a", "", "failed"),
    ]
    assert store.latest("nobody", ["done"]) == []


def test_a_small_blob_comes_back_with_its_record(store: Store, make_blob: MakeBlob) -> None:
    """The row names the digest; the digest finds the blob, byte for byte."""
    blob = make_blob(b"\0\xff value", preview='{"a": "ü"}')
    assert store.put(blob) is blob
    store.commit([Record("value", "r", blob=blob)])
    assert store.rows()[0].digest == blob.digest
    assert store.blob(blob.digest) == blob
    assert store.has(blob.digest)


def test_a_large_blob_leaves_its_payload_where_it_was_put(
    store: Store, make_blob: MakeBlob
) -> None:
    """Put answers without data; the record carries that; reading brings the data back."""
    blob = make_blob(bytes(range(256)) * 1000)
    put = store.put(blob)
    assert put == blob.without_data()
    assert not store.has(blob.digest)
    store.commit([Record("value", blob=put)])
    assert store.has(blob.digest)
    assert store.blob(blob.digest) == blob


def test_a_large_blob_that_was_not_put_is_kept_all_the_same(
    store: Store, make_blob: MakeBlob
) -> None:
    """Forgetting `put` costs time, not the value."""
    blob = make_blob(b"x" * 100_000)
    store.commit([Record("value", blob=blob)])
    assert store.blob(blob.digest) == blob


def test_a_blob_may_be_carried_again_without_its_data(store: Store, make_blob: MakeBlob) -> None:
    """A durable value is referred to by later records, with or without its payload."""
    blob = make_blob(b"once")
    store.commit([Record("value", "a", blob=blob)])
    store.commit([Record("value", "b", blob=blob.without_data()), Record("v", "c", blob=blob)])
    assert [row.digest for row in store.rows()] == [blob.digest] * 3
    assert store.blob(blob.digest) == blob


def test_many_blobs_are_read_at_once(store: Store, make_blob: MakeBlob) -> None:
    """Any number, small and large, in one answer; asking twice for one is harmless."""
    made = [make_blob(b"%d" % n * (1 if n % 10 else 40_000)) for n in range(50)]
    store.commit([Record("value", blob=store.put(blob)) for blob in made])
    digests = [blob.digest for blob in made]
    assert store.blobs([*digests, digests[0]]) == {blob.digest: blob for blob in made}
    assert store.blobs([]) == {}


def test_an_unknown_blob_is_an_error(store: Store, make_blob: MakeBlob) -> None:
    """Neither reading nor referring to a value that is not there passes silently."""
    nowhere = Digest("0" * 32)
    assert not store.has(nowhere)
    with pytest.raises(ValueUnreadable, match="not in this store"):
        store.blob(nowhere)
    with pytest.raises(ValueUnreadable, match="not in this store"):
        store.append([Record("value", blob=make_blob(b"never kept").without_data())])
    with pytest.raises(InvalidUsage, match="not a digest"):
        store.append([Record("value", blob=Blob(Digest("short"), "raw", "bytes", 1, "", b"x"))])
    assert store.commit([]) == Committed(0)


def test_small_facts_are_kept(store: Store) -> None:
    """A fact can be set, read and changed; the store's own ones are its own."""
    assert store.meta("notebook") is None
    store.set_meta("notebook", "a.ipynb")
    store.set_meta("notebook", "b.ipynb")
    assert store.meta("notebook") == "b.ipynb"
    with pytest.raises(InvalidUsage, match="'schema'"):
        store.set_meta("schema", "7")


def test_sql_sees_what_is_durable(store: Store, make_blob: MakeBlob) -> None:
    """The views answer as soon as the records are kept, with parameters."""
    store.commit([Record("value", "r", "s", blob=make_blob(b"[1]", preview="[1]"))])
    assert store.sql('SELECT type, preview FROM "values"').fetchall() == [("bytes", "[1]")]
    assert store.sql("FROM records SELECT step WHERE run = ?", ["r"]).fetchall() == [("s",)]


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO journal VALUES (9, '', '{}', NULL, NULL)",
        "DROP VIEW runs",
        "SET threads = 8",
        "SELECT 1; SELECT 2",
        "ATTACH ':memory:' AS other",
        "",
    ],
)
def test_sql_only_reads(store: Store, query: str) -> None:
    """Anything but one reading statement is refused before it is run."""
    with pytest.raises(InvalidUsage):
        store.sql(query)
    assert store.sql("SELECT count(*) FROM records").fetchall() == [(0,)]


def test_an_answer_of_sql_cannot_write_either(store: Store) -> None:
    """Nor does a statement that hides a change, or a method of the relation."""
    with pytest.raises(duckdb.Error, match="read-only"):
        store.sql(
            "EXPLAIN ANALYZE INSERT INTO s.journal VALUES (9, '', '{}', NULL, NULL)"
        ).fetchall()
    with pytest.raises(duckdb.Error, match="read-only"):
        store.sql("SELECT * FROM records").create("mine")
    assert store.commit([Record("k")]) == Committed(1)


def test_a_mistake_in_a_query_is_told_by_duckdb(store: Store) -> None:
    """A wrong name raises DuckDB's own error, which points at it."""
    with pytest.raises(duckdb.CatalogException, match="nothing_here"):
        store.sql("SELECT * FROM nothing_here")


def test_a_snapshot_is_a_store(store: Store, make_blob: MakeBlob, tmp_path: Path) -> None:
    """It holds everything durable, values included, and never overwrites anything."""
    small, large = make_blob(b"small"), make_blob(b"large" * 20_000)
    store.set_meta("notebook", "a.ipynb")
    store.commit([Record("value", "r", blob=store.put(blob)) for blob in (small, large)])
    target = store.snapshot(tmp_path / "copies" / "copy.duckdb")
    copy = open_store(target)
    try:
        assert copy.rows() == store.rows()
        assert copy.blobs([small.digest, large.digest]) == store.blobs([small.digest, large.digest])
        assert copy.meta("notebook") == "a.ipynb"
        assert copy.sql("SELECT count(*) FROM runs").fetchall() == [(1,)]
    finally:
        copy.close()
    with pytest.raises(InvalidUsage, match="exists already"):
        store.snapshot(target)


def test_a_closed_store_says_so(store: Store) -> None:
    """Closing twice is harmless; afterwards everything else is a clear error."""
    store.commit([Record("k")])
    store.close()
    store.close()
    answers: list[Committed | StoreError] = []
    store.append([Record("k")], answers.append)
    assert [type(answer) for answer in answers] == [StoreClosed]
    for use in (
        lambda: store.append([Record("k")]),
        lambda: store.commit([Record("k")]),
        store.rows,
        lambda: store.latest("r", ["k"]),
        lambda: store.blob(Digest("0" * 32)),
        lambda: store.sql("SELECT 1"),
        lambda: store.set_meta("a", "b"),
    ):
        with pytest.raises(StoreClosed, match="closed"):
            use()


def test_rows_can_be_read_in_portions(store: Store) -> None:
    """`until` is the last number wanted."""
    store.commit([Record("a", "r"), Record("b", "s"), Record("c", "r"), Record("d", "r")])
    assert [row.kind for row in store.rows("r", after=0, until=3)] == ["a", "c"]
    assert [row.kind for row in store.rows(after=1, until=3)] == ["b", "c"]
    assert [row.kind for row in store.rows("r", until=3, kinds=["c", "d"])] == ["c"]
    assert store.rows("r", after=4, until=9) == []


def test_a_shortcut_is_what_was_last_kept(store: Store) -> None:
    """For one run, and in one form."""
    store.commit([Record("a", "r"), Record("b", "s"), Record("c", "r")])
    first, last = store.rows("r")
    store.keep_shortcut(first, "form", [b"one"])
    store.keep_shortcut(last, "form", iter([b"two", b"", b"three"]))
    store.commit([Record("d", "r")])
    found = store.shortcut("r")
    assert found is not None
    assert (found.seq, found.form) == (3, "form")
    assert list(found.parts) == [b"two", b"", b"three"]
    assert store.shortcut("s") is None
    store.drop_shortcut("r")
    store.drop_shortcut("r")
    assert store.shortcut("r") is None


def test_a_shortcut_of_other_records_is_not_there(store: Store) -> None:
    """Of records that are not here any more, or have another number."""
    store.commit([Record("a", "old"), Record("b", "r"), Record("c", "r")])
    last = store.rows("r")[-1]
    store.rewrite(["old"])
    assert store.numbering == 1
    store.keep_shortcut(last, "form", [b"one"])
    assert store.shortcut("r") is None
    now = store.rows("r")[-1]
    store.keep_shortcut(now, "form", [b"one"])
    assert store.shortcut("r") is not None
    store.rewrite()
    assert store.shortcut("r") is None
