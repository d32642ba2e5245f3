"""Values as they are written down: any Python object to bytes and back, equal and of its type.

It knows types, codecs, digests, previews and whose pickles to load. It does not know where
the bytes are kept, nor what a step is.
"""

from stepwell.store.values._classes import find_class, reference
from stepwell.store.values._codecs import (
    MAX_BYTES,
    decode,
    digest_value,
    encode,
    identify,
    is_canonical,
    is_intact,
)
from stepwell.store.values._encoded import Resolve
from stepwell.store.values._gather import GATHER, gather, gathered
from stepwell.store.values._immutable import is_immutable
from stepwell.store.values._names import type_name
from stepwell.store.values._plain import from_plain, to_plain
from stepwell.store.values._preview import masked, preview
from stepwell.store.values._secrets import MASK, SECRETS, Secrets, plain
from stepwell.store.values._trust import Signer, Trust, store_id
from stepwell.store.values._user_key import trust, trusted_stores

__all__ = [
    "GATHER",
    "MASK",
    "MAX_BYTES",
    "SECRETS",
    "Resolve",
    "Secrets",
    "Signer",
    "Trust",
    "decode",
    "digest_value",
    "encode",
    "find_class",
    "from_plain",
    "gather",
    "gathered",
    "identify",
    "is_canonical",
    "is_immutable",
    "is_intact",
    "masked",
    "plain",
    "preview",
    "reference",
    "store_id",
    "to_plain",
    "trust",
    "trusted_stores",
    "type_name",
]
