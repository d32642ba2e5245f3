"""What a step finds around it besides other steps' outputs: its environment."""

from enum import StrEnum

import msgspec

__all__ = ["Binding", "BindingKind", "Environment"]


class BindingKind(StrEnum):
    """How a name of the environment is told apart from an earlier version of itself."""

    VALUE = "value"  # by the digest of its value; can be brought back from the store
    FUNCTION = "function"  # by its code and, through the other bindings, by what it uses
    CLASS = "class"  # likewise
    MODULE = "module"  # by name and version, or the digest of a module without one
    SECRET = "secret"  # by a digest under the user's key; never stored, so never brought back
    OPAQUE = "opaque"  # cannot be told apart: a connection, a lock, a client object


class Binding(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One name of the environment, digested."""

    kind: BindingKind
    digest: str
    """Equal means: as far as can be known, the same."""
    detail: str = ""
    """For people: a function's or class's source, `name version` of a module, a value's preview,
    the type of something opaque."""
    uses: tuple[str, ...] = ()
    """For functions and classes: the global names their code reads, which the same environment
    binds as well (unless a step writes them: then they are inputs)."""


Environment = dict[str, Binding]
"""Everything a step reads that no step writes, by name, helpers' names included."""
