"""What events are made of."""

import msgspec

__all__ = ["BaseEvent", "ErrorInfo", "Output"]


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


class BaseEvent(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", gc=False):
    """Common to all: nothing but the way they are encoded."""
