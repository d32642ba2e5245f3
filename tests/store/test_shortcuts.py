"""Shortcuts beside a store file: there or not there, never believed when they are not right."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stepwell.store import Record, Row, Store, open_store

RunPython = Callable[..., str]


def keep(store: Store, *parts: bytes, run: str = "r") -> Row:
    """Keep these parts for the run as it is."""
    last = store.rows(run)[-1]
    store.keep_shortcut(last, "form", parts)
    return last


def kept(store: Store, run: str = "r") -> list[bytes] | None:
    """The parts that are there."""
    found = store.shortcut(run)
    return None if found is None else list(found.parts)


def folder(store: Store) -> Path:
    """Where they are."""
    assert store.path is not None
    return store.path.with_name(store.path.name + ".shortcuts")


def test_a_shortcut_outlives_its_process(tmp_path: Path) -> None:
    """It is found again, by nobody but the user."""
    store = open_store(tmp_path / "n.duckdb")
    store.commit([Record("a", "r"), Record("b", "../../etc")])
    keep(store, b"one", b"two")
    keep(store, b"other", run="../../etc")
    assert {file.parent for file in folder(store).iterdir()} == {folder(store)}
    assert {file.stat().st_mode & 0o777 for file in folder(store).iterdir()} == {0o600}
    assert folder(store).stat().st_mode & 0o777 == 0o700
    store.close()
    again = open_store(tmp_path / "n.duckdb")
    again.commit([Record("c", "r")])
    assert kept(again) == [b"one", b"two"]
    assert kept(again, "../../etc") == [b"other"]
    again.close()


def test_the_shortcut_of_another_store_is_not_taken(tmp_path: Path) -> None:
    """Nor that of a store that was put in its place, or went on from an older copy."""
    one, other = open_store(tmp_path / "one.duckdb"), open_store(tmp_path / "other.duckdb")
    for store in (one, other):
        store.commit([Record("a", "r", at=5)])
    keep(one, b"one")
    shutil.copytree(folder(one), folder(other))
    assert kept(other) is None
    copy = one.snapshot(tmp_path / "copy.duckdb")
    one.commit([Record("b", "r", at=6)])
    keep(one, b"more")
    shortcuts = folder(one)
    one.close()
    other.close()
    restored = open_store(copy)
    shutil.copytree(shortcuts, folder(restored))
    assert kept(restored) is None
    restored.commit([Record("b", "r", at=7)])
    assert kept(restored) is None
    restored.close()


def test_one_that_is_half_written_is_not_there(file_store: Store) -> None:
    """What was there before is, until all of the new one is on disk."""
    file_store.commit([Record("a", "r")])
    keep(file_store, b"one")

    def parts() -> Iterator[bytes]:
        yield b"two"
        assert kept(file_store) == [b"one"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        file_store.keep_shortcut(file_store.rows("r")[-1], "form", parts())
    assert kept(file_store) == [b"one"]
    assert len(list(folder(file_store).iterdir())) == 1


KILLED = """
import os, signal, sys
from stepwell.store import Record, open_store
store = open_store(sys.argv[1])
store.commit([Record("a", "r")])
last = store.rows("r")[-1]
def parts():
    yield b"x" * 100_000
    os.kill(os.getpid(), signal.SIGKILL)
store.keep_shortcut(last, "form", parts())
"""


def test_what_a_killed_process_has_left_is_in_nobodys_way(
    tmp_path: Path, run_python: RunPython
) -> None:
    """It is no shortcut, and rewriting the store removes it."""
    path = tmp_path / "n.duckdb"
    run_python(KILLED, path, expected=-9)
    store = open_store(path)
    assert kept(store) is None
    assert len(list(folder(store).iterdir())) == 1
    keep(store, b"one")
    assert kept(store) == [b"one"]
    store.rewrite()
    assert list(folder(store).iterdir()) == []
    store.close()


def test_a_disk_that_refuses_is_not_reported(file_store: Store) -> None:
    """There is no shortcut then, and that is all."""
    file_store.commit([Record("a", "r")])
    folder(file_store).write_text("in the way")
    keep(file_store, b"one")
    assert kept(file_store) is None


def test_its_size_counts_as_the_stores(file_store: Store) -> None:
    """Rewriting tells how many bytes there were, these included."""
    file_store.commit([Record("a", "r")])
    keep(file_store, os.urandom(300_000))
    assert file_store.rewrite().before > 300_000
    assert kept(file_store) is None
