"""Recording the calls of a session, and answering them from a recording."""

from pathlib import Path

from stepwell.errors import InvalidUsage
from stepwell.inside import Cassette, Player, Recorder
from stepwell.place import Place
from stepwell.widgets import View, store_table

__all__ = ["open_cassette", "recording_view"]


def open_cassette(place: Place) -> Cassette:
    """As the place asks for. Raises `CassetteProblem`."""
    if place.record is not None and place.replay is not None:
        raise InvalidUsage("calls are either recorded or answered from a recording; choose one")
    if place.replay is not None:
        return Player(place.replay)
    assert place.record is not None
    return Recorder(place.record)


def recording_view(path: Path | None) -> View:
    """What happens to calls from now on."""
    if path is None:
        return store_table({"recording": "stopped"})
    return store_table(
        {
            "recording": str(path),
            "calls": "of steps that start from now on, also those answered from the store; "
            "`%stepwell run --fresh` has all of them made",
            "stop": "%stepwell record --stop",
        }
    )
