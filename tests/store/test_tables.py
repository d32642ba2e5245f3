"""The user's tables: written together with records, or not at all; and never against them."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from stepwell.errors import InvalidUsage, StoreClosed, StoreError, TransactionRefused
from stepwell.store import Committed, MemoryStore, Record, Store, Tables, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store in a file."""
    made = open_store(tmp_path / "s.duckdb")
    yield made
    made.close()


def keep(store: Store, tables: Tables, *kinds: str) -> Committed | StoreError:
    """Commit the transaction with records of these kinds; the answer."""
    answers: list[Committed | StoreError] = []
    told = threading.Event()

    def then(answer: Committed | StoreError) -> None:
        answers.append(answer)
        told.set()

    store.append_with(tables, [Record(kind, "r") for kind in kinds], then)
    assert told.wait(10)
    return answers[0]


def kinds(store: Store) -> list[str]:
    """The records there are."""
    return [row.kind for row in store.rows()]


def hits(store: Store) -> list[int]:
    """What is in the table."""
    return [number for (number,) in store.sql("SELECT n FROM hits ORDER BY n").fetchall()]


def made(store: Store) -> None:
    """Let there be a table with one row, and a record."""
    tables = store.begin()
    tables.execute("CREATE TABLE hits (n INTEGER PRIMARY KEY)").execute(
        "INSERT INTO hits VALUES (1)"
    )
    assert keep(store, tables, "made") == Committed(1)


def test_tables_and_records_are_kept_together(store: Store) -> None:
    """And are there for queries, beside the views."""
    made(store)
    assert (hits(store), kinds(store)) == ([1], ["made"])
    both = store.sql("SELECT count(*) FROM hits, records").fetchall()
    assert both == [(1,)]


def test_own_writes_are_read_and_nobody_elses_eyes_see_them(store: Store) -> None:
    """Before they are kept they are the transaction's alone."""
    made(store)
    tables = store.begin()
    tables.execute("INSERT INTO hits VALUES (?)", [2])
    assert tables.execute("SELECT count(*) FROM hits").fetchone() == (2,)
    assert hits(store) == [1]
    tables.rollback()
    assert hits(store) == [1]


def test_records_go_on_while_a_transaction_is_open(store: Store) -> None:
    """A long one stops nobody; numbers stay without gaps, in the order of commits."""
    made(store)
    tables = store.begin()
    tables.execute("INSERT INTO hits VALUES (2)")
    store.commit([Record("other", "r")])
    assert keep(store, tables, "value", "done") == Committed(4)
    store.commit([Record("last", "r")])
    assert kinds(store) == ["made", "other", "value", "done", "last"]
    assert [row.seq for row in store.rows()] == [1, 2, 3, 4, 5]


def test_what_survives_is_both_or_neither_after_a_restart(store: Store) -> None:
    """The file opened anew holds the table and the records."""
    made(store)
    path = store.path
    store.begin().execute("INSERT INTO hits VALUES (2)")
    store.close()
    assert path is not None
    again = open_store(path)
    assert (hits(again), kinds(again)) == ([1], ["made"])
    again.close()


def test_dataframes_are_read_by_the_name_of_their_variable(store: Store) -> None:
    """As DuckDB does it everywhere; or registered, or appended."""
    pandas = pytest.importorskip("pandas")
    made(store)
    tables, frame = store.begin(), pandas.DataFrame({"n": [2, 3]})
    tables.execute("INSERT INTO hits SELECT n FROM frame")
    tables.register("others", pandas.DataFrame({"n": [4]})).execute("INSERT INTO hits FROM others")
    tables.append("hits", pandas.DataFrame({"n": [5]}))
    assert tables.sql("SELECT max(n) FROM hits").fetchall() == [(5,)]
    assert list(tables.table("hits").df()["n"].sort_values()) == [1, 2, 3, 4, 5]
    assert len(frame) == 2
    assert isinstance(keep(store, tables, "done"), Committed)
    assert hits(store) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "query",
    [
        "COMMIT",
        "BEGIN",
        "ROLLBACK",
        "SET threads = 8",
        "USE s",
        "ATTACH 'x.duckdb'",
        "PRAGMA database_list",
        "CHECKPOINT",
        "INSERT INTO hits VALUES (2); COMMIT",
        "DELETE FROM main.journal",
        "DELETE FROM s.main.journal",
        'UPDATE "s"."main".journal SET body = NULL',
        "DROP TABLE Main . meta",
        "DROP SCHEMA main CASCADE",
        "CREATE SCHEMA other",
        "COPY main.journal FROM 'x'",
    ],
)
def test_what_would_end_the_transaction_or_harm_the_store_is_refused(
    store: Store, query: str
) -> None:
    """With the reason; what was written before it is still good."""
    made(store)
    tables = store.begin()
    tables.execute("INSERT INTO hits VALUES (7)")
    with pytest.raises(InvalidUsage):
        tables.execute(query)
    assert keep(store, tables, "done") == Committed(2)
    assert hits(store) == [1, 7]


def test_what_looks_like_it_and_is_not_is_allowed(store: Store) -> None:
    """Texts and comments name what they like, columns too."""
    tables = store.begin()
    tables.execute("CREATE TABLE notes (domain VARCHAR, main VARCHAR) -- main.journal")
    tables.execute("INSERT INTO notes VALUES ('drop table main.journal', 'it''s main.x')")
    tables.execute("INSERT INTO notes (main) SELECT n.main FROM notes n")
    assert keep(store, tables, "done") == Committed(1)


def test_the_stores_records_cannot_be_changed_by_other_ways(store: Store) -> None:
    """Whatever was found to reach them: it is noticed, and all of it undone."""
    made(store)
    tables = store.begin()
    tables._cursor.execute("DELETE FROM s.main.journal")  # pyright: ignore[reportPrivateUsage]
    answer = keep(store, tables, "done")
    assert isinstance(answer, TransactionRefused)
    assert "changed the store's own records" in str(answer)
    assert kinds(store) == ["made"]


def test_a_statement_that_fails_undoes_all_even_if_nobody_looks(store: Store) -> None:
    """The error is the user's to catch; the transaction cannot be kept any more."""
    made(store)
    tables = store.begin()
    tables.execute("INSERT INTO hits VALUES (2)")
    with pytest.raises(duckdb.ConstraintException):
        tables.execute("INSERT INTO hits VALUES (1)")
    answer = keep(store, tables, "done")
    assert isinstance(answer, TransactionRefused)
    assert (hits(store), kinds(store)) == ([1], ["made"])
    store.commit([Record("next", "r")])
    assert kinds(store) == ["made", "next"]


def test_of_two_that_write_the_same_the_second_is_told(store: Store) -> None:
    """As soon as it writes, or when it is kept; it says that trying again may help."""
    made(store)
    one, two = store.begin(), store.begin()
    for tables in (one, two):
        tables.execute("INSERT INTO hits VALUES (2)")
    assert isinstance(keep(store, one, "one"), Committed)
    answer = keep(store, two, "two")
    assert isinstance(answer, TransactionRefused)
    assert "duplicate key" in str(answer)
    one, two = store.begin(), store.begin()
    one.execute("UPDATE hits SET n = 10 WHERE n = 1")
    with pytest.raises(duckdb.TransactionException, match="Conflict"):
        two.execute("UPDATE hits SET n = 11 WHERE n = 1")
    assert kinds(store) == ["made", "one"]


def test_a_statement_under_way_is_interrupted_by_a_rollback(store: Store) -> None:
    """An attempt that was given up does not work on, nor hold what it has written."""
    tables = store.begin()
    errors: list[Exception] = []

    def work() -> None:
        try:
            tables.execute("SELECT count(*) FROM range(1000000) a, range(1000000) b").fetchall()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not errors and thread.is_alive():
        tables.rollback()
        thread.join(0.01)
    assert isinstance(errors[0], duckdb.Error | StoreClosed)
    with pytest.raises(StoreClosed, match="given up"):
        tables.execute("SELECT 1")


class HardOfHearing:
    """A connection to which an interrupt comes before the statement it is meant for."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.missed = 0

    def interrupt(self) -> None:
        """Heard from the third one on."""
        self.missed += 1
        if self.missed > 2:
            self._connection.interrupt()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_a_statement_that_misses_an_interrupt_hears_the_next(store: Store) -> None:
    """Whoever gives an attempt up does not wait for a statement that was just to begin."""
    tables = store.begin()
    tables._cursor = deaf = HardOfHearing(tables._cursor)  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage]
    errors: list[Exception] = []

    def work() -> None:
        try:
            tables.execute("SELECT count(*) FROM range(1000000) a, range(1000000) b").fetchall()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while deaf.missed < 3 and thread.is_alive():
        tables.rollback()
    thread.join()
    assert isinstance(errors[0], duckdb.Error | StoreClosed)


def test_nothing_is_written_after_the_end(store: Store) -> None:
    """A thread that was left behind writes into nothing."""
    made(store)
    tables = store.begin()
    tables.seal()
    with pytest.raises(StoreClosed, match="come to its end"):
        tables.execute("INSERT INTO hits VALUES (2)")
    assert isinstance(keep(store, tables, "done"), Committed)


def test_a_store_written_anew_keeps_the_users_tables(store: Store) -> None:
    """With constraints, indexes, views, sequences and enumerations."""
    made(store)
    tables = store.begin()
    tables.execute("CREATE TYPE mood AS ENUM ('good', 'it''s bad')")
    tables.execute("CREATE SEQUENCE ids START 5")
    tables.execute("CREATE TABLE notes (id INTEGER DEFAULT nextval('ids'), mood mood)")
    tables.execute("INSERT INTO notes (mood) VALUES ('good'), ('it''s bad')")
    tables.execute("CREATE INDEX by_mood ON notes (mood)")
    tables.execute("CREATE VIEW good AS SELECT * FROM notes WHERE mood = 'good'")
    assert isinstance(keep(store, tables, "done"), Committed)
    store.rewrite()
    assert hits(store) == [1]
    assert store.sql("SELECT id, mood FROM notes").fetchall() == [(5, "good"), (6, "it's bad")]
    assert store.sql("SELECT id FROM good").fetchall() == [(5,)]
    tables = store.begin()
    tables.execute("INSERT INTO notes (mood) VALUES ('good')")
    with pytest.raises(duckdb.ConstraintException):
        tables.execute("INSERT INTO hits VALUES (1)")
    tables.rollback()
    tables = store.begin()
    tables.execute("INSERT INTO notes (mood) VALUES ('good')")
    assert tables.execute("SELECT max(id) FROM notes").fetchone() >= (7,)
    tables.rollback()


def test_a_snapshot_has_them_too(store: Store, tmp_path: Path) -> None:
    """A copy is a copy of all of it."""
    made(store)
    copy = open_store(store.snapshot(tmp_path / "copy.duckdb"))
    assert hits(copy) == [1]
    copy.close()


def test_a_transaction_is_kept_with_a_record(store: Store) -> None:
    """For the record is what tells, after a failure, whether it was kept."""
    with pytest.raises(InvalidUsage, match="at least one record"):
        keep(store, store.begin())


def test_a_store_in_memory_says_that_it_has_none() -> None:
    """And what to do."""
    with pytest.raises(InvalidUsage, match="in a file"):
        MemoryStore().begin()


VICTIM = """
    import sys, threading
    from stepwell.store import Record, open_store

    store = open_store(sys.argv[1])
    start = len(store.rows(kinds=["hit"]))
    tables = store.begin()
    tables.execute("CREATE TABLE IF NOT EXISTS hits (n INTEGER)")
    done = threading.Event()
    store.append_with(tables, [Record("made")], lambda answer: done.set())
    done.wait()
    for number in range(start, start + 10_000):
        tables, done = store.begin(), threading.Event()
        tables.execute("INSERT INTO hits VALUES (?)", [number])
        tables.execute("INSERT INTO hits VALUES (?)", [-number])
        store.append([Record("plain", str(number))])
        store.append_with(tables, [Record("hit", str(number))], lambda answer: done.set())
        done.wait()
        print(number, flush=True)
"""


def test_a_kill_leaves_both_or_neither(tmp_path: Path) -> None:
    """Killed again and again in the middle of it: each record has its rows, each row its record."""
    path, acknowledged = tmp_path / "s.duckdb", 0
    for moment in range(12):
        victim = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(VICTIM), str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert victim.stdout is not None
        for _ in range(1 + moment * 2):
            acknowledged = int(victim.stdout.readline())
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        victim.stdout.close()
        store = open_store(path, patience=5)
        recorded = sorted(int(row.run) for row in store.rows(kinds=["hit"]))
        assert recorded in (list(range(acknowledged + 1)), list(range(acknowledged + 2)))
        assert hits(store) == sorted([*recorded, *(-number for number in recorded)])
        store.close()


@pytest.mark.parametrize("milliseconds", [0, 1, 5, 20, 50])
def test_a_store_closes_although_a_statement_is_under_way(
    tmp_path: Path, milliseconds: int
) -> None:
    """Wherever in it that falls, the statement is interrupted, and what it has written undone."""
    store = open_store(tmp_path / "s.duckdb")
    made(store)
    tables = store.begin().execute("INSERT INTO hits VALUES (2)")
    ends: list[BaseException] = []
    begun = threading.Event()

    def work() -> None:
        begun.set()
        try:
            for _ in range(1000):
                tables.execute("SELECT count(*) FROM range(100000) a, range(100000) b").fetchall()
        except (duckdb.Error, StoreError) as error:
            ends.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    thread.join(milliseconds / 1000)
    store.close()
    thread.join(30)
    assert ends
    again = open_store(tmp_path / "s.duckdb")
    assert hits(again) == [1]
    again.close()
