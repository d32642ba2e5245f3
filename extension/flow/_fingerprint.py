"""What a result depends on, and how two states of that differ."""

import msgspec

from stepwell.flow._binding import Binding, BindingKind, Environment
from stepwell.flow._code import digest_of

__all__ = ["Fingerprint", "opaque"]

# Part of every digest: raised when the same dependencies would get another one.
_SCHEME = "fingerprint-1"


class Fingerprint(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Everything a step's result depends on. Equal digests: the result can be reused."""

    code: str
    """`Step.digest`."""
    inputs: dict[str, str] = {}
    """Name → digest of the value that another step wrote."""
    environment: Environment = {}
    """Everything else the step and the functions it calls read. A name that is an input as
    well counts as the input."""

    @property
    def digest(self) -> str:
        """32 hexadecimal characters; the order of the names does not matter."""
        parts = [_SCHEME, self.code]
        for name, value in sorted(self.inputs.items()):
            parts += ["input", name, value]
        for name, binding in sorted(self.environment.items()):
            if name in self.inputs:
                continue
            parts += [binding.kind.value, name, identity(binding)]
        return digest_of(*parts)


def identity(binding: Binding) -> str:
    """What tells a binding from another of its kind and name; of something opaque, its type."""
    return binding.detail if binding.kind is BindingKind.OPAQUE else binding.digest


def opaque(environment: Environment) -> tuple[str, ...]:
    """Names, sorted, that stand for something whose changes cannot be seen.

    A result is reused whatever became of them: people should be told.
    """
    return tuple(sorted(name for name, b in environment.items() if b.kind is BindingKind.OPAQUE))
