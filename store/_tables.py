"""Tables of the user's, written in the same transaction as records.

The user's statements and the records that belong to them are *one* DuckDB transaction, on a
connection of its own: what has been written is read back in it, nobody else sees any of it
before the records are durable, and a crash leaves both or neither. Nothing is recorded and
played again, so `now()`, `random()` and the like mean what they did when they were read.

Rule: statements run on the threads of whoever was given the `Tables`, one at a time; `seal`
ends that. The store's writer then adds the records and commits. `rollback` may come from
any thread at any time, and interrupts a statement that is under way.
"""

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from stepwell.errors import InvalidUsage, StoreClosed, TransactionRefused
from stepwell.store._instance import Instance
from stepwell.store._sql import statement

if TYPE_CHECKING:
    import duckdb

__all__ = ["Tables"]

Answer = TypeVar("Answer")

INTERRUPT_SECONDS = 0.05

_ALLOWED = frozenset(
    "SELECT EXPLAIN INSERT UPDATE DELETE MERGE_INTO CREATE DROP ALTER COPY RELATION".split()
)
_READS = frozenset({"SELECT", "EXPLAIN"})
# The store's own tables, as they would have to be written here.
_STORES_OWN = re.compile(
    r"""(?<![\w."])"?(?:s"?\s*\.\s*"?)?main"?\s*\.|\bSCHEMA\b""", re.IGNORECASE
)
_TEXTS = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_FETCHES = frozenset(
    "fetchone fetchmany fetchall fetchdf fetch_df df pl arrow fetch_arrow_table fetchnumpy "
    "to_arrow_table".split()
)


class Tables:
    """One transaction on the user's tables. See `Store.begin`.

    Used as a DuckDB connection is: `execute` and `fetchall`, `sql`, `append` and so on. The
    tables are in a schema of their own, `data`; the store's views can be read.
    """

    def __init__(self, instance: Instance) -> None:
        self._lock = threading.RLock()
        self._over = ""
        """Why nothing more can be done here; empty as long as it can."""
        self.is_open = True
        """Whether something that was written here may still be committed."""
        self._cursor = instance.new_transaction()
        self._before = self._records()

    def __repr__(self) -> str:
        return f"<tables: {self._over or 'a transaction is open'}>"

    # -- for whoever writes ---------------------------------------------------------------

    def execute(self, query: str, parameters: object = None) -> "Tables":
        """Run a statement. What it gives is fetched from the answer, as from DuckDB's own."""
        self._check(query)
        self._run(lambda cursor: cursor.execute(query, parameters))
        return self

    def executemany(self, query: str, parameters: object = None) -> "Tables":
        """Run a statement once for each of several sets of parameters."""
        self._check(query)
        self._run(lambda cursor: cursor.executemany(query, parameters))
        return self

    def sql(self, query: str, **options: Any) -> "duckdb.DuckDBPyRelation":
        """The relation a query stands for. It can be read until the transaction ends."""
        self._check(query)
        return self._run(lambda cursor: cursor.sql(query, **options))

    query = sql

    def table(self, name: str) -> "duckdb.DuckDBPyRelation":
        """A table as a relation."""
        return self._run(lambda cursor: cursor.table(name))

    def append(self, table: str, frame: Any, *, by_name: bool = False) -> "Tables":
        """Add a dataframe's rows to a table."""
        self._run(lambda cursor: cursor.append(table, frame, by_name=by_name))
        return self

    def register(self, name: str, value: object) -> "Tables":
        """Let statements read a dataframe or an Arrow table under a name."""
        self._run(lambda cursor: cursor.register(name, value))
        return self

    def unregister(self, name: str) -> "Tables":
        """Take it away again."""
        self._run(lambda cursor: cursor.unregister(name))
        return self

    @property
    def description(self) -> Any:
        """Names and types of the columns that the last statement gave."""
        return self._run(lambda cursor: cursor.description)

    def __getattr__(self, name: str) -> Any:
        if name not in _FETCHES:
            raise AttributeError(
                f"{name!r} cannot be done here. There is execute, executemany, sql, table, append, "
                f"register, unregister and the fetch functions; the transaction is not yours to end"
            )

        def fetch(*args: Any, **options: Any) -> Any:
            return self._run(lambda cursor: getattr(cursor, name)(*args, **options))

        return fetch

    def _run(self, work: "Callable[[duckdb.DuckDBPyConnection], Answer]") -> Answer:
        with self._lock:
            if self._over:
                raise StoreClosed(self._over)
            return work(self._cursor)

    def _check(self, query: str) -> None:
        """Raises `InvalidUsage` for what would end the transaction, or harm the store."""
        for found in self._run(lambda cursor: cursor.extract_statements(query)):
            kind = found.type.name
            if kind not in _ALLOWED:
                raise InvalidUsage(
                    f"{kind} is not possible here: what is written commits together with the step, "
                    "or not at all, and settings stay as they are"
                )
            if kind not in _READS and _STORES_OWN.search(_TEXTS.sub("''", query)):
                raise InvalidUsage(
                    "the store's own tables and schemas are not yours to write. Name your tables "
                    "without a schema: CREATE TABLE hits (…)"
                )

    # -- for the store ----------------------------------------------------------------------

    def seal(self) -> None:
        """Let nothing more be written: the transaction is as it is to be committed."""
        with self._lock:
            self._over = self._over or "the step has come to its end; nothing more can be written"

    def commit(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add the journal's rows and commit. Raises what DuckDB raises, or `TransactionRefused`.

        On the writer's thread, which numbers the rows.
        """
        with self._lock:
            self.seal()
            if self._records() != self._before:
                raise TransactionRefused("its statements have changed the store's own records")
            self._cursor.executemany(statement("write_row"), rows)
            self._cursor.commit()
            self._cursor.close()
            self.is_open = False

    def rollback(self) -> None:
        """Undo everything. Twice, or after a commit, is harmless."""
        import duckdb

        # A statement under way holds the lock for as long as it takes. One that is about to
        # begin holds it too, and does not hear of an interrupt that comes before: so again.
        is_held = False
        while not is_held:
            with suppress(duckdb.Error):
                self._cursor.interrupt()
            is_held = self._lock.acquire(timeout=INTERRUPT_SECONDS)
        try:
            self._over = "the attempt was given up, and what it wrote was undone"
            self.is_open = False
            with suppress(duckdb.Error):
                self._cursor.rollback()
            with suppress(duckdb.Error):
                self._cursor.close()
        finally:
            self._lock.release()

    def _records(self) -> Any:
        # Within the transaction: others' commits do not show, its own doings would.
        return self._cursor.execute(statement("extent")).fetchall()
