"""One process has a store, and the others learn which."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from stepwell.errors import StoreLocked
from stepwell.store import Record, Store, open_store

RunPython = Callable[..., str]

_OPEN = """
import sys
from stepwell.store import open_store
from stepwell.errors import StoreLocked
try:
    open_store(sys.argv[1]).close()
    print("opened")
except StoreLocked as error:
    print(error)
"""

_HOLD = """
import sys
from stepwell.store import open_store
store = open_store(sys.argv[1], holder={"notebook": "agent.ipynb", "kernel": "k-1"})
print("held", flush=True)
sys.stdin.read()
"""


def test_another_process_learns_who_has_the_store(tmp_path: Path, run_python: RunPython) -> None:
    """The message names process, notebook, kernel and time, and a way out."""
    path = tmp_path / "n.duckdb"
    store = open_store(path, holder={"notebook": "agent.ipynb", "kernel": "k-1"})
    try:
        said = run_python(_OPEN, path)
    finally:
        store.close()
    assert f"process {os.getpid()}, notebook agent.ipynb, kernel k-1, on " in said
    assert "since 20" in said
    assert "%stepwell store" in said
    assert run_python(_OPEN, path) == "opened\n"


def test_a_store_that_is_open_here_is_not_opened_again(file_store: Store) -> None:
    """The same process gets an error that says so, with the facts as attributes."""
    assert file_store.path is not None
    with pytest.raises(StoreLocked, match="already open in this process") as caught:
        open_store(file_store.path)
    assert caught.value.pid == os.getpid()
    assert caught.value.path == str(file_store.path)


def test_a_killed_holder_leaves_no_lock_behind(tmp_path: Path) -> None:
    """However a process ends, the next one can open the store."""
    path = tmp_path / "n.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreLocked) as caught:
            open_store(path)
        assert caught.value.pid == holder.pid
        assert caught.value.notebook == "agent.ipynb"
        holder.send_signal(signal.SIGKILL)
    open_store(path).close()


def test_reading_the_file_does_not_lose_the_lock(file_store: Store, run_python: RunPython) -> None:
    """A notebook that opens the store's file and closes it again lets nobody in."""
    assert file_store.path is not None
    file_store.path.read_bytes()
    assert "in use by process" in run_python(_OPEN, file_store.path)


def test_a_file_open_in_duckdb_itself_is_said_to_be(tmp_path: Path) -> None:
    """Somebody who looks into the file with DuckDB is told to close it, not about corruption."""
    path = tmp_path / "n.duckdb"
    open_store(path).close()
    with duckdb.connect(str(path)), pytest.raises(StoreLocked, match="through DuckDB itself"):
        open_store(path)
    store = open_store(path)
    store.commit([Record("k")])
    store.close()


def test_a_store_that_is_about_to_be_free_can_be_waited_for(tmp_path: Path) -> None:
    """With patience the second comer gets in once the first has ended, and not before."""
    path = tmp_path / "n.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreLocked):
            open_store(path, patience=0.2)
        timer = threading.Timer(0.3, holder.kill)
        timer.start()
        open_store(path, patience=30).close()
        timer.join()
