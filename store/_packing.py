"""Between a `Record` and a row of the journal.

A row has five columns, `seq, head, body, meta, data`. Each further column would cost a
single-record commit some 30 microseconds, so the short fields share `head`, separated by
U+001F, and what is known of a blob shares `meta`, a JSON object. `views.sql` takes both
apart again for people.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Self

import msgspec

from stepwell.errors import InvalidUsage, ValueUnreadable
from stepwell.store._port import Blob, Digest, Record, Row

__all__ = [
    "LARGEST",
    "SEPARATOR",
    "BlobMeta",
    "Packed",
    "checksum",
    "pack",
    "pack_meta",
    "unpack",
    "unpack_blob",
    "unpack_meta",
]

SEPARATOR = "\x1f"
DIGEST_CHARACTERS = 32
LARGEST = 2**63 - 1


class BlobMeta(msgspec.Struct, frozen=True):
    """What a row says about a blob besides its digest. Its names are those of `views.sql`."""

    codec: str
    type: str
    size: int
    preview: str
    signature: str
    stored: int
    """Bytes of the payload."""
    check: str
    """Of the payload as it was written; see `checksum`."""
    file: bool
    """Whether the payload is in a file of its own."""

    @classmethod
    def of(cls, blob: Blob, stored: int, check: str, *, file: bool) -> Self:
        """For a payload of `stored` bytes with this checksum."""
        return cls(
            blob.codec, blob.type, blob.size, blob.preview, blob.signature, stored, check, file
        )


Packed = tuple[str, str, str | None, bytes | None]
"""A journal row that has no number yet: `head, body, meta, data`."""

_encode_meta = msgspec.json.Encoder().encode
_decode_meta = msgspec.json.Decoder(BlobMeta).decode
_check_json = msgspec.json.Decoder(msgspec.Raw).decode


def checksum(payload: bytes) -> str:
    """BLAKE2b-128 of a payload's bytes as they lie on disk, hexadecimal."""
    return blake2b(payload, digest_size=16).hexdigest()


def pack(record: Record, meta: BlobMeta | None, data: bytes | None) -> Packed:
    """The journal row of a record. Raises `InvalidUsage` for what could not be read back."""
    blob = record.blob
    digest = "" if blob is None else blob.digest
    head = (
        f"{record.run}\x1f{record.kind}\x1f{record.step}\x1f{record.item}"
        f"\x1f{record.attempt:d}\x1f{record.at:d}\x1f{digest}"
    )
    if head.count(SEPARATOR) != 6 or not head.isascii():
        _check_words(record)
    if not -LARGEST <= record.at <= LARGEST:
        raise InvalidUsage(f"at={record.at} is no time in microseconds since 1970")
    if digest and len(digest) != DIGEST_CHARACTERS:
        raise InvalidUsage(
            f"{digest!r} is not a digest: it has {len(digest)} characters instead of "
            f"{DIGEST_CHARACTERS}. Make blobs with stepwell.store.values"
        )
    return head, _text(record), None if meta is None else pack_meta(meta), data


def _check_words(record: Record) -> None:
    for field in ("run", "kind", "step", "item"):
        word: str = getattr(record, field)
        if SEPARATOR in word:
            raise InvalidUsage(
                f"{field} {word!r} contains the control character U+001F, which separates "
                "fields in the store. Leave it out"
            )
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise InvalidUsage(
                f"{field} {word!r} cannot be written as UTF-8: {error.reason}"
            ) from error


def _text(record: Record) -> str:
    # A body that is no JSON object would make every view fail that meets it.
    try:
        _check_json(record.body)
        body = record.body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidUsage(f"the body of a {record.kind!r} record is not JSON: {error}") from error
    if body[:1] != "{" and body.lstrip()[:1] != "{":
        raise InvalidUsage(f"the body of a {record.kind!r} record is JSON, but not an object")
    return body


def pack_meta(meta: BlobMeta) -> str:
    """As it is written in the column `meta`."""
    return _encode_meta(meta).decode()


def unpack_meta(text: str) -> BlobMeta:
    """As it was packed."""
    return _decode_meta(text)


def unpack(rows: Iterable[Sequence[Any]]) -> list[Row]:
    """Journal rows (`seq, head, body`) as they were appended."""
    return [
        Row(seq, kind, run, step, item, int(attempt), int(at), body.encode(), digest or None)
        for seq, head, body in rows
        for run, kind, step, item, attempt, at, digest in (head.split(SEPARATOR),)
    ]


def unpack_blob(digest: Digest, meta: BlobMeta, payload: bytes) -> Blob:
    """A blob with its payload. Raises `ValueUnreadable` when the payload is not what was kept."""
    if len(payload) != meta.stored or checksum(payload) != meta.check:
        raise ValueUnreadable(
            f"the stored bytes of value {digest} ({meta.type}) are damaged: {len(payload)} bytes "
            f"where {meta.stored} were written, or not the same ones. Run the step that made it "
            "again, or bring the store's files back from a backup",
            digest=digest,
        )
    return Blob(digest, meta.codec, meta.type, meta.size, meta.preview, payload, meta.signature)
