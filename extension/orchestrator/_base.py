"""What events are made of."""

import msgspec

__all__ = ["BaseEvent", "ErrorInfo", "Failure", "Output"]


class Output(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One output of a completed step."""

    digest: str
    type: str = ""
    size: int = 0
    preview: str = ""
    codec: str = ""
    stored: bool = True
    """False for a transient output: the digest then says what it was made from."""
    parts: tuple[str, ...] = ()
    """Of a list gathered from a step's items: digests of its elements, None left out. Whoever
    keeps the list must keep them."""


class Failure(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is known of an error besides its text: whether trying again may help."""

    kinds: tuple[str, ...] = ()
    """Names of the error's class and of those it derives from."""
    is_transient: bool = False
    """A time-out, a lost connection, a busy server: likely to pass."""
    is_terminal: bool = False
    """Whoever raised it says that trying again is useless."""
    retry_after: float | None = None
    """Seconds to wait, where the other side has said so."""


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An error as it can be kept and shown: never the exception object itself."""

    type: str
    message: str = ""
    traceback: str = ""
    """Plain text, the cell's own frames first to last, ours left out."""
    line: int = 0
    """The line of the cell, counted from 1; 0 when unknown."""
    is_user_code: bool = True
    """False when the step's code was not at fault: an unstorable value, a missing input."""
    failure: Failure | None = None
    """What whoever has called this may go by, in trying again."""


class BaseEvent(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", gc=False):
    """Common to all: nothing but the way they are encoded."""
