"""The store's tail: records that are on disk and not yet in the DuckDB file.

A commit of DuckDB's costs half a millisecond of work besides the disk's, whether it is of one
record or of a thousand. So few records are appended to a file of their own, synced, and moved
into DuckDB many at a time. A tail that is found when the store is opened is what a killed
process has left, and is moved then.

The file is a sequence of frames: a mark, the length and checksum of what follows, and rows
with the number of the first. A frame is written whole before anyone is told of it, so one
that is cut short was never acknowledged. The journal's owner alone uses this.
"""

import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from stepwell.errors import StoreError, StoreFull, StoreReadOnly
from stepwell.store._files import sync_folder
from stepwell.store._packing import Packed

__all__ = ["Tail", "tail_of"]

_MARK = b"\xf7sw1"
_HEAD = struct.Struct("<4sI16s")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, list[Packed]]).decode


def tail_of(store: Path) -> Path:
    """The tail of a store file."""
    return store.with_name(store.name + ".tail")


class Tail:
    """Appended to, and emptied."""

    def __init__(self, store: Path) -> None:
        self._path = tail_of(store)
        self._descriptor = -1
        self._inode = 0
        self._length = 0

    def append(self, first: int, rows: Sequence[Packed]) -> None:
        """Make the rows durable; `first` is the number of the first.

        Raises `StoreFull`, `StoreReadOnly` or `StoreError`; then there is nothing of them.
        """
        content = _encode((first, rows))
        frame = _HEAD.pack(_MARK, len(content), _check(content)) + content
        try:
            if self._descriptor < 0:
                self._open()
            written = os.write(self._descriptor, frame)
            if written < len(frame):
                raise OSError(28, "No space left on device")
            os.fdatasync(self._descriptor)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._length)
            raise _explain(error, self._path) from error
        self._length += len(frame)

    def _open(self) -> None:
        is_new = not self._path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        self._inode = os.fstat(self._descriptor).st_ino
        if is_new:
            sync_folder(self._path.parent)

    @property
    def is_there(self) -> bool:
        """Whether the file that was appended to is the one another process would find."""
        try:
            return os.stat(self._path).st_ino == self._inode  # noqa: PTH116 - 2 µs matter here
        except FileNotFoundError:
            return False

    def clear(self) -> None:
        """Its rows are in the file: begin again. Rows found twice are known by their numbers."""
        if self._length:
            os.ftruncate(self._descriptor, 0)
            self._length = 0
        if not self.is_there:
            self.let_go()

    def let_go(self) -> None:
        """Close the file; remove it if it is empty and ours."""
        if self._descriptor < 0:
            return
        if not self._length and self.is_there:
            self._path.unlink()
        os.close(self._descriptor)
        self._descriptor, self._inode, self._length = -1, 0, 0

    def read(self) -> tuple[list[tuple[int, list[Packed]]], int]:
        """What a killed process has left: first numbers and rows, and how many bytes are lost.

        Bytes are lost when a sound frame follows what is damaged: it was acknowledged.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return [], 0
        found: list[tuple[int, list[Packed]]] = []
        at = 0
        while (frame := _frame(content, at)) is not None:
            found.append(_decode(frame))
            at += _HEAD.size + len(frame)
        return found, len(content) - at if _is_more(content, at) else 0

    def remove(self) -> None:
        """Its rows are in the file, and nothing was appended since."""
        self._path.unlink(missing_ok=True)

    def set_aside(self, why: str) -> Path:
        """Keep the file under another name."""
        number = 0
        while True:
            kept = self._path.with_name(f"{self._path.name}.{why}-{number}")
            if not kept.exists():
                return self._path.rename(kept)
            number += 1


def _frame(content: bytes, at: int) -> bytes | None:
    """The content of the frame that begins there, if one does and it is whole."""
    if at + _HEAD.size > len(content):
        return None
    mark, length, check = _HEAD.unpack_from(content, at)
    frame = content[at + _HEAD.size : at + _HEAD.size + length]
    return frame if mark == _MARK and len(frame) == length and _check(frame) == check else None


def _is_more(content: bytes, at: int) -> bool:
    while (at := content.find(_MARK, at + 1)) >= 0:
        if _frame(content, at) is not None:
            return True
    return False


def _check(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _explain(error: OSError, path: Path) -> StoreError:
    import errno

    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return StoreFull(
            f"{path}: the disk is full; what was acknowledged is kept. Free some space and try "
            f"again. ({error})",
            path=str(path),
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreReadOnly(
            f"{path}: it cannot be written any more; what was acknowledged is kept. Make it "
            f"writable for you. ({error})",
            path=str(path),
        )
    return StoreError(
        f"{path}: these records could not be kept: {error}. What was acknowledged is kept",
        path=str(path),
    )
