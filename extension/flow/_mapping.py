"""A step whose code runs once for each element of one of its inputs."""

import re
from keyword import iskeyword

from msgspec.structs import replace

from stepwell.errors import InvalidStep, InvalidUsage
from stepwell.flow._code import code_digest, digest_of
from stepwell.flow._dataflow import Dataflow, analyse
from stepwell.flow._formula import looks_at
from stepwell.flow._policies import MapOver
from stepwell.flow._step import Step

__all__ = ["mapped", "share_of", "undoing_each"]

_SHARE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)")


def mapped(step: Step, over: MapOver) -> Step:
    """The step, run once for each element of what `over.source` says: a name or an expression.

    The item's name is no read of it, and no output unless somebody says so; what the source
    and the key look at are reads. Both are part of its digest. Raises `InvalidStep` where the
    two do not fit.
    """
    source, key = _sources(step, over)
    _check(step, over, source)
    own = [name for name in step.reads if name != over.item]
    looked_at = dict.fromkeys([*source.reads, *(it for it in key.reads if it != over.item)])
    extra = tuple(name for name in looked_at if name not in own)
    text = over.source if over.is_named else code_digest(over.source, name=step.name)
    parts = ["map", step.digest, over.item, text]
    if over.key:
        parts.append(code_digest(over.key, name=step.name))
    builtins = dict.fromkeys([*step.builtins, *source.builtins, *key.builtins])
    return replace(
        step,
        digest=digest_of(*parts),
        reads=(*own, *extra),
        optional=tuple(it for it in step.optional if it not in (over.item, *source.reads)),
        builtins=tuple(name for name in builtins if name != over.item),
        map=replace(over, apart=extra),
    )


def undoing_each(step: Step, undone: Step) -> Step:
    """The step that undoes this one, run for each of its items where it is mapped.

    Its code finds the element and what the item has made under their names. One that was
    fitted to what the other was before is fitted anew. Raises `InvalidStep`.
    """
    over, mine = undone.map, step.map
    if mine is not None and mine.undoes:
        if over is not None and mine.item == over.item and mine.source in ("", over.source):
            return step
        reads = [name for name in step.reads if name not in mine.apart]
        reads += [mine.item] if mine.source else []
        step = replace(step, reads=tuple(reads), map=None)
    if over is None:
        return step
    if step.map is not None:
        raise InvalidStep(
            step.name,
            f"it undoes {undone.name!r}, which is mapped: it runs once for each {over.item!r} that "
            f"is done, with what was made of that. Leave --map out",
        )
    source = over.source if over.item in step.reads else ""
    each = MapOver(item=over.item, source=source, max_parallel=1, undoes=True)
    if source:
        return mapped(step, each)
    return replace(step, digest=digest_of("undo each", step.digest), map=each)


def _sources(step: Step, over: MapOver) -> tuple[Dataflow, Dataflow]:
    """What is looked at to find the elements, and to tell them apart."""
    if over.is_named:
        # `list` and the like are names, too: somebody may have given one a meaning.
        source = Dataflow(reads=(over.source,))
    else:
        source = looks_at(over.source, option=f"--map {over.item}=", step=step.name)
    if not over.key:
        return source, Dataflow()
    return source, looks_at(over.key, option="--key", step=step.name)


def _check(step: Step, over: MapOver, source: Dataflow) -> None:
    if not over.item.isidentifier() or iskeyword(over.item):
        raise InvalidStep(
            step.name,
            f"--map {over.item}={over.source}: {over.item!r} is not a name. Write a name for one "
            f"element, =, and what to go over: --map item=items",
        )
    if over.item in source.reads:
        raise InvalidStep(
            step.name,
            f"--map {over.item}={over.source} needs two names, one element's and that of all: "
            f"--map item={over.source}",
        )
    for name in source.reads:
        if name in step.writes:
            raise InvalidStep(
                step.name,
                f"--map {over.item}={over.source} looks at {name!r}, which the step itself makes",
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


def share_of(text: str | float, *, what: str) -> float:
    """`0.97`, or `97%`, as a share from 0 to 1. Raises `InvalidUsage`; `what` names the option."""
    match = _SHARE.fullmatch(str(text).strip())
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share <= 1:
        raise InvalidUsage(f"{what}: {text!r} is not a share. Write it from 0 to 1, or as 97%.")
    return share
