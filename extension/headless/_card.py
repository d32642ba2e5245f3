"""What a step's card says: the message by which the engine tells how a step stands."""

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["MIME", "Card", "Items", "Trouble", "card_in"]

MIME = "application/vnd.stepwell.step+json"


class Trouble(msgspec.Struct, frozen=True):
    """Why a step failed."""

    type: str = "Error"
    message: str = ""

    def __str__(self) -> str:
        return " ".join(f"{self.type}: {self.message}".split()).removesuffix(":")


class Items(msgspec.Struct, frozen=True):
    """How far a mapped step has come."""

    total: int = 0
    done: int = 0
    reused: int = 0

    def __str__(self) -> str:
        many = f"{self.total:,} item{'' if self.total == 1 else 's'}"
        said = many if self.done == self.total else f"{self.done:,} of {many}"
        return f"{said}, {self.reused:,} from before" if self.reused else said


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One step as of one moment. All of its text comes from the kernel and is untrusted."""

    step: str
    run: str | None = None
    phase: str = "not run"
    """`not run`, `waiting`, `running`, `done`, `failed` or `cancelled`."""
    attempt: int = 0
    seconds: float | None = None
    """How long the attempt took; for a restored step, the time that was saved."""
    restored: bool = False
    error: Trouble | None = None
    waiting_for: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    needs_person: str = ""
    """The question that it waits with."""
    items: Items | None = None
    """Of a mapped step."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will happen to the step by itself."""
        return self.phase in {"done", "failed", "cancelled"}


def card_in(message: Mapping[str, Any]) -> Card | None:
    """The card that a kernel message carries, or None when it carries none that can be read."""
    try:
        return msgspec.convert(message["content"]["data"][MIME], Card)
    except (KeyError, TypeError, msgspec.ValidationError):
        # Somebody else's message, or a card of a version to come: what it shows is kept
        # in the notebook all the same.
        return None
