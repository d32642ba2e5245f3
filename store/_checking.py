"""What is in a store, compared with what was written into it."""

from collections.abc import Callable, Iterator

from stepwell.errors import ValueUnreadable
from stepwell.store._files import BlobFiles
from stepwell.store._instance import Instance
from stepwell.store._packing import BlobMeta, unpack_blob, unpack_meta
from stepwell.store._port import Blob, Digest, Flaw
from stepwell.store._sql import statement

__all__ = ["damaged", "numbering_flaws", "value_flaws"]

# Of payloads, each up to 64 KB: what is in hand at once stays small.
_PORTION = 64


def numbering_flaws(instance: Instance) -> Iterator[Flaw]:
    """Records that are missing, or there twice."""
    count, distinct, first, last = instance.query("numbering")[0]
    if count != distinct:
        yield Flaw(f"{count - distinct} records have the number of another one")
    if count and (first != 1 or last != distinct):
        missing = last - distinct
        yield Flaw(f"{missing} of the records 1 to {last} are missing")


def value_flaws(
    instance: Instance, files: BlobFiles, is_intact: Callable[[Blob], bool]
) -> Iterator[Flaw]:
    """Values that cannot be read back, and files that belong to none."""
    in_files: set[str] = set()
    answer = instance.new_cursor().execute(statement("described"))
    while rows := answer.fetchmany(_PORTION):
        for digest, step, text, inline in rows:
            meta = unpack_meta(text)
            if meta.file:
                in_files.add(digest)
            data = _content(files, digest) if meta.file else inline
            what = _trouble(Digest(digest), meta, data, is_intact)
            if what:
                yield Flaw(what, digest, step)
    stray = [file for file in files.all() if file.name not in in_files]
    if stray:
        size = sum(file.stat().st_size for file in stray)
        yield Flaw(f"{len(stray)} files ({size:,} bytes) in {files.folder.name} belong to no value")


def _content(files: BlobFiles, digest: str) -> bytes | ValueUnreadable:
    try:
        return files.read(Digest(digest))
    except ValueUnreadable as error:
        return error


def _trouble(
    digest: Digest,
    meta: BlobMeta,
    data: bytes | ValueUnreadable | None,
    is_intact: Callable[[Blob], bool],
) -> str:
    try:
        if isinstance(data, ValueUnreadable):
            raise data
        blob = unpack_blob(digest, meta, data or b"")
    except ValueUnreadable as error:
        return str(error).partition(". ")[0]
    return "" if is_intact(blob) else damaged(meta.type, digest)


def damaged(kind: str, digest: str) -> str:
    """Bytes as they were written, which are not those of the value they are said to be."""
    return f"a stored {kind} does not match its digest {digest}"
