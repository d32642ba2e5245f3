"""A damaged write-ahead log: keep a copy, and bring back every commit before the damage.

The log (DuckDB's format 2, unencrypted) is a header, then entries of
`[u64 size][u64 checksum][payload]`; a commit ends with an entry of five bytes. DuckDB
refuses to open a log with a wrong checksum, and silently drops everything behind a wrong
size. Nothing is ever deleted here: the damaged file is copied or renamed first.
"""

import os
import re
import shutil
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from stepwell.errors import StoreCorrupt

__all__ = ["inspect", "quarantine", "wal_of"]

_ENTRY = struct.Struct("<QQ")
_COMMIT = b"d\0d\xff\xff"
_COMMIT_SIZE = struct.pack("<Q", len(_COMMIT))
_POSITION = re.compile(r"entry at byte position (\d+)")


def wal_of(store: Path) -> Path:
    """The write-ahead log of a store file."""
    return store.with_name(store.name + ".wal")


def inspect(store: Path) -> tuple[str, ...]:
    """Find damage that DuckDB would pass over in silence, and keep a copy of the log.

    A log that ends in the middle of an entry is the trace of a crash and harmless: what it
    breaks off in was never acknowledged. Whole commits *behind* the break were.
    """
    wal = wal_of(store)
    try:
        content = wal.read_bytes()
    except FileNotFoundError:
        return ()
    end = _first_break(content)
    behind = _commits_behind(content, end)
    if not behind:
        return ()
    kept = _copy(wal)
    return (
        f"The write-ahead log of {store.name} is damaged at byte {end} of {len(content)}; up to "
        f"{behind} commits behind it are lost. The damaged log was kept as {kept.name}.",
    )


def quarantine(store: Path, error: Exception) -> str:
    """Make a store openable whose log DuckDB refuses; answer what happened, for people.

    Raises `StoreCorrupt` when the log is not the trouble, or cannot be helped.
    """
    wal = wal_of(store)
    said = str(error)
    if not wal.exists():
        raise _hopeless(store, error) from error
    if "checkpoint iteration does not match" in said:
        kept = _aside(wal, "stale")
        return (
            f"The write-ahead log of {store.name} belongs to another state of the file, which "
            "was replaced or restored without it, and could not be used. What had been written "
            f"since the last checkpoint is missing. The log was kept as {kept.name}."
        )
    if "WAL" not in said:
        raise _hopeless(store, error) from error
    content = wal.read_bytes()
    match = _POSITION.search(said)
    good = _last_commit(content, int(match[1]) if match else _first_break(content))
    lost = _commits_behind(content, good)
    kept = _copy(wal)
    if good:
        with wal.open("r+b") as file:
            file.truncate(good)
            os.fsync(file.fileno())
    else:
        wal.rename(_free_name(wal, "unreadable"))
    return (
        f"The write-ahead log of {store.name} was damaged. Everything up to byte {good} of "
        f"{len(content)} was saved; {lost or 'no'} commits behind it may be lost. The damaged "
        f"log was kept as {kept.name}."
    )


def _hopeless(store: Path, error: Exception) -> StoreCorrupt:
    return StoreCorrupt(
        f"{store} is damaged and cannot be opened: {error}. Nothing was changed. Bring the file "
        "back from a backup, or move it away to start a new store",
        path=str(store),
    )


def _entries(content: bytes) -> Iterator[tuple[int, int, bool]]:
    """Start, end and whether it closes a commit, of every entry up to the first break."""
    start = _header_length(content)
    while start and start + _ENTRY.size <= len(content):
        size, _ = _ENTRY.unpack_from(content, start)
        end = start + _ENTRY.size + size
        if size == 0 or end > len(content):
            return
        yield start, end, content[start + _ENTRY.size : end] == _COMMIT
        start = end


def _header_length(content: bytes) -> int:
    """Bytes before the first entry; 0 when this is no write-ahead log."""
    if content[:2] != b"d\0":
        return 0
    terminator = content.find(b"\xff\xff", 3, 256)
    return terminator + 2 if terminator > 0 else 0


def _first_break(content: bytes) -> int:
    return max((end for _, end, _ in _entries(content)), default=_header_length(content))


def _last_commit(content: bytes, before: int) -> int:
    """Where the last commit ends that lies wholly before the damaged entry's payload."""
    good = _header_length(content)
    for start, end, is_commit in _entries(content):
        if start + _ENTRY.size >= before:
            break
        if is_commit:
            good = end
    return good


def _commits_behind(content: bytes, position: int) -> int:
    """How many ends of commits can be made out behind a position."""
    found = 0
    at = content.find(_COMMIT, position)
    while at >= 0:
        found += content[at - _ENTRY.size : at - 8] == _COMMIT_SIZE
        at = content.find(_COMMIT, at + 1)
    return found


def _copy(wal: Path) -> Path:
    kept = _free_name(wal, "corrupt")
    shutil.copyfile(wal, kept)
    kept.chmod(0o600)
    return kept


def _aside(wal: Path, why: str) -> Path:
    return wal.rename(_free_name(wal, why))


def _free_name(wal: Path, why: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    name = wal.with_name(f"{wal.name}.{why}-{stamp}")
    number = 1
    while name.exists():
        number += 1
        name = wal.with_name(f"{wal.name}.{why}-{stamp}-{number}")
    return name
