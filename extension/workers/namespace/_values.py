"""Values of an environment: by content where that can be written down, else by type."""

import logging
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from stepwell.errors import ValueNotStorable
from stepwell.flow import BindingKind
from stepwell.store import Blob
from stepwell.store.values import Signer, digest_value, encode, is_canonical, type_name
from stepwell.workers.namespace._description import Description, Parts
from stepwell.workers.namespace._digest import combined
from stepwell.workers.namespace._kinds import ATOMS, CONTAINERS, MOST_LOOKED_AT, attribute, kind_of

__all__ = ["describe_value", "instances_in"]

MOST_PICKLED_BYTES = 16 << 20
"""An object that is brought back by pickle is pickled with every capture."""


_TABLES = frozenset({"numpy", "pandas", "polars", "pyarrow"})


def instances_in(value: Any) -> tuple[type, ...]:
    """The types of what a value consists of; of its first thousand parts."""
    found: dict[type, None] = {}
    pending: list[Any] = [value]
    seen: set[int] = set()
    while pending and len(seen) < MOST_LOOKED_AT:
        one = pending.pop()
        kind = kind_of(one)
        if kind in ATOMS or id(one) in seen:
            continue
        seen.add(id(one))
        items: Iterable[Any] = ()
        if kind in CONTAINERS:
            items = one.values() if kind is dict else one
        else:
            found[kind] = None
            attributes: dict[str, Any] = attribute(one, "__dict__") or {}
            items = attributes.values()
        pending += islice(items, MOST_LOOKED_AT)
    return tuple(found)


def describe_value(
    value: object,
    namespace: Mapping[str, object],
    signer: Signer | None,
    classes: Parts,
) -> Description:
    """The value by its content; by its type if nothing tells two of them apart.

    `classes` are the user's, whose instances are in it.
    """
    try:
        blob = _encoded(value, namespace, signer)
    except ValueNotStorable as error:
        return _opaque(value, classes, None, str(error.facts["reason"]))
    if not is_canonical(blob.codec):
        known = _known(value)
        if not known:
            return _opaque(value, classes, blob, "")
        return Description(BindingKind.VALUE, combined(*known), blob.preview, blob=blob)
    unnamed = any(token.startswith(("class:", "around")) for token in classes.tokens)
    digest = combined(blob.digest, *classes.tokens) if unnamed else blob.digest
    uses = tuple(classes.uses)
    return Description(BindingKind.VALUE, digest, blob.preview, uses, blob=blob)


def _encoded(value: object, namespace: Mapping[str, object], signer: Signer | None) -> Blob:
    # Whether it would be a pickle is asked first: a pickle may be large, and has a limit.
    # Tables are large themselves, and hardly ever pickled: they are encoded once.
    is_table = kind_of(value).__module__.partition(".")[0] in _TABLES
    if is_table or type(value) in ATOMS or digest_value(value, resolve=namespace.get) is not None:
        return encode(value, signer=signer, resolve=namespace.get)
    return encode(value, signer=signer, resolve=namespace.get, max_bytes=MOST_PICKLED_BYTES)


def _known(value: Any) -> tuple[str, ...]:
    """What tells apart two values of types that notebooks are full of; empty for all others."""
    if kind_of(value) is re.Pattern:
        return ("pattern", repr(value.pattern), str(value.flags))
    return ("logger", value.name) if isinstance(value, logging.Logger) else ()


def _opaque(value: object, classes: Parts, blob: Blob | None, reason: str) -> Description:
    # A class made inside a function does not remember where when it comes back.
    name = type_name(value).rpartition("<locals>.")[2]
    return Description(
        BindingKind.OPAQUE,
        combined("opaque", name, *classes.tokens),
        name,
        tuple(classes.uses),
        blob=blob,
        opaque=name,
        reason=reason,
    )
