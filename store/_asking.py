"""What may be asked with SQL: one statement that reads."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stepwell.errors import InvalidUsage
from stepwell.store._instance import Instance

if TYPE_CHECKING:
    import duckdb

__all__ = ["ask"]


def ask(instance: Instance, query: str, parameters: Sequence[Any]) -> "duckdb.DuckDBPyRelation":
    """Answer a user's query. Raises `InvalidUsage` for what is no single reading statement.

    What DuckDB says about the query itself (a typing error, an unknown column) is left as
    DuckDB raises it.
    """
    import duckdb

    guest = instance.guest()
    try:
        # Not `duckdb.extract_statements`: that would start a second DuckDB, with threads.
        _check(guest.extract_statements(query))
        return instance.hand_out(guest.sql(query, params=list(parameters) or None))
    except (duckdb.Error, InvalidUsage):
        guest.close()
        raise


def _check(found: "list[duckdb.Statement]") -> None:
    import duckdb

    if len(found) != 1:
        raise InvalidUsage(f"one SQL statement at a time; here are {len(found)}")
    kind = found[0].type
    if kind not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise InvalidUsage(
            f"the store can only be read with SQL, and this is {_article(kind.name)} statement. "
            "SELECT, FROM, DESCRIBE, SHOW, SUMMARIZE and EXPLAIN are possible; to work on a copy, "
            "store.snapshot(PATH)"
        )


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "AEIOU" else f"a {word}"
