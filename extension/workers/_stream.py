"""`sys.stdout` and `sys.stderr` while stepwell is loaded: a step's text goes to the step."""

import sys
from typing import Any, TextIO

from stepwell.workers._output import recording

__all__ = ["StepStream", "install_streams", "remove_streams"]


class StepStream:
    """Stands in for a stream. Everything but a running step's writes goes to the original."""

    def __init__(self, original: TextIO, name: str) -> None:
        self.original = original
        self._name = name

    def write(self, text: str) -> int:
        """To the step that is running here, if one is."""
        recorder = recording.get()
        if recorder is None:
            return self.original.write(text)
        recorder.write(self._name, text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """As `write`, line by line."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing of a step's waits here."""
        if recording.get() is None:
            self.original.flush()

    def __getattr__(self, name: str) -> Any:
        # The kernel's stream has more to it (set_parent, fileno, encoding, …).
        return getattr(self.original, name)


def install_streams() -> None:
    """Put the stand-ins in place. Twice is harmless."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, StepStream):
            setattr(sys, name, StepStream(stream, name))


def remove_streams() -> None:
    """Put the originals back, unless somebody else has replaced the stand-ins meanwhile."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, StepStream):
            setattr(sys, name, stream.original)
