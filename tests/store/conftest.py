"""Stores to test with, and child processes that may be killed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path

import pytest

from stepwell.store import Blob, Digest, MemoryStore, Store, open_store

MakeBlob = Callable[..., Blob]
RunPython = Callable[..., str]


@pytest.fixture
def make_blob() -> MakeBlob:
    """Make a blob that carries the given bytes, as `stepwell.store.values` would."""

    def make(data: bytes, preview: str = '"…"') -> Blob:
        digest = Digest(blake2b(b"raw" + data, digest_size=16).hexdigest())
        return Blob(digest, "raw", "bytes", len(data), preview, data)

    return make


@pytest.fixture(params=["duckdb", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give both implementations in turn."""
    made = open_store(tmp_path / "n.duckdb") if request.param == "duckdb" else MemoryStore()
    yield made
    made.close()


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    """Give a store in a file."""
    made = open_store(tmp_path / "n.duckdb")
    yield made
    made.close()


@pytest.fixture
def run_python() -> RunPython:
    """Run a program in a process of its own; answers what it printed."""

    def run(program: str, *arguments: object, expected: int = 0) -> str:
        # Forking with threads is deprecated and is exactly what some of them do.
        command = [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=os.environ
        )
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout

    return run
