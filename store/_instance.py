"""The private DuckDB instance a store's file is attached to.

DuckDB is used under four rules, each of which has cost somebody data or hours:

- The instance is ours alone and in memory; the file is attached to it as `s`. Settings do
  not leak into the user's own DuckDB, and damage to the file does not stop the instance.
- One connection is never shared by two threads: `cursor()` gives each thread its own.
- Nothing in this process opens the file or its write-ahead log with `open()`: closing
  it again would silently drop DuckDB's lock on it.
- A forked child never touches an inherited connection, not even to close it: see `abandon`.
"""

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from stepwell.store._sql import statement, text

if TYPE_CHECKING:
    import duckdb

__all__ = ["Instance"]

PORTION_ROWS = 2_048
DISMISS_SECONDS = 2.0


class Instance:
    """A DuckDB of our own with one attached database, `s`."""

    def __init__(self, database: Path | None) -> None:
        """Attach a file, or memory for None. Raises what DuckDB raises."""
        import duckdb

        self._database = ":memory:" if database is None else str(database)
        self._connection = duckdb.connect(":memory:")
        self._local = threading.local()
        self._cursors: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()
        self._guests: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()
        self._answers: WeakSet[duckdb.DuckDBPyRelation] = WeakSet()
        self._has_views = False
        self._views_lock = threading.Lock()
        try:
            for setting in statement("settings").split(";")[:-1]:
                self._connection.execute(setting)
            if database is not None:
                # What does not fit into memory spills beside the file, which is private.
                self._connection.execute("SET temp_directory = ?", [f"{database}.tmp"])
            self.attach()
        except BaseException:
            self._connection.close()
            raise

    def attach(self) -> None:
        """Attach the file, replaying its write-ahead log."""
        self._connection.cursor().execute(statement("attach"), [self._database])

    def detach(self) -> None:
        """Let go of the file, without a checkpoint. What readers were given stops working."""
        self.dismiss_guests()
        self._connection.cursor().execute("DETACH DATABASE IF EXISTS s")

    def cursor(self) -> "duckdb.DuckDBPyConnection":
        """The calling thread's own connection."""
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self.new_cursor()
        return cursor

    def query(self, name: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """All rows of one of our own statements."""
        return self.cursor().execute(statement(name), parameters).fetchall()

    def stream(self, name: str, parameters: Any) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of one of our own statements in portions; to be read to the end.

        Portions that are let go before the next one comes keep both memory and the garbage
        collector's work small: hundreds of thousands of rows are read in two thirds the time.
        """
        answer = self.cursor().execute(statement(name), parameters)
        while rows := answer.fetchmany(PORTION_ROWS):
            yield rows

    def new_cursor(self) -> "duckdb.DuckDBPyConnection":
        """A connection for a caller that keeps it to one thread itself."""
        cursor = self._connection.cursor()
        self._cursors.add(cursor)
        return cursor

    def guest(self) -> "duckdb.DuckDBPyConnection":
        """A connection that sees the public views and can write nowhere.

        One for each answer: an answer that is read bit by bit occupies its connection.
        """
        self._make_views()
        guest = self._connection.cursor()
        data = ",s.data" if guest.execute(statement("has_data")).fetchall()[0][0] else ""
        guest.execute(f"SET search_path = 'memory.main,s.main{data}'")
        # The transaction is what makes it read-only, whatever is asked of it later on.
        guest.execute("BEGIN TRANSACTION READ ONLY")
        self._guests.add(guest)
        return guest

    def new_transaction(self) -> "duckdb.DuckDBPyConnection":
        """A connection on which a transaction on the user's tables has begun.

        It reads the public views as well, and dataframes by the name of their variable.
        """
        self._make_views()
        cursor = self.new_cursor()
        cursor.execute("SET search_path = 's.data,memory.main'")
        cursor.execute("SET SESSION python_enable_replacements = true")
        # The variable is the caller's caller's.
        cursor.execute("SET SESSION python_scan_all_frames = true")
        cursor.begin()
        self._guests.add(cursor)
        return cursor

    def hand_out(self, answer: "duckdb.DuckDBPyRelation") -> "duckdb.DuckDBPyRelation":
        """Remember what a user was given, for as long as it is held."""
        self._answers.add(answer)
        return answer

    def _make_views(self) -> None:
        # In the instance and not only in the file: a file from somebody else may hold
        # anything under these names, one from an older stepwell may lack some.
        with self._views_lock:
            if self._has_views:
                return
            cursor = self._connection.cursor()
            cursor.execute("SET search_path = 'memory.main,s.main'")
            cursor.execute(text("views.sql"))
            self._has_views = True

    def dismiss_guests(self) -> None:
        """Close every connection given to a user: an open transaction keeps the file open."""
        for guest in list(self._guests):
            _dismiss(guest)
        self._guests.clear()

    def close(self) -> None:
        """Let go of everything. There is no checkpoint here: the journal makes its own."""
        import duckdb

        # A guest that does not leave keeps the file attached; its process is about to end.
        with suppress(duckdb.Error):
            self.detach()
        self._connection.close()

    def abandon(self, *others: object) -> None:
        """In a forked child: make sure that nothing of this is ever closed or freed.

        The instance's threads do not exist here, and a child that closed its copy could
        unlink the parent's write-ahead log. (When such a child ends by leaving its main
        program, DuckDB's bindings list what was leaked on stderr. `multiprocessing` ends its
        children in another way, without that.)
        """
        ours = (self._connection, *self._cursors, *self._guests, *self._answers)
        for leaked in (*ours, *others):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(leaked))


def _dismiss(guest: "duckdb.DuckDBPyConnection") -> None:
    """Close a connection on which a statement may be under way on another thread."""
    import duckdb

    until = time.monotonic() + DISMISS_SECONDS
    while True:
        try:
            guest.close()
        except duckdb.Error:
            if time.monotonic() > until:
                return
            # One that is about to begin does not hear of an interrupt before: so again.
            with suppress(duckdb.Error):
                guest.interrupt()
            time.sleep(0.01)
        else:
            return
