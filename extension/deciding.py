"""Deciding from a terminal: `stepwell inbox`, `approve`, `reject`, `respond`.

On a store that no kernel has. Decisions are stored, and found when the run goes on.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stepwell.inside import answer_from_text
from stepwell.session import ABSENT, inbox_of, open_desk, understood

__all__ = ["approve", "inbox", "reject", "respond"]

_CHANNEL = "command line"


def inbox(store: Path) -> str:
    """What waits for a person in the store's runs, as text."""
    with open_desk(store) as desk:
        return repr(inbox_of(desk, way_out="stepwell {verb} STORE {id}"))


def approve(store: Path, which: str, note: str, given: Iterable[str], *, always: bool) -> str:
    """Say yes, perhaps with changes; what was decided, in a line."""
    with open_desk(store) as desk:
        question = desk.find(which)
        values = understood(given, {})
        value: Any = ABSENT
        if values:
            is_whole = question.asked.edit == ("payload",)
            value = values.get("payload") if is_whole else values
        made = desk.decide(question.id, "approve", value, note, channel=_CHANNEL, always=always)
        return f"{question.asked.question}: {made.decision} by {made.by}"


def reject(store: Path, which: str, reason: str) -> str:
    """Say no; what was decided, in a line."""
    with open_desk(store) as desk:
        question = desk.find(which)
        made = desk.decide(question.id, "reject", reason=reason, channel=_CHANNEL)
        return f"{question.asked.question}: {made.decision} by {made.by}"


def respond(store: Path, which: str, answer: str) -> str:
    """Answer; what was decided, in a line."""
    with open_desk(store) as desk:
        question = desk.find(which)
        # What happened may have given no result: then it is said without one.
        value: Any = answer_from_text(answer, question.asked.schema) if answer else ABSENT
        made = desk.decide(question.id, "answer", value, channel=_CHANNEL)
        return f"{question.asked.question}: {made.decision} by {made.by}"
