"""The version of a store's tables, and how an older store becomes a newer one.

A store of schema N is brought to N + 1 by `migration_00N+1.sql`, in one transaction,
followed at once by a checkpoint. A released migration is never edited. Views are not part
of the version: they are refreshed, at leisure, whenever `views.sql` has changed.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from stepwell.errors import InvalidUsage, StoreCorrupt, StoreError, StoreVersionMismatch
from stepwell.store._instance import Instance
from stepwell.store._sql import statement, statements, text

if TYPE_CHECKING:
    import duckdb

__all__ = ["RESERVED", "SCHEMA", "check_key", "migrations", "prepare", "refresh_views"]

SCHEMA = 1
RESERVED = frozenset({"schema", "created", "stepwell", "store", "views"})


def migrations() -> Mapping[int, str]:
    """SQL by the version it leads to."""
    found = sorted(Path(__file__).parent.glob("migration_*.sql"))
    return {int(path.stem.removeprefix("migration_")): text(path.name) for path in found}


def check_key(key: str) -> None:
    """Refuse the keys that are the store's own."""
    if key in RESERVED:
        raise InvalidUsage(f"{key!r} is set by the store itself. Take another key")


def prepare(instance: Instance, path: Path | None) -> dict[str, str]:
    """Make the tables of a new store, or bring an older one up to date; answer its `meta`.

    Raises `StoreError` for a database that is no store, which is left as it was,
    `StoreVersionMismatch` for one from the future, `StoreCorrupt` for one with gaps.
    """
    tables = {name for (name,) in instance.query("tables")}
    if not tables:
        _create(instance)
    elif not {"journal", "meta"} <= tables:
        raise StoreError(
            f"{path} is a DuckDB database, but not a stepwell store: it holds the tables "
            f"{', '.join(sorted(tables))}. It was not touched; give another path",
            path=str(path),
        )
    meta = dict(instance.query("read_meta"))
    if tables:
        _migrate(instance, path, meta)
        _check_numbers(instance, path)
    return meta


def _create(instance: Instance) -> None:
    facts = {
        "schema": str(SCHEMA),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "stepwell": _own_version(),
        "store": uuid4().hex,
    }
    with _transaction(instance) as cursor:
        for definition in statements("schema.sql").values():
            cursor.execute(definition)
        for item in facts.items():
            cursor.execute(statement("write_meta"), item)


@contextmanager
def _transaction(instance: Instance) -> "Generator[duckdb.DuckDBPyConnection]":
    """All or nothing, in the attached file."""
    cursor = instance.new_cursor()
    try:
        cursor.execute("USE s")
        cursor.begin()
        yield cursor
        cursor.commit()
    finally:
        # Closing rolls back what was not committed.
        cursor.close()


def _migrate(instance: Instance, path: Path | None, meta: dict[str, str]) -> None:
    found = int(meta.get("schema", "0"))
    if found == SCHEMA:
        return
    if found > SCHEMA:
        raise StoreVersionMismatch(
            f"{path} was written by stepwell {meta.get('stepwell')} (schema {found}); this is "
            f"stepwell {_own_version()}, which reads up to schema {SCHEMA}. Install stepwell "
            f"{meta.get('stepwell')} or newer, or keep this notebook's store elsewhere with "
            "%stepwell store PATH",
            path=str(path),
            found=found,
            readable=SCHEMA,
            written_by=meta.get("stepwell", ""),
        )
    news = {"schema": str(SCHEMA), "stepwell": _own_version()}
    _run_migrations(instance, path, found, news)
    meta.update(news)


def _run_migrations(
    instance: Instance, path: Path | None, found: int, news: dict[str, str]
) -> None:
    import duckdb

    scripts = migrations()
    try:
        with _transaction(instance) as cursor:
            for step in range(found + 1, SCHEMA + 1):
                cursor.execute(scripts[step])
            for item in news.items():
                cursor.execute(statement("write_meta"), item)
    except (duckdb.Error, KeyError) as error:
        raise StoreVersionMismatch(
            f"{path} is of schema {found} and could not be brought to schema {SCHEMA}: {error}. "
            "Nothing was changed; the version of stepwell that wrote it still reads it",
            path=str(path),
            found=found,
            readable=SCHEMA,
        ) from error
    # Table changes are best not left to a replay of the write-ahead log.
    instance.query("checkpoint")


def _check_numbers(instance: Instance, path: Path | None) -> None:
    count, first, last = instance.query("extent")[0]
    if count and (first != 1 or last != count):
        raise StoreCorrupt(
            f"{path} has lost records: {count} are left of the numbers {first} to {last}. "
            "Nothing was changed. Bring the file back from a backup; or read what is left with "
            "DuckDB, from the table `journal`",
            path=str(path),
            count=count,
            first=first,
            last=last,
        )


def refresh_views(instance: Instance, meta: dict[str, str]) -> bool:
    """Have the file hold the views as they are now, for those who open it with DuckDB alone.

    Answers whether there was anything to write. Takes some 50 ms the first time and is done
    when nobody waits: `sql` needs none of it.
    """
    if meta.get("views") == _views_digest():
        return False
    with _transaction(instance) as cursor:
        cursor.execute(text("views.sql"))
        cursor.execute(statement("write_meta"), ("views", _views_digest()))
    meta["views"] = _views_digest()
    return True


def _views_digest() -> str:
    return blake2b(text("views.sql").encode(), digest_size=8).hexdigest()


def _own_version() -> str:
    try:
        return version("stepwell")
    except PackageNotFoundError:
        return "0"
