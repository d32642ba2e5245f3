"""Messages between runs, and from people to runs.

A message stays with the run it was sent to until a step there receives it: it may come
before anybody waits for it. Each is received once, those of a topic in the order they came.
"""

from collections.abc import Coroutine
from concurrent.futures import Future
from functools import partial
from hashlib import blake2b
from typing import Any, TypeVar, overload

from stepwell.errors import MessageTimedOut
from stepwell.inside._current import Inside, awaiting
from stepwell.inside._forms import Form
from stepwell.inside._spans import Span, span_of
from stepwell.orchestrator import Call, MessageAwaited, MessageSent, WaitResumed

__all__ = ["receive", "send_from"]

Payload = TypeVar("Payload")


@overload
def receive(
    topic: str, schema: type[Payload], *, timeout: Span | None = None
) -> Coroutine[Any, Any, Payload]: ...
@overload
def receive(
    topic: str, schema: object = None, *, timeout: Span | None = None
) -> Coroutine[Any, Any, Any]: ...
def receive(
    topic: str, schema: object = None, *, timeout: Span | None = None
) -> Coroutine[Any, Any, Any]:
    """The next message that was sent to this run under that topic, or the first that comes.

    When the step runs again, it is given the same message again. `schema` is a type or model
    that the payload must be of. Raises `MessageTimedOut`, a `TimeoutError`, when none has come
    in time, and remembers that, too; `InvalidAnswer` for a payload of another form. In code
    that does not await it is `stepwell.blocking.receive`.
    """
    inside = awaiting("receive")
    return _payload(inside, topic, schema, span_of(timeout, what="timeout="))


async def _payload(inside: Inside, topic: str, schema: object, length: float) -> Any:
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
    with inside.at_rest():
        call = await inside.awaited(inside.closed(key))
    inside.keep(call)
    return call


def send_from(inside: Inside, run: str, topic: str, payload: object) -> "Future[None]":
    """Send a message from a step: once, however often the step runs.

    It is on its way when this returns; the answer comes when it is on disk, or is `UnknownRun`.
    """
    key = inside.call_key(f"send:{run}:{topic}")
    known = inside.remembered(key)
    if known is not None and known.is_closed:
        done: Future[None] = Future()
        done.set_result(None)
        return done
    mine = inside.attempt.id
    parts = (mine.run, mine.step, mine.item, inside.attempt.key, key)
    name = blake2b("\0".join(parts).encode(errors="replace"), digest_size=8).hexdigest()
    output, blob = inside.values.encode(mine.step, f"the message on {topic!r}", payload)
    event = MessageSent(name, topic, output, f"{mine.run}/{mine.step}")
    answer = inside.link.send(mine, key, run, event, [blob])
    answer.add_done_callback(partial(_sent, inside, key))
    return answer


def _sent(inside: Inside, key: str, answer: "Future[None]") -> None:
    if not answer.cancelled() and answer.exception() is None:
        inside.keep(Call(key, is_closed=True))
