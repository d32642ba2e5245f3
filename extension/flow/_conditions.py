"""A step that runs only where an expression over what it reads is true."""

from msgspec.structs import replace

from stepwell.errors import InvalidStep
from stepwell.flow._code import code_digest, digest_of
from stepwell.flow._formula import looks_at
from stepwell.flow._step import Step

__all__ = ["conditional"]


def conditional(step: Step, when: str) -> Step:
    """The step, with its condition: what that looks at is read, and is part of its digest.

    Raises `InvalidStep` for what is no expression, or looks at what the step makes itself.
    """
    found = looks_at(when, option="--when", step=step.name)
    for name in found.reads:
        if name in step.writes:
            reason = f"--when {when!r} looks at {name!r}, which the step itself makes"
            raise InvalidStep(step.name, reason)
        if step.kind == "function" and name not in step.reads:
            reason = f"when= looks at {name!r}, which is no parameter of it; add one"
            raise InvalidStep(step.name, reason)
    return replace(
        step,
        digest=digest_of("when", step.digest, code_digest(when, name=step.name)),
        reads=tuple(dict.fromkeys([*step.reads, *found.reads])),
        builtins=tuple(dict.fromkeys([*step.builtins, *found.builtins])),
        when=when,
    )
