"""How a step is to be run, besides its code: policies, written down with it.

None of them changes what a result *is*, except `MapOver`: that is part of a step's digest.
"""

from keyword import iskeyword
from typing import Literal

import msgspec

__all__ = ["Approve", "Deadlines", "MapOver", "OnTimeout", "Policies", "Retry"]

OnTimeout = Literal["reject", "approve", "fail"]
"""What an unanswered question is taken for when its time is up."""


class MapOver(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """Run the step's code once for each element of an input, and gather the results in order."""

    item: str
    """The name by which the code knows one element."""
    source: str
    """The input whose elements they are, or an expression that makes what has them."""
    key: str = ""
    """An expression over the element that tells it from the others; empty: its value does."""
    max_parallel: int = 0
    """How many elements at once; 0: as many as there is room for."""
    keep_going: bool = False
    """Try every element although some have failed."""
    min_success: float = 1.0
    """With so large a share of elements done, from 0 to 1, the step is done."""
    apart: tuple[str, ...] = ()
    """Of the step's reads, those that its code does not look at: what only the source and the
    key are made from. An element's result does not depend on them."""

    undoes: bool = False
    """Its elements are the items of the step that it undoes: those that are done, the newest
    first. The source is that step's then, or empty where the code does not use the element."""

    @property
    def is_named(self) -> bool:
        """Whether the source is an input itself, and no expression over others."""
        return self.source.isidentifier() and not iskeyword(self.source)

    @property
    def is_whole(self) -> bool:
        """Whether the code reads the source itself, too: every element depends on all."""
        return self.source not in self.apart


class Retry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What happens after a failed attempt. Seconds."""

    retries: int = 0
    """Attempts after the first."""
    backoff: float = 1.0
    """Before the first retry; twice as long before each further one."""
    max_backoff: float = 60.0
    jitter: float = 0.1
    """By so large a share the wait is shortened or lengthened, the same for the same attempt."""
    retry_on: tuple[str, ...] = ()
    """Names of exception classes; empty: what is likely to pass (`workers.is_transient`)."""


class Deadlines(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """How long is too long, in seconds; 0 means never."""

    attempt: float = 0.0
    """For one attempt."""
    total: float = 0.0
    """For all attempts together, and the waits between them."""
    stall: float = 0.0
    """Without a heartbeat."""


class Approve(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """The question that is asked before a step's code runs."""

    text: str = ""
    """May name inputs in braces, as in `Publish {title}?`."""
    edit: tuple[str, ...] = ()
    """Inputs that whoever decides may change."""
    timeout: float = 0.0
    """Seconds from when the question was stored; 0: as long as it takes."""
    on_timeout: OnTimeout = "reject"


class Policies(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything that can be said of how a step is to be run; fields of `Step` of these names."""

    map: MapOver | None = None
    when: str = ""
    even_if_skipped: bool = False
    retry: Retry | None = None
    deadlines: Deadlines | None = None
    approve: Approve | None = None
    once: bool = False
    on: str = ""
    limit: str = ""
    priority: int = 0
    undo_of: str = ""
