"""What the orchestrator is told by others than running attempts."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec

from stepwell.errors import StoreError
from stepwell.orchestrator._port import Happened

__all__ = ["Asked", "Due", "Durable", "Trouble"]


class Asked(msgspec.Struct, frozen=True, gc=False):
    """Somebody wants work done on the orchestrator's thread."""

    work: Callable[[], Any]
    answer: "Future[Any]"
    is_look: bool = False
    """Whether it writes nothing: then there is nothing on disk to wait for."""


class Durable(msgspec.Struct, frozen=True, gc=False):
    """This is on disk."""

    happened: Sequence[Happened]


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """The disk refuses."""

    error: StoreError


class Due(msgspec.Struct, frozen=True, gc=False):
    """Some timer may have gone off."""
