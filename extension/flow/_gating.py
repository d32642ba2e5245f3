"""A step that asks a person before its code runs."""

import re

from msgspec.structs import replace

from stepwell.errors import InvalidStep
from stepwell.flow._step import Step

__all__ = ["gated"]

_NAME = re.compile(r"\{([^\W\d]\w*)\}")


def gated(step: Step) -> Step:
    """The step, with what its question names among its reads. Raises `InvalidStep`.

    Called when the step is complete otherwise. The question changes nothing about what a
    result is: it is not part of its digest.
    """
    if step.approve is None:
        return step
    item = step.map.item if step.map is not None else ""
    for name in step.approve.edit:
        if name not in step.reads and name != item:
            listed = ", ".join(step.reads) or "nothing"
            raise InvalidStep(
                step.name,
                f"--edit names {name!r}, which the code does not read (it reads {listed})",
            )
    named = dict.fromkeys(_NAME.findall(step.approve.text))
    is_for_each = bool(item) and item in {*named, *step.approve.edit}
    if item and step.approve.edit and (not is_for_each or set(step.approve.edit) != {item}):
        raise InvalidStep(
            step.name,
            f"of a mapped step each element can be edited, and nothing else: --edit {item}",
        )
    more = [name for name in named if name not in step.reads and name != item]
    if more and step.kind == "function":
        raise InvalidStep(
            step.name, f"its question names {more[0]!r}, which is none of its parameters"
        )
    for name in more:
        if name in step.writes:
            raise InvalidStep(
                step.name, f"its question names {name!r}, which it has not made yet when it asks"
            )
    return replace(step, reads=(*step.reads, *more))
