"""Messages between runs, and from people to runs.

A message stays with the run it was sent to until a step there receives it: it may come
before anybody waits for it. Each is received once, those of a topic in the order they came.
"""

from hashlib import blake2b
from typing import Any, TypeVar, overload

from stepwell.errors import MessageTimedOut
from stepwell.inside._current import Inside, here
from stepwell.inside._forms import Form
from stepwell.inside._spans import Span, span_of
from stepwell.orchestrator import Call, MessageAwaited, MessageSent, WaitResumed

__all__ = ["receive", "send_from"]

Payload = TypeVar("Payload")


@overload
async def receive(topic: str, schema: type[Payload], *, timeout: Span | None = None) -> Payload: ...
@overload
async def receive(topic: str, schema: object = None, *, timeout: Span | None = None) -> Any: ...
async def receive(topic: str, schema: object = None, *, timeout: Span | None = None) -> Any:
    """The next message that was sent to this run under that topic, or the first that comes.

    When the step runs again, it is given the same message again. `schema` is a type or model
    that the payload must be of. Raises `MessageTimedOut`, a `TimeoutError`, when none has come
    in time, and remembers that, too; `InvalidAnswer` for a payload of another form.
    """
    inside = here("stepwell.receive()")
    length = span_of(timeout, what="timeout=")
    call = await _received(inside, inside.call_key(f"receive:{topic}"), topic, length)
    if call.is_expired:
        raise MessageTimedOut(topic, length)
    value = inside.values.load(call.result.digest) if call.result is not None else None
    return Form(schema).check(value)


async def _received(inside: Inside, key: str, topic: str, timeout: float) -> Call:
    known = inside.remembered(key)
    if known is not None and known.is_closed:
        return known
    due = inside.link.now() + round(timeout * 1_000_000) if timeout else 0
    event = MessageAwaited(key, topic, due) if known is None else WaitResumed(key)
    await inside.awaited(inside.note(event))
    call = await inside.awaited(inside.closed(key))
    inside.keep(call)
    return call


async def send_from(inside: Inside, run: str, topic: str, payload: object) -> None:
    """Send a message from a step: once, however often the step runs. Raises `UnknownRun`."""
    key = inside.call_key(f"send:{run}:{topic}")
    known = inside.remembered(key)
    if known is not None and known.is_closed:
        return
    mine = inside.attempt.id
    parts = (mine.run, mine.step, mine.item, inside.attempt.key, key)
    name = blake2b("\0".join(parts).encode(errors="replace"), digest_size=8).hexdigest()
    output, blob = inside.values.encode(mine.step, f"the message on {topic!r}", payload)
    event = MessageSent(name, topic, output, f"{mine.run}/{mine.step}")
    await inside.awaited(inside.link.send(mine, key, run, event, [blob]))
    inside.keep(Call(key, is_closed=True))
