"""Whose values are loaded when loading can run code."""

import hmac
from dataclasses import dataclass, field
from typing import Self
from uuid import uuid4

from stepwell.errors import StoreReadOnly, ValueNotTrusted
from stepwell.store._port import Blob, Store
from stepwell.store.values._user_key import trusted_stores, user_key

__all__ = ["Signer", "Trust", "store_id"]

_PURPOSE = "stepwell value 1"
_ID = "id"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs values with a key and knows its own signatures again: HMAC-SHA256."""

    key: bytes = field(repr=False)

    @classmethod
    def of_user(cls) -> Self:
        """The signer of this user, with a key made on first use. Raises `UnsupportedEnvironment`
        where it can be neither read nor kept."""
        return cls(user_key())

    def sign(self, codec: str, digest: str) -> str:
        """The signature of a value, in hexadecimal."""
        said = f"{_PURPOSE}\n{codec}\n{digest}".encode()
        return hmac.digest(self.key, said, "sha256").hex()

    def signed(self, blob: Blob) -> bool:
        """Whether the blob carries this signer's own signature."""
        return hmac.compare_digest(self.sign(blob.codec, blob.digest), blob.signature)


def store_id(store: Store) -> str:
    """What the store is known by, also after it has been moved; given on first use."""
    known = store.meta(_ID)
    if known is None:
        known = uuid4().hex
        try:
            store.set_meta(_ID, known)
        except StoreReadOnly:
            return ""  # nobody can trust what cannot be told apart
    return known


@dataclass(frozen=True, slots=True)
class Trust:
    """What a reader of values accepts. Without a signer: only what runs nothing when read."""

    signer: Signer | None = None
    accept_unsigned: bool = False
    """Load everything, whoever signed it: for stores the user has said they trust."""
    store: str = ""
    """The store's id, so that the error can say how to trust it."""

    @classmethod
    def of_user(cls, store: Store) -> Self:
        """This user's trust in that store, as recorded in their data directory."""
        known = store_id(store)
        return cls(Signer.of_user(), known in trusted_stores(), known)

    def covers(self, blob: Blob) -> bool:
        """Whether reading this blob may run code."""
        if self.accept_unsigned:
            return True
        return self.signer is not None and self.signer.signed(blob)

    def refuse(self, blob: Blob, because: str) -> ValueNotTrusted:
        """The error for a blob that is not covered; it says how to change that."""
        whose = "was signed by somebody else" if blob.signature else "is not signed"
        way_out = (
            f"trust it: `from stepwell.store.values import trust; trust({self.store!r})`"
            if self.store
            else "read it with `Trust(accept_unsigned=True)`"
        )
        return ValueNotTrusted(
            f"a stored {blob.type} {whose}, and {because}, so it was not loaded. "
            f"If you know who made the store and would run their code, {way_out}",
            digest=blob.digest,
            type=blob.type,
            store=self.store,
        )
