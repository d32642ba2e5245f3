"""Shortcuts: what a run's records come to, kept beside the store so that not all need be read.

The records are the truth and shortcuts are not: one that is damaged, half written, made of
other records or in another form is as good as none, and nobody is told. So they are not
synced, either. Each is a file of its own, `<store>.shortcuts/<name>`, which is complete or
absent: a sequence of frames, the first of which says what it was made of, and an empty one
at the end. A frame is the length and checksum of what follows, and zstd.

Any thread may call any method.
"""

import os
import struct
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from hashlib import blake2b
from pathlib import Path
from threading import get_ident
from typing import BinaryIO

import msgspec

from stepwell.errors import StoreCorrupt
from stepwell.store._port import Row, Shortcut

__all__ = ["Shortcuts"]

_FRAME = struct.Struct("<I16s")
_LEVEL = 1
_LARGEST_FRAME = 1 << 30


class Origin(msgspec.Struct, frozen=True):
    """What a shortcut was made of."""

    form: str
    """Of its parts: what it means to whoever made them."""
    store: str
    run: str
    seq: int
    proof: str
    """Of the last record. Records are only ever added, so those before it are the same, too."""


class Shortcuts:
    """The shortcuts of one store, at most one for each run."""

    def __init__(self, folder: Path, store: str) -> None:
        """`store` is the store's own id."""
        self.folder = folder
        self._store = store

    def write(self, last: Row, form: str, parts: Iterable[bytes]) -> None:
        """Keep what the records of `last.run` up to `last` come to. No disk trouble is told."""
        path = self._path(last.run)
        partial = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}.partial")
        origin = Origin(form, self._store, last.run, last.seq, _proof(last))
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            try:
                with _create(partial) as file:
                    for frame in _frames(origin, parts):
                        file.write(frame)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    def origin(self, run: str) -> Origin | None:
        """What the run's shortcut says of itself."""
        with suppress(OSError, StoreCorrupt, msgspec.MsgspecError), closing(self._read(run)) as it:
            return msgspec.msgpack.decode(next(it), type=Origin)
        return None

    def read(self, run: str, last: Row | None) -> Shortcut | None:
        """The run's shortcut, if `last` is the record it ends with."""
        origin = self.origin(run)
        if origin is None or last is None:
            return None
        if origin != Origin(origin.form, self._store, run, last.seq, _proof(last)):
            return None
        return Shortcut(origin.seq, origin.form, self._parts(run, origin))

    def drop(self, run: str | None = None) -> None:
        """Remove this run's, or all. One that cannot be removed is refused when it is read."""
        for path in [self._path(run)] if run is not None else self.all():
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def all(self) -> list[Path]:
        """Every file there is, those of interrupted writes included."""
        return [path for path in self.folder.glob("*") if path.is_file()]

    def _path(self, run: str) -> Path:
        # Whatever a run is called, this is the name of a file.
        return self.folder / blake2b(run.encode(), digest_size=16).hexdigest()

    def _parts(self, run: str, origin: Origin) -> Iterator[bytes]:
        with closing(self._read(run)) as parts:
            # It may have been replaced since it was looked at.
            if msgspec.msgpack.decode(next(parts), type=Origin) != origin:
                raise StoreCorrupt("a shortcut was replaced while it was read")
            yield from parts

    def _read(self, run: str) -> Generator[bytes]:
        import zstandard

        unpack = zstandard.ZstdDecompressor().decompress
        with self._path(run).open("rb") as file:
            while content := _content(file):
                try:
                    yield unpack(content)
                except zstandard.ZstdError as error:
                    raise StoreCorrupt(f"a shortcut is damaged: {error}") from error


def _create(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "wb")


def _proof(row: Row) -> str:
    return blake2b(msgspec.msgpack.encode(row), digest_size=16).hexdigest()


def _check(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _frames(origin: Origin, parts: Iterable[bytes]) -> Iterator[bytes]:
    import zstandard

    pack = zstandard.ZstdCompressor(level=_LEVEL).compress
    yield _frame(pack(msgspec.msgpack.encode(origin)))
    for part in parts:
        yield _frame(pack(part))
    yield _frame(b"")


def _frame(content: bytes) -> bytes:
    return _FRAME.pack(len(content), _check(content)) + content


def _content(file: BinaryIO) -> bytes:
    head = file.read(_FRAME.size)
    if len(head) < _FRAME.size:
        raise StoreCorrupt("a shortcut ends too early")
    length, check = _FRAME.unpack(head)
    content = file.read(length) if length < _LARGEST_FRAME else b""
    if len(content) != length or _check(content) != check:
        raise StoreCorrupt("a shortcut is damaged")
    return content
