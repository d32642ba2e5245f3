"""Which stored values an event speaks of."""

from collections.abc import Iterator
from typing import cast

from stepwell.orchestrator._base import Output
from stepwell.orchestrator._events import EnvironmentCaptured, Event

__all__ = ["references"]


def references(event: Event) -> Iterator[tuple[str, str]]:
    """What each value is to the event, and the digest by which the store must have it."""
    if isinstance(event, EnvironmentCaptured):
        yield from event.values.items()
        return
    for field in event.__struct_fields__:
        value: object = getattr(event, field)
        if field == "log" and value:
            yield "what it printed", str(value)
        yield from _outputs(field, value)


def _outputs(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Output):
        if value.stored:
            yield name, value.digest
            yield from ((f"an element of {name}", part) for part in value.parts)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            yield from _outputs(key, item)
