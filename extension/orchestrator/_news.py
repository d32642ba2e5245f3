"""What has happened, from when it is applied until everybody knows that it is on disk."""

from collections.abc import Sequence

from stepwell.orchestrator._listening import Listeners
from stepwell.orchestrator._port import Happened

__all__ = ["News"]


class News:
    """Changed on the orchestrator's thread; any thread may ask what is written."""

    def __init__(self) -> None:
        self.listeners = Listeners()
        self._new: list[Happened] = []
        # The newest event of each step that is not yet known to be on disk.
        self._unwritten: dict[tuple[str, str], Happened] = {}

    def add(self, happened: Happened) -> None:
        """This is on its way to the disk."""
        self._unwritten[happened.run, happened.step] = happened
        self._new.append(happened)

    def take(self) -> list[Happened]:
        """What was added since the last time."""
        taken, self._new = self._new, []
        return taken

    def tell(self, happened: Sequence[Happened]) -> None:
        """This is on disk; nothing, when the disk refuses."""
        # Whoever waits goes on as soon as something is written: what it waits for is there.
        self.listeners.prepare(happened)
        for what in happened:
            if self._unwritten.get((what.run, what.step)) is what:
                del self._unwritten[what.run, what.step]
        self.listeners.tell(happened)

    def is_written(self, run: str, step: str) -> bool:
        """Whether all that has happened to the step is on disk."""
        return (run, step) not in self._unwritten

    @property
    def is_all_written(self) -> bool:
        """Whether everything that has happened is on disk."""
        return not self._unwritten
