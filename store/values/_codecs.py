"""From a value to a blob and back: which codec, which digest, whose signature.

Codecs are asked in order, and the first that would bring the value back as it was writes it:
`json`, `bytes`, `npy`, `arrow`, `data`, `pickle`. All but the last are canonical.
"""

from collections.abc import Callable
from threading import Thread
from typing import Any

from stepwell.errors import ValueNotStorable, ValueNotTrusted, ValueProblem, ValueUnreadable
from stepwell.store._port import Blob, Digest
from stepwell.store.values._encoded import Encoded, Resolve, Unsuited, nothing
from stepwell.store.values._gather import GATHER, Load, read_gathered
from stepwell.store.values._json import exact_json, read_json
from stepwell.store.values._names import class_of, type_name
from stepwell.store.values._pack import digest_of, pack, unpack
from stepwell.store.values._preview import json_preview, preview
from stepwell.store.values._refused import not_storable, refusal
from stepwell.store.values._secrets import SECRETS
from stepwell.store.values._trust import Signer, Trust

__all__ = [
    "MAX_BYTES",
    "decode",
    "digest_value",
    "encode",
    "identify",
    "is_canonical",
    "is_intact",
]

MAX_BYTES = 2 * 1024**3
_UNTRUSTED = Trust()


def encode(
    value: object,
    *,
    signer: Signer | None = None,
    resolve: Resolve = nothing,
    max_bytes: int = MAX_BYTES,
) -> Blob:
    """The value as it is written down; `decode` brings it back equal and of the same type.

    `resolve` is where the notebook's classes are found, beside `__main__`. `signer` signs what
    runs code when it is read; without one, such a blob is readable only in a trusted store.
    Raises `ValueNotStorable` with the type, the path inside the value, the reason and a way out.
    """
    text = exact_json(value)
    if text is not None:
        if len(text) > max_bytes:
            raise _too_large(value, len(text), max_bytes)
        _refuse_secrets(value, text)
        digest = digest_of("json", text)
        kind = type(value).__name__
        return Blob(digest, "json", kind, len(text), json_preview(text), pack(text))
    encoded = _encoded(value, resolve, max_bytes)
    if len(encoded.payload) > max_bytes:
        raise _too_large(value, len(encoded.payload), max_bytes)
    _refuse_secrets(value, encoded.payload)
    digest = digest_of(encoded.codec, encoded.payload)
    is_signed = encoded.needs_trust and signer is not None
    return Blob(
        digest,
        encoded.codec,
        type_name(value),
        len(encoded.payload),
        preview(value),
        pack(encoded.payload),
        signer.sign(encoded.codec, digest) if is_signed and signer else "",
    )


def _encoded(value: object, resolve: Resolve, max_bytes: int) -> Encoded:
    canonical = _canonical(value, resolve)
    if canonical is not None:
        return canonical
    from stepwell.store.values._pickle import write_pickle

    return write_pickle(value, resolve, max_bytes=max_bytes)


def _canonical(value: object, resolve: Resolve) -> Encoded | None:
    kind = class_of(value)
    if kind is bytes:
        return Encoded("bytes", value)  # type: ignore[arg-type]
    reason = refusal(kind)
    if reason:
        raise not_storable(value, value, reason)
    try:
        from stepwell.store.values._tables import encode_table, is_table
        from stepwell.store.values._tree import write_tree

        if is_table(kind):
            return encode_table(value)

        return write_tree(value, resolve)
    except Unsuited:
        return None


def _refuse_secrets(value: object, payload: bytes) -> None:
    name = SECRETS.name_in(payload)
    if name:
        reason = f"it holds the secret {name!r} in clear; store what you made with it instead"
        raise ValueNotStorable(type_name(value), reason)


def _too_large(value: object, size: int, max_bytes: int) -> ValueNotStorable:
    from stepwell.store.values._pickle import too_large

    return too_large(value, size, max_bytes)


def digest_value(value: object, *, resolve: Resolve = nothing) -> Digest | None:
    """The digest `encode` would give, if its codec is canonical; None if the value would be
    pickled or cannot be stored: then nothing tells two of them apart."""
    text = exact_json(value)
    if text is not None:
        return digest_of("json", text)
    try:
        encoded = _canonical(value, resolve)
    except ValueNotStorable:
        return None
    return digest_of(encoded.codec, encoded.payload) if encoded else None


def identify(value: object, *, resolve: Resolve = nothing) -> tuple[Digest, str] | None:
    """`digest_value` together with a preview: what there is to say of a value that is not kept."""
    text = exact_json(value)
    if text is not None:
        return digest_of("json", text), json_preview(text)
    digest = digest_value(value, resolve=resolve)
    return (digest, preview(value)) if digest is not None else None


def is_canonical(codec: str) -> bool:
    """Whether equal values have equal digests under this codec."""
    return codec != "pickle"


def is_intact(blob: Blob) -> bool:
    """Whether the bytes are those the digest stands for. Nothing is decoded, nothing runs."""
    try:
        payload = unpack(blob.data or b"", blob.size)
    except ValueUnreadable:
        return False
    return len(payload) == blob.size and digest_of(blob.codec, payload) == blob.digest


def decode(
    blob: Blob,
    *,
    trust: Trust = _UNTRUSTED,
    resolve: Resolve = nothing,
    load: Load | None = None,
) -> Any:
    """The value that `encode` was given.

    The notebook's classes are looked for in `resolve`, then in `__main__`; the elements of
    what was gathered come from `load`. Raises
    `ValueUnreadable` for damaged bytes, and for a class that is not there or has changed;
    `ValueNotTrusted` for what would run code and is not covered by `trust`.
    """
    if blob.data is None:
        raise ValueUnreadable(
            f"the bytes of a stored {blob.type} are not at hand. Ask the store for the blob first",
            digest=blob.digest,
        )
    payload = unpack(blob.data, blob.size)
    if len(payload) != blob.size or digest_of(blob.codec, payload) != blob.digest:
        raise ValueUnreadable(
            f"a stored {blob.type} is damaged: its bytes do not match their digest {blob.digest}. "
            "Run the step again, or take the store from a backup",
            digest=blob.digest,
        )
    if blob.codec == GATHER:
        return read_gathered(payload, load)
    try:
        return _read(blob, payload, trust, resolve)
    except RecursionError:
        return _with_fresh_stack(lambda: _read(blob, payload, trust, resolve))


def _read(blob: Blob, payload: bytes, trust: Trust, resolve: Resolve) -> Any:
    try:
        return _by_codec(blob, payload, trust, resolve)
    except ValueNotTrusted as error:
        raise trust.refuse(blob, str(error)) from error
    except ValueProblem as error:
        raise ValueUnreadable(f"a stored {blob.type} cannot be read: {error}") from error
    except RecursionError:
        raise
    except Exception as error:
        raise ValueUnreadable(
            f"a stored {blob.type} cannot be read: {type(error).__name__}: {error}. "
            "Run the step again",
            digest=blob.digest,
        ) from error


def _by_codec(blob: Blob, payload: bytes, trust: Trust, resolve: Resolve) -> Any:
    codec = blob.codec
    if codec == "json":
        return read_json(payload)
    if codec == "bytes":
        return payload
    if codec == "data":
        from stepwell.store.values._tree import read_tree

        return read_tree(payload, resolve, is_trusted=trust.covers(blob))
    if codec == "npy" or codec.startswith("arrow:"):
        from stepwell.store.values._tables import decode_table

        return decode_table(codec, payload)
    if codec != "pickle":
        raise ValueUnreadable(
            f"codec {codec!r} is unknown. Install the version of stepwell that wrote it"
        )
    if not trust.covers(blob):
        raise ValueNotTrusted("it is a pickle, which can run anything when it is loaded")
    from stepwell.store.values._pickle import read_pickle

    return read_pickle(payload, resolve)


def _with_fresh_stack(read: Callable[[], Any]) -> Any:
    # The value was written from a shallower stack than the one we are called on.
    outcome: list[Any] = []
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            outcome.append(read())
        except BaseException as error:
            failures.append(error)

    thread = Thread(target=attempt, name="stepwell-deep-value")
    thread.start()
    thread.join()
    if not failures:
        return outcome[0]
    if isinstance(failures[0], RecursionError):
        raise ValueUnreadable("a stored value is nested too deeply for this interpreter")
    raise failures[0]
