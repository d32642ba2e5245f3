"""An event as the store keeps it."""

from typing import TypeVar, cast

import msgspec

from stepwell.orchestrator._events import Event
from stepwell.store.values import SECRETS

__all__ = ["encoded", "kind_of"]

AnyEvent = TypeVar("AnyEvent", bound=Event)
_encode = msgspec.json.Encoder().encode
_kinds: dict[type[Event], str] = {}


def kind_of(event: Event) -> str:
    """What the store calls it."""
    kind = _kinds.get(type(event))
    if kind is None:
        kind = _kinds[type(event)] = str(type(event).__struct_config__.tag)
    return kind


def encoded(event: AnyEvent) -> tuple[AnyEvent, bytes]:
    r"""The event and its JSON.

    Python's strings can hold what UTF-8 cannot, half a surrogate pair: in a message, a
    preview, a file's name. Such an event comes back as another, in which `\ud800` is spelt
    out, so that what is remembered is what is written.
    """
    try:
        body = _encode(event)
        if not SECRETS.name_in(body):
            return event, body
        # Whatever it says of a step, a secret in it is not for the store, nor for a card.
        covered = msgspec.convert(SECRETS.covered(msgspec.to_builtins(event)), type(event))
        return covered, _encode(covered)
    except UnicodeEncodeError:
        spelt = msgspec.convert(_spelt_out(msgspec.to_builtins(event)), type(event))
        return spelt, _encode(spelt)


def _spelt_out(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            pairs = cast("dict[object, object]", value)
            return {_spelt_out(key): _spelt_out(item) for key, item in pairs.items()}
        case list() | tuple():
            return [_spelt_out(item) for item in cast("list[object]", value)]
        case _:
            return value
