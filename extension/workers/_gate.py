"""The question before a step's code: what it says, what of the inputs may be changed.

A decision holds for one piece of work: for every attempt at it, also after a crash or with
edited code, until it has completed; and for the inputs it was made about.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, cast

from stepwell.flow import Approve, Step
from stepwell.inside import Edits, Wish, ask_for, here
from stepwell.orchestrator import Attempt

__all__ = ["asked_about", "asks_first", "permission", "replaced"]

_NAME = re.compile(r"\{([^\W\d]\w*)\}")
_SHOWN = 200


def asks_first(attempt: Attempt) -> bool:
    """Whether a person is asked before this attempt goes on.

    For a mapped step once, before its items are known; where the question is about an item,
    for each of them.
    """
    definition = attempt.definition
    if definition.approve is None or attempt.gathered is not None:
        return False
    if definition.map is None:
        return True
    is_for_each = definition.map.item in _concerned(definition.approve)
    return is_for_each is (attempt.item is not None)


def _concerned(approve: Approve) -> set[str]:
    return {*approve.edit, *_NAME.findall(approve.text)}


def asked_about(attempt: Attempt) -> tuple[str, ...]:
    """What the step reads, an item's element too: its question may name them."""
    definition = attempt.definition
    item = (definition.map.item,) if definition.map is not None and attempt.item else ()
    return (*definition.reads, *item)


async def permission(attempt: Attempt, names: Mapping[str, object]) -> dict[str, object]:
    """Wait for somebody's yes; the inputs they have changed. In the attempt's context.

    `names` is what the step reads. Raises `ApprovalRejected`, `ApprovalExpired`.
    """
    definition, approve = attempt.definition, attempt.definition.approve
    assert approve is not None
    shown = _concerned(approve) or {*attempt.inputs}
    payload = {name: value for name, value in names.items() if name in shown}
    wish = Wish(
        question=_question(definition, approve, names),
        payload=payload,
        edits=Edits.of_inputs(payload, approve.edit),
        timeout=approve.timeout,
        on_timeout=approve.on_timeout,
        about=_digest(*(f"{name}={it}" for name, it in sorted(attempt.inputs.items()))),
    )
    found = await ask_for(here("--approve"), wish, key=f"approve:{attempt.key}")
    decided = cast("Mapping[str, object]", found)
    return {name: decided[name] for name in approve.edit if decided[name] is not payload[name]}


def _question(definition: Step, approve: Approve, names: Mapping[str, object]) -> str:
    """The text with the inputs it names in their places. It is only ever a text."""

    def said(found: "re.Match[str]") -> str:
        name = found[1]
        return f"{names[name]!s:.{_SHOWN}}" if name in names else found[0]

    return _NAME.sub(said, approve.text) or f"Run step {definition.name!r}?"


def replaced(digest: str, changed: Mapping[str, str]) -> str:
    """The digest that a transient output goes by when some inputs were changed."""
    return _digest(digest, *(f"{name}={it}" for name, it in sorted(changed.items())))


def _digest(*parts: Any) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
