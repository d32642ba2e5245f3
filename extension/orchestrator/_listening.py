"""Those who want to know what happens. Their mistakes are theirs: nobody else is harmed."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from stepwell.orchestrator._port import AttemptId, Happened, Listener, Sign, SignListener

__all__ = ["Listeners"]

_LOG = logging.getLogger("stepwell.orchestrator")


@dataclass(slots=True)
class Listeners:
    """Called on the orchestrator's thread."""

    first: list[Listener] = field(default_factory=list[Listener])
    events: list[Listener] = field(default_factory=list[Listener])
    signs: list[SignListener] = field(default_factory=list[SignListener])

    def prepare(self, happened: Sequence[Happened]) -> None:
        """This is on disk, and nobody has been told yet."""
        _tell(self.first, happened)

    def tell(self, happened: Sequence[Happened]) -> None:
        """This is on disk; nothing, when the disk refuses."""
        _tell(self.events, happened)

    def show(self, attempt: AttemptId, sign: Sign) -> None:
        """A running attempt shows this."""
        for listener in self.signs:
            try:
                listener(attempt, sign)
            except Exception:
                _LOG.exception("a listener failed")


def _tell(listeners: Sequence[Listener], happened: Sequence[Happened]) -> None:
    for listener in listeners:
        try:
            listener(happened)
        except Exception:
            _LOG.exception("a listener failed; what happened is kept all the same")
