"""Recording the calls of a session, and answering them from a recording."""

from collections.abc import Sequence
from pathlib import Path

from stepwell.errors import InvalidUsage
from stepwell.inside import Cassette, Player, Recorder
from stepwell.orchestrator import AttemptCompleted, AttemptFailed, Happened
from stepwell.place import Place
from stepwell.widgets import View, store_table

__all__ = ["Recording", "recording_view"]

_ENDS = (AttemptCompleted, AttemptFailed)


def open_cassette(place: Place) -> Cassette:
    """As the place asks for. Raises `CassetteProblem`."""
    if place.record is not None and place.replay is not None:
        raise InvalidUsage("calls are either recorded or answered from a recording; choose one")
    if place.replay is not None:
        return Player(place.replay)
    assert place.record is not None
    return Recorder(place.record)


class Recording:
    """The cassette of a session, if it has one."""

    def __init__(self) -> None:
        self._cassette: Cassette | None = None

    def of(self, place: Place) -> Cassette | None:
        """The one in use; else as the place asks for. Raises `CassetteProblem`."""
        if self._cassette is None and (place.record or place.replay):
            self._cassette = open_cassette(place)
        return self._cassette

    def use(self, cassette: Cassette | None) -> None:
        """From now on."""
        self.save()
        self._cassette = cassette
        self.save()

    def hear(self, happened: Sequence[Happened]) -> None:
        """What an attempt has called is in the file when it has come to its end."""
        if self._cassette is not None and any(isinstance(it.event, _ENDS) for it in happened):
            self.save()

    def save(self) -> None:
        """Write down what is new."""
        if self._cassette is not None:
            self._cassette.save()


def recording_view(path: Path | None) -> View:
    """What happens to calls from now on."""
    if path is None:
        return store_table({"recording": "stopped"})
    return store_table(
        {
            "recording": str(path),
            "calls": "of steps that start from now on, also those answered from the store; "
            "`%stepwell run --fresh` has all of them made, and those inside them recorded, too",
            "stop": "%stepwell record --stop",
        }
    )
