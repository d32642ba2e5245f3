"""One process has a store: the lock file beside it, and who holds it.

DuckDB's own lock is not enough: any `open()` and `close()` of the file in the same
process drops it silently. `flock` on a file that nobody else opens has no such trap, and
the system releases it however the process ends.
"""

import fcntl
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from stepwell.errors import StoreLocked, StoreReadOnly

__all__ = ["Lock"]

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Lock:
    """Held from construction until `release`, or until the process ends."""

    def __init__(self, store: Path, holder: Mapping[str, str]) -> None:
        """Raises `StoreLocked` naming the holder, `StoreReadOnly` where no file can be made."""
        self.path = store.with_name(store.name + ".lock")
        self._descriptor: int | None = _acquire(self.path, store)
        self._write({"pid": os.getpid(), "host": socket.gethostname(), "since": _now(), **holder})

    def _write(self, facts: Mapping[str, Any]) -> None:
        assert self._descriptor is not None
        # A courtesy to whoever comes second: a full disk must not keep the holder out.
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, msgspec.json.encode(facts) if facts else b"", 0)

    def release(self, *, remove: bool = False) -> None:
        """Let others in. `remove` the file only where there turned out to be no store."""
        if self._descriptor is None:
            return
        self._write({})
        if remove:
            self.path.unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """Close the file without a word, as a forked child must: the lock stays the parent's."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _acquire(path: Path, store: Path) -> int:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreReadOnly(
                f"{path} cannot be written: {error.strerror}. Make the folder writable for you, "
                "or keep the store elsewhere with %stepwell store PATH",
                path=str(store),
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            facts = _read(descriptor)
            os.close(descriptor)
            raise _locked(store, facts) from error
        if _is_still_there(descriptor, path):
            return descriptor
        # The holder has just removed the file: what we locked is not what others will see.
        os.close(descriptor)


def _is_still_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _read(descriptor: int) -> dict[str, Any]:
    try:
        return _decode(os.pread(descriptor, 1 << 16, 0) or b"{}")
    except msgspec.DecodeError:
        return {}


def _locked(store: Path, facts: dict[str, Any]) -> StoreLocked:
    if facts.get("pid") == os.getpid() and facts.get("host") == socket.gethostname():
        message = (
            f"{store} is already open in this process, since {facts.get('since')}. Use the store "
            "that is open, or close it first"
        )
    else:
        message = (
            f"{store} is in use by {_holder(facts)}. Shut that down or go on there; or work on "
            "another file with %stepwell store PATH"
        )
    known = {"pid": None, "notebook": "", "since": "", "host": "", **facts}
    return StoreLocked(message, **{**known, "path": str(store)})


def _holder(facts: dict[str, Any]) -> str:
    words = [f"process {facts['pid']}" if "pid" in facts else "another process"]
    for key, phrase in (
        ("notebook", "notebook {}"),
        ("kernel", "kernel {}"),
        ("host", "on {}"),
        ("since", "since {}"),
    ):
        if facts.get(key):
            words.append(phrase.format(facts[key]))
    return ", ".join(words)
