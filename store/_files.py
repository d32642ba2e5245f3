"""Large payloads, each in a file named by its digest: `<store>.blobs/ab/abcdef…`.

A file is complete or absent: it is written under another name, synced, renamed, and its
folder synced, all before the row that mentions it is committed.
"""

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path
from threading import get_ident

from stepwell.errors import StoreFull, StoreReadOnly, ValueUnreadable
from stepwell.store._port import Digest

__all__ = ["BlobFiles", "is_full", "sync_folder"]

_DIGEST = re.compile("[0-9a-f]{32}")
_FULL = {ENOSPC, EDQUOT, EFBIG}


def is_full(error: OSError) -> bool:
    """Whether there was no room, as opposed to anything else that may be wrong with a disk."""
    return error.errno in _FULL


class BlobFiles:
    """The files of one store. Any thread may call any method."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: Digest) -> Path:
        """Where the payload is, or would be."""
        # A digest may come from a store that somebody sent: it must not lead elsewhere.
        if not _DIGEST.fullmatch(digest):
            raise ValueUnreadable(f"{digest!r} is not the digest of a value", digest=digest)
        return self.folder / digest[:2] / digest

    def has(self, digest: Digest) -> bool:
        """Whether there is such a file; it may still turn out to be damaged."""
        return self.path(digest).is_file()

    def write(self, digest: Digest, payload: bytes) -> None:
        """Write and sync; when this returns, the file survives a power failure."""
        path = self.path(digest)
        with _reasons(path):
            self._make_folder(path.parent)
            # Two threads may write the same value at once; each has a name of its own and
            # the last rename wins, with equal bytes.
            partial = path.with_name(f"{digest}.{os.getpid()}-{get_ident()}.partial")
            try:
                _write_synced(partial, payload)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
            sync_folder(path.parent)

    def read(self, digest: Digest) -> bytes:
        """The bytes of the file, unverified."""
        path = self.path(digest)
        try:
            return path.read_bytes()
        except OSError as error:
            raise ValueUnreadable(
                f"the file of value {digest} cannot be read: {error.strerror} ({path}). Run the "
                "step that made it again, or bring the folder back from a backup",
                digest=digest,
                path=str(path),
            ) from error

    def all(self) -> list[Path]:
        """Every file there is, those of interrupted writes included."""
        return [path for path in self.folder.glob("*/*") if path.is_file()]

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        for new in (self.folder, folder):
            new.mkdir(mode=0o700, exist_ok=True)
            sync_folder(new.parent)


@contextmanager
def _reasons(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise StoreFull(
                f"no room for a value: {error.strerror} ({path.parent}). Nothing that was "
                "acknowledged is lost; free some space and try again",
                path=str(path),
            ) from error
        raise StoreReadOnly(
            f"a value cannot be written: {error.strerror} ({path.parent}). Make the folder "
            "writable for you, or choose another place with %stepwell store PATH",
            path=str(path),
        ) from error


def _write_synced(path: Path, payload: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        view = memoryview(payload)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
