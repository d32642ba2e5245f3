"""Stores of other versions: read, brought up to date, or refused with the way out."""

from pathlib import Path

import duckdb
import pytest

from stepwell.errors import StoreCorrupt, StoreVersionMismatch
from stepwell.store import Record, _schema, open_store


def _new_store(path: Path, records: int = 3) -> Path:
    store = open_store(path)
    store.commit([Record("k", body=b'{"n":%d}' % n) for n in range(records)])
    store.close()
    return path


def _change(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_store_from_the_future_is_refused(tmp_path: Path) -> None:
    """The error says which version wrote it, and the file stays as it was."""
    path = _new_store(tmp_path / "n.duckdb")
    _change(path, "INSERT INTO meta VALUES ('schema', '99'), ('stepwell', '7.1')")
    before = path.read_bytes()
    with pytest.raises(StoreVersionMismatch, match=r"stepwell 7\.1 \(schema 99\)") as caught:
        open_store(path)
    assert caught.value.found == 99
    assert caught.value.readable == _schema.SCHEMA
    assert "%stepwell store PATH" in str(caught.value)
    assert path.read_bytes() == before


def test_an_older_store_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step's script runs once, in order, and the records are all there."""
    path = _new_store(tmp_path / "n.duckdb")
    scripts = {
        _schema.SCHEMA + 1: "CREATE TABLE extra (a INTEGER); INSERT INTO extra VALUES (1)",
        _schema.SCHEMA + 2: "ALTER TABLE extra ADD COLUMN b INTEGER DEFAULT 2",
    }
    monkeypatch.setattr(_schema, "SCHEMA", _schema.SCHEMA + 2)
    monkeypatch.setattr(_schema, "migrations", lambda: scripts)
    for _ in range(2):
        store = open_store(path)
        assert store.meta("schema") == str(_schema.SCHEMA)
        assert store.sql("SELECT a, b FROM extra").fetchall() == [(1, 2)]
        assert store.last_seq == 3
        store.close()


def test_a_failed_migration_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps or none: the version that wrote the store can still read it."""
    path = _new_store(tmp_path / "n.duckdb")
    scripts = {
        _schema.SCHEMA + 1: "CREATE TABLE extra (a INTEGER)",
        _schema.SCHEMA + 2: "ALTER TABLE absent ADD COLUMN b INTEGER",
    }
    with monkeypatch.context() as later:
        later.setattr(_schema, "SCHEMA", _schema.SCHEMA + 2)
        later.setattr(_schema, "migrations", lambda: scripts)
        with pytest.raises(StoreVersionMismatch, match="could not be brought to schema"):
            open_store(path)
    store = open_store(path)
    assert store.meta("schema") == str(_schema.SCHEMA)
    assert store.sql(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'extra'"
    ).fetchall() == [(0,)]
    store.close()


def test_there_is_a_migration_to_every_version() -> None:
    """A store of any released version can be brought to this one."""
    assert list(_schema.migrations()) == list(range(2, _schema.SCHEMA + 1))


@pytest.mark.parametrize(
    "loss",
    [
        "DELETE FROM journal WHERE seq = 2",
        "DELETE FROM journal WHERE seq = 1",
        "INSERT INTO journal SELECT * FROM journal WHERE seq = 3",
    ],
)
def test_missing_records_are_noticed(tmp_path: Path, loss: str) -> None:
    """A store whose numbers have gaps is not written to any further."""
    path = _new_store(tmp_path / "n.duckdb")
    _change(path, loss)
    with pytest.raises(StoreCorrupt, match="lost records") as caught:
        open_store(path)
    assert "backup" in str(caught.value)


def test_the_file_holds_the_public_views(tmp_path: Path) -> None:
    """Whoever opens a closed store with DuckDB alone can read it."""
    path = _new_store(tmp_path / "n.duckdb")
    with duckdb.connect(str(path), read_only=True) as connection:
        for view in (
            "runs",
            "steps",
            "attempts",
            "calls",
            "approvals",
            "values",
            "records",
            "happenings",
        ):
            connection.execute(f"SELECT * FROM {view}").fetchall()


def test_views_of_an_older_stepwell_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the file they follow at leisure; `sql` never sees anything but its own."""
    path = _new_store(tmp_path / "n.duckdb")
    _change(
        path,
        "CREATE OR REPLACE VIEW runs AS SELECT 'old' AS run",
        "INSERT INTO meta VALUES ('views', 'older')",
    )
    store = open_store(path)
    assert store.sql("SELECT * FROM runs").fetchall() == []
    store.close()
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("SELECT * FROM runs").fetchall() == []
