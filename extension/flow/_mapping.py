"""A step whose code runs once for each element of one of its inputs."""

import re
from keyword import iskeyword

from msgspec.structs import replace

from stepwell.errors import InvalidStep, InvalidUsage
from stepwell.flow._code import code_digest, digest_of
from stepwell.flow._dataflow import analyse
from stepwell.flow._policies import MapOver
from stepwell.flow._step import Step

__all__ = ["mapped", "share_of"]

_SHARE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)")


def mapped(step: Step, over: MapOver) -> Step:
    """The step, run once for each element of `over.source`.

    The item's name is no read of it, and no output unless somebody says so; the source, and
    what the key is made from, are reads. How elements are told apart is part of its digest.
    Raises `InvalidStep` where the two do not fit.
    """
    _check(step, over)
    own = [name for name in step.reads if name != over.item]
    extra = [name for name in (over.source, *_key_reads(step, over)) if name not in own]
    parts = ["map", step.digest, over.item, over.source]
    if over.key:
        parts.append(code_digest(over.key, name=step.name))
    return replace(
        step,
        digest=digest_of(*parts),
        reads=(*own, *dict.fromkeys(extra)),
        optional=tuple(name for name in step.optional if name not in (over.item, over.source)),
        builtins=tuple(name for name in step.builtins if name != over.item),
        map=replace(over, apart=tuple(dict.fromkeys(extra))),
    )


def _check(step: Step, over: MapOver) -> None:
    for name in (over.item, over.source):
        if not name.isidentifier() or iskeyword(name):
            raise InvalidStep(
                step.name,
                f"--map {over.item}={over.source}: {name!r} is not a name. Give what is to be "
                f"mapped over a name in a cell or step, and name it here",
            )
    if over.item == over.source:
        raise InvalidStep(
            step.name,
            f"--map needs two names, one element's and that of all: --map item={over.source}",
        )
    if over.item in step.writes:
        raise InvalidStep(
            step.name, f"{over.item!r} is each element's name (--map) and cannot be an output"
        )
    if step.when and over.item in analyse(step.when).reads:
        raise InvalidStep(
            step.name,
            f"--when is asked once for the step, not for each {over.item!r}. Leave elements out of "
            f"{over.source!r} instead",
        )
    if step.once:
        raise InvalidStep(
            step.name,
            "--once is asked of a person for a whole step; for elements there is "
            "stepwell.current().idempotency_key, the same for every attempt",
        )
    if step.transient:
        raise InvalidStep(
            step.name, "what a mapped step makes is kept element by element: leave out --transient"
        )


def _key_reads(step: Step, over: MapOver) -> tuple[str, ...]:
    if not over.key:
        return ()
    try:
        compile(over.key, "<key>", "eval", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        reason = f"--key {over.key!r} is not an expression of Python's"
        raise InvalidStep(step.name, reason) from error
    reads = analyse(over.key, name=step.name).reads
    return tuple(name for name in reads if name != over.item)


def share_of(text: str | float, *, what: str) -> float:
    """`0.97`, or `97%`, as a share from 0 to 1. Raises `InvalidUsage`; `what` names the option."""
    match = _SHARE.fullmatch(str(text).strip())
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share <= 1:
        raise InvalidUsage(f"{what}: {text!r} is not a share. Write it from 0 to 1, or as 97%.")
    return share
