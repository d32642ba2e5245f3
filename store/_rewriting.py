"""A store written anew: without what nobody needs, in as little space as it takes.

DuckDB gives no space back, so a smaller file is a new one. It is written beside the old one,
verified, synced, and put in its place by one rename. Before the rename the old file is the
store, after it the new one is; there is no moment at which a crash finds neither.
"""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.errors import StoreError
from stepwell.store._files import BlobFiles, sync_folder
from stepwell.store._instance import Instance
from stepwell.store._port import Digest
from stepwell.store._sql import statement, statements

if TYPE_CHECKING:
    import duckdb

__all__ = ["clear_remains", "rewritten_path", "sweep", "write_anew"]


def rewritten_path(store: Path) -> Path:
    """Where the new file is written before it takes the place of the old one."""
    return store.with_name(store.name + ".rewriting")


def clear_remains(store: Path) -> None:
    """Remove what an interrupted rewriting has left. The caller has the store's lock."""
    target = rewritten_path(store)
    for remains in (target, target.with_name(target.name + ".wal")):
        with suppress(OSError):
            remains.unlink(missing_ok=True)


def write_anew(instance: Instance, store: Path, without: Collection[str]) -> Path:
    """Write everything but these runs, and values that only they refer to, into a new file.

    Raises what DuckDB raises, and `StoreError` when the new file is not what it should be;
    then there is no new file.
    """
    clear_remains(store)
    target = rewritten_path(store)
    cursor = instance.new_cursor()
    try:
        cursor.execute(statement("attach_copy"), [str(target)])
        target.chmod(0o600)
        _fill(cursor, list(without))
        _verify(cursor, store)
        cursor.execute(statement("checkpoint_copy"))
    except BaseException:
        _detach(cursor)
        clear_remains(store)
        raise
    _detach(cursor)
    _sync(target)
    return target


def _fill(cursor: "duckdb.DuckDBPyConnection", runs: list[str]) -> None:
    cursor.execute("USE copy")
    for definition in statements("schema.sql").values():
        cursor.execute(definition)
    cursor.execute("USE memory")
    parts = statements("rewriting.sql")
    cursor.execute(parts["drop"])
    for part in ("mentioned", "carriers", "numbers", "journal", "meta"):
        parameters = {"runs": runs} if "$runs" in parts[part] else None
        cursor.execute(parts[part], parameters)
    _copy_data(cursor)


def _copy_data(cursor: "duckdb.DuckDBPyConnection") -> None:
    """The user's own tables, and all that goes with them."""
    found = cursor.execute(statement("data")).fetchall()
    if not cursor.execute(statement("has_data")).fetchall()[0][0]:
        return
    cursor.execute("CREATE SCHEMA copy.data")
    cursor.execute("SET search_path = 'copy.data,memory.main'")
    for kind, name, definition in found:
        cursor.execute(definition)
        if kind == "table":
            table = '"' + name.replace('"', '""') + '"'
            cursor.execute(f"INSERT INTO copy.data.{table} SELECT * FROM s.data.{table}")
    cursor.execute("USE memory")


def _verify(cursor: "duckdb.DuckDBPyConnection", store: Path) -> None:
    """Everything that was to be kept is there, numbered without gaps, with its values."""
    row = cursor.execute(statements("rewriting.sql")["found"]).fetchone()
    count, last, wanted, values, carriers = row or (0, 0, -1, 0, 0)
    if not (count == last == wanted and values == carriers):
        raise StoreError(
            f"{store} was not rewritten: the new file holds {count} of {wanted} records and "
            f"{values} of {carriers} values. Nothing was changed; keep a copy of the store",
            path=str(store),
        )


def _detach(cursor: "duckdb.DuckDBPyConnection") -> None:
    import duckdb

    with suppress(duckdb.Error):
        cursor.execute("USE memory")
        cursor.execute(statements("rewriting.sql")["drop"])
    with suppress(duckdb.Error):
        cursor.execute(statement("detach_copy"))
    cursor.close()


def _sync(target: Path) -> None:
    # Detached, so that DuckDB has no lock on it which opening it here could drop.
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(target.parent)


def sweep(files: BlobFiles, described: Collection[Digest], fresh: Collection[Digest]) -> int:
    """Remove files of values that no record describes any more; answers their bytes.

    Whoever is killed while sweeping leaves files that the next sweep finds.
    """
    needed = {*described, *fresh}
    swept = 0
    for file in files.all():
        if file.name not in needed:
            swept += file.stat().st_size
            file.unlink()
    return swept
