"""Large values, each in a file of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stepwell.errors import ValueUnreadable
from stepwell.store import Blob, Digest, Record, Store, open_store
from stepwell.store._files import BlobFiles

MakeBlob = Callable[..., Blob]


def _files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "n.duckdb.blobs").rglob("*") if path.is_file()]


def test_a_large_value_is_a_file_named_by_its_digest(
    file_store: Store, make_blob: MakeBlob, tmp_path: Path
) -> None:
    """Its payload is there before the record, and the file's bytes are the payload."""
    blob = make_blob(b"x" * 100_000)
    file_store.put(blob)
    assert _files(tmp_path) == [
        tmp_path / "n.duckdb.blobs" / blob.digest[:2] / blob.digest,
    ]
    assert _files(tmp_path)[0].read_bytes() == blob.data
    file_store.commit([Record("value", blob=blob.without_data())])
    found = file_store.sql("SELECT place, stored FROM stored_values").fetchall()
    assert found == [("file", 100_000)]


def test_a_large_value_is_written_once(
    file_store: Store, make_blob: MakeBlob, tmp_path: Path
) -> None:
    """Put again, before or after its record, it costs nothing and changes nothing."""
    blob = make_blob(b"x" * 100_000)
    file_store.put(blob)
    before = _files(tmp_path)[0].stat()
    file_store.put(blob)
    file_store.commit([Record("value", blob=blob.without_data())])
    file_store.put(blob)
    after = _files(tmp_path)[0].stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_without_a_record_is_used_after_a_crash(tmp_path: Path, make_blob: MakeBlob) -> None:
    """A process that died between `put` and its record leaves a file the next one can use."""
    blob = make_blob(b"x" * 100_000)
    path = tmp_path / "n.duckdb"
    BlobFiles(tmp_path / "n.duckdb.blobs").write(blob.digest, blob.data or b"")
    store = open_store(path)
    store.commit([Record("value", blob=blob.without_data())])
    assert store.blob(blob.digest) == blob
    store.close()


def test_a_value_that_was_lost_can_be_put_again(tmp_path: Path, make_blob: MakeBlob) -> None:
    """Without its file a value is unreadable; making it again brings it back."""
    blob = make_blob(b"x" * 100_000)
    store = open_store(tmp_path / "n.duckdb")
    store.commit([Record("value", blob=store.put(blob))])
    _files(tmp_path)[0].unlink()
    with pytest.raises(ValueUnreadable, match="cannot be read"):
        store.blob(blob.digest)
    store.commit([Record("value", blob=store.put(blob))])
    assert store.blob(blob.digest) == blob
    store.close()


def test_a_value_that_was_damaged_can_be_put_again(tmp_path: Path, make_blob: MakeBlob) -> None:
    """Running the step again is a way out, as the error says."""
    blob = make_blob(b"x" * 100_000)
    path = tmp_path / "n.duckdb"
    store = open_store(path)
    store.commit([Record("value", blob=store.put(blob))])
    store.close()
    _files(tmp_path)[0].write_bytes(b"y" * 100_000)
    store = open_store(path)
    store.commit([Record("value", blob=store.put(blob))])
    assert store.blob(blob.digest) == blob
    store.close()


@pytest.mark.parametrize("damaged", [b"y" * 100_000, b"x" * 99_999, b""])
def test_a_damaged_value_is_never_handed_out(
    file_store: Store, make_blob: MakeBlob, tmp_path: Path, damaged: bytes
) -> None:
    """Bytes that are not the ones that were written are an error, with the way out."""
    blob = make_blob(b"x" * 100_000)
    file_store.commit([Record("value", blob=file_store.put(blob))])
    _files(tmp_path)[0].write_bytes(damaged)
    with pytest.raises(ValueUnreadable, match="damaged") as caught:
        file_store.blob(blob.digest)
    assert caught.value.digest == blob.digest


def test_a_digest_cannot_lead_elsewhere(tmp_path: Path) -> None:
    """A store from somebody else cannot make this process read another file."""
    files = BlobFiles(tmp_path)
    for digest in ("../" * 10 + "ab", "/etc/passwd".ljust(32, "/"), "A" * 32):
        with pytest.raises(ValueUnreadable, match="not the digest"):
            files.read(Digest(digest))
