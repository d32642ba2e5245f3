"""What may be wrong with a path, and what is said about it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest

from stepwell.errors import StoreError
from stepwell.store import Blob, Record, open_store
from stepwell.store._opening import network_notes

RunPython = Callable[..., str]
MakeBlob = Callable[..., Blob]


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """Give a folder that other users can enter, as pytest's own cannot be."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


# Root may write anywhere, so the program becomes nobody after it has loaded what it needs.
_OPEN_AS_NOBODY = """
import os, sys
import duckdb
from stepwell.errors import StoreError
from stepwell.store import _duckdb, _sql, open_store
for file in ("queries.sql", "views.sql", "schema.sql"):
    _sql.text(file)
duckdb.connect(":memory:").close()
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    open_store(sys.argv[1])
except StoreError as error:
    print(type(error).__name__, error)
"""


def test_a_folder_that_cannot_be_written_is_named(open_to_all: Path, run_python: RunPython) -> None:
    """`StoreReadOnly` with the path and the way out, for a new store."""
    folder = open_to_all / "there"
    folder.mkdir(mode=0o555)
    said = run_python(_OPEN_AS_NOBODY, folder / "n.duckdb")
    assert said.startswith("StoreReadOnly")
    assert str(folder) in said
    assert "%stepwell store PATH" in said
    said = run_python(_OPEN_AS_NOBODY, folder / "deeper" / "n.duckdb")
    assert said.startswith("StoreReadOnly")


def test_a_file_that_cannot_be_written_is_named(open_to_all: Path, run_python: RunPython) -> None:
    """The same for a store that is there and belongs to somebody else."""
    path = open_to_all / "n.duckdb"
    open_store(path).close()
    open_to_all.chmod(0o777)
    path.with_name("n.duckdb.lock").unlink()
    path.chmod(0o444)
    before = path.read_bytes()
    said = run_python(_OPEN_AS_NOBODY, path)
    assert said.startswith("StoreReadOnly")
    assert str(path) in said
    assert path.read_bytes() == before


def test_a_store_is_private_to_its_user(tmp_path: Path, make_blob: MakeBlob) -> None:
    """Folder, file, log, tail, lock and value files: nobody else can read them."""
    path = tmp_path / "new" / "n.duckdb"
    store = open_store(path)
    try:
        store.commit([Record("value", blob=store.put(make_blob(b"x" * 100_000)))])
        found = [path.parent, *path.parent.rglob("*")]
        assert len(found) == 8
        assert [file for file in found if file.stat().st_mode & 0o077] == []
    finally:
        store.close()


def test_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    """A store beside a notebook does not lock colleagues out of the folder."""
    tmp_path.chmod(0o755)
    open_store(tmp_path / "n.duckdb").close()
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """The error says what it is not, and neither the file nor its folder is changed."""
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(StoreError, match="not a stepwell store"):
        open_store(path)
    assert path.read_text() == "a,b\n1,2\n"
    assert _names(tmp_path) == ["table.csv"]


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """The error names its tables, and the file is as it was."""
    path = tmp_path / "sales.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE sales AS SELECT 1 AS amount")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="tables sales"):
        open_store(path)
    assert path.read_bytes() == before
    assert _names(tmp_path) == ["sales.duckdb"]


def test_a_missing_store_is_not_made_when_it_should_be_there(tmp_path: Path) -> None:
    """Without `create` a missing file is an error, and nothing appears."""
    with pytest.raises(StoreError, match="no store at"):
        open_store(tmp_path / "folder" / "n.duckdb", create=False)
    with pytest.raises(StoreError, match="is a folder"):
        open_store(tmp_path)
    assert _names(tmp_path) == []


def test_a_store_opened_again_is_the_same_store(tmp_path: Path) -> None:
    """Records, numbers and facts are all there, and nothing but the files that belong to it."""
    path = tmp_path / "it's a ünusual name.duckdb"
    store = open_store(path)
    identity = store.meta("store")
    store.set_meta("notebook", "n.ipynb")
    store.commit([Record("k", "r")])
    store.close()
    store = open_store(str(path), create=False)
    assert store.path == path
    assert (store.meta("store"), store.meta("notebook")) == (identity, "n.ipynb")
    assert store.commit([Record("k", "r")]).seq == 2
    assert store.notes == ()
    store.close()
    assert _names(tmp_path) == [path.name, path.name + ".lock"]


def test_a_network_file_system_is_pointed_out(tmp_path: Path) -> None:
    """The innermost mount counts; a local one inside a network one is fine."""
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/vda / ext4 rw 0 0\n"
        "server:/all /net nfs4 rw 0 0\n"
        "/dev/vdb /net/local\\040disk ext4 rw 0 0\n"
    )
    assert network_notes(Path("/srv/n.duckdb"), mounts) == ()
    assert network_notes(Path("/net/local disk/n.duckdb"), mounts) == ()
    assert "nfs4" in network_notes(Path("/net/me/n.duckdb"), mounts)[0]
    assert network_notes(Path("/net/me/n.duckdb"), tmp_path / "absent") == ()


def test_records_come_in_order_whatever_the_file_has_been_through(tmp_path: Path) -> None:
    """Somebody has rewritten the file with DuckDB alone: the numbers count."""
    path = tmp_path / "n.duckdb"
    store = open_store(path)
    store.commit([Record("k", "r", body=b'{"n":%d}' % number) for number in range(1, 6)])
    store.close()
    with duckdb.connect(str(path)) as plain:
        plain.execute("create table moved as from journal order by seq % 2, seq desc")
        plain.execute("delete from journal")
        plain.execute("insert into journal from moved")
        plain.execute("drop table moved")
    store = open_store(path)
    for rows in (store.rows(), store.rows("r"), store.rows("r", kinds=["k"])):
        assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
    store.close()
