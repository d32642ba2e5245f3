"""Secrets among the names of an environment: told apart, and neither kept nor shown."""

from stepwell.flow import Binding, BindingKind
from stepwell.store.values import SECRETS, Signer, digest_value, plain

__all__ = ["secret_binding"]


def secret_binding(key: str, value: object, signer: Signer | None) -> Binding | None:
    """What is written down of a secret; None for what is none.

    Its digest is one under the user's key: nobody else finds the secret by trying. Without
    a key, and for a value without a digest, all secrets of a type are the same.
    """
    name = key.rpartition(".")[2]
    held = plain(value)
    if held is value and not SECRETS.is_marked(name):
        return None
    SECRETS.keep(name, held)
    content = digest_value(held) if signer is not None else None
    kind = type(value).__name__
    if signer is None or content is None:
        return Binding(BindingKind.SECRET, f"secret {kind}", kind)
    return Binding(BindingKind.SECRET, signer.sign("secret", content)[:32], kind)
