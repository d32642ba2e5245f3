"""Which stored values an event speaks of."""

from collections.abc import Iterator, Mapping

from stepwell.orchestrator._events import (
    AttemptCompleted,
    AttemptFailed,
    EnvironmentCaptured,
    Event,
    Output,
)

__all__ = ["references"]


def references(event: Event) -> Iterator[tuple[str, str]]:
    """What each value is to the event, and the digest by which the store must have it."""
    match event:
        case AttemptCompleted(outputs=outputs, log=log):
            yield from _outputs(outputs)
            yield from _log(log)
        case AttemptFailed(log=log):
            yield from _log(log)
        case EnvironmentCaptured(values=values):
            yield from values.items()
        case _:
            pass


def _outputs(outputs: Mapping[str, Output]) -> Iterator[tuple[str, str]]:
    for name, output in outputs.items():
        if output.stored:
            yield name, output.digest


def _log(digest: str) -> Iterator[tuple[str, str]]:
    if digest:
        yield "what it printed", digest
