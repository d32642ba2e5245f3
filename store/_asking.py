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

    found = duckdb.extract_statements(query)
    if len(found) != 1:
        raise InvalidUsage(f"one SQL statement at a time; here are {len(found)}")
    kind = found[0].type
    if kind not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise InvalidUsage(
            f"the store can only be read with SQL, and this is {_article(kind.name)} statement. "
            "SELECT, FROM, DESCRIBE, SHOW, SUMMARIZE and EXPLAIN are possible; to work on a copy, "
            "store.snapshot(PATH)"
        )
    guest = instance.guest()
    try:
        return guest.sql(query, params=list(parameters) if parameters else None)
    except duckdb.Error:
        guest.close()
        raise


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "AEIOU" else f"a {word}"
