"""Whether a person is asked before a call is made, and what they are shown.

A rule that fails is as good as one that says yes: what nobody could tell is not let through.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stepwell.errors import with_article
from stepwell.inside._approvals import Wish
from stepwell.inside._arguments import Identity, Named
from stepwell.inside._current import Values
from stepwell.inside._edits import Edits
from stepwell.store.values import type_name

__all__ = ["Rule", "wish_for"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Of one call: who asks for permission, and whether its arguments may be changed."""

    asks: Callable[[], object]
    question: str = ""
    may_change: bool = True


def wish_for(rule: Rule, call: Identity, values: Values) -> Wish | None:
    """What is to be asked about the call, all its arguments shown; None for nothing."""
    why = ""
    try:
        if not rule.asks():
            return None
    except Exception as error:
        why = f" (whether to ask could not be told: {type(error).__name__}: {error})"
    shown: Named = {}
    names: list[str] = []
    for name, value in call.arguments.items():
        if name == "self":
            continue
        is_plain = values.identify(value) is not None
        shown[name] = value if is_plain else with_article(type_name(value))
        names += [name] if is_plain and rule.may_change else []
    return Wish(
        question=(rule.question or f"Call {call.name}?") + why,
        payload=shown,
        edits=Edits.of_payload(shown, names, None),
        tool=call.name,
    )
