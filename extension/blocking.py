"""What a step awaits, for code without `await`: the same functions, which wait in place.

    %%step publish
    title = stepwell.blocking.ask("Which title?", str)
    stepwell.blocking.approve("Publish?", title)

Everything is stored as it is for those that are awaited, and the answers are the same. Each
wait holds the thread that the step runs on (of which there are some hundred); waits that are
awaited hold none. On a thread on which an event loop runs they are refused: there, a wait
would stop every other step.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, ParamSpec, TypeVar, overload

import anyio

from stepwell import inside
from stepwell.errors import InvalidUsage
from stepwell.flow import OnTimeout
from stepwell.inside import ABSENT, Span, here, is_on_loop

__all__ = ["approve", "ask", "call", "receive", "sleep"]

Answer = TypeVar("Answer")
Parameters = ParamSpec("Parameters")


@overload
def approve(
    question: str,
    payload: Answer,
    *,
    schema: object = None,
    edit: bool | str | Sequence[str] | None = None,
    timeout: Span | None = None,
    on_timeout: OnTimeout = "reject",
) -> Answer: ...
@overload
def approve(
    question: str, *, timeout: Span | None = None, on_timeout: OnTimeout = "reject"
) -> None: ...
def approve(question: str, payload: object = ABSENT, **options: Any) -> Any:
    """Go on when a person has said yes. See `stepwell.approve`."""
    here("stepwell.blocking.approve()")
    return _waited("approve", partial(inside.approve, question, payload, **options))


@overload
def ask(
    question: str,
    schema: type[Answer],
    *,
    suggested: Any = ABSENT,
    timeout: Span | None = None,
    on_timeout: Literal["fail", "reject", "suggested"] = "fail",
) -> Answer: ...
@overload
def ask(
    question: str,
    schema: object = None,
    *,
    suggested: Any = ABSENT,
    timeout: Span | None = None,
    on_timeout: Literal["fail", "reject", "suggested"] = "fail",
) -> Any: ...
def ask(question: str, schema: Any = None, **options: Any) -> Any:
    """A person's answer. See `stepwell.ask`."""
    here("stepwell.blocking.ask()")
    return _waited("ask", partial(inside.ask, question, schema, **options))


def sleep(duration: Span | None = None, *, until: datetime | None = None) -> None:
    """Go on after so long, or at that time, over restarts. See `stepwell.sleep`."""
    here("stepwell.blocking.sleep()")
    _waited("sleep", partial(inside.sleep, duration, until=until))


@overload
def receive(topic: str, schema: type[Answer], *, timeout: Span | None = None) -> Answer: ...
@overload
def receive(topic: str, schema: object = None, *, timeout: Span | None = None) -> Any: ...
def receive(topic: str, schema: Any = None, *, timeout: Span | None = None) -> Any:
    """The next message that was sent to this run under that topic. See `stepwell.receive`."""
    here("stepwell.blocking.receive()")
    return _waited("receive", partial(inside.receive, topic, schema, timeout=timeout))


@overload
def call(
    function: Callable[Parameters, Awaitable[Answer]],
    /,
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Answer: ...
@overload
def call(
    function: Callable[Parameters, Answer],
    /,
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Answer: ...
def call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function, with `await` in it or not, and remember what it came to.

    See `stepwell.call`.
    """
    return _waited("call", partial(inside.call, function, *args, **kwargs))


def _waited(what: str, begin: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    if is_on_loop():
        raise InvalidUsage(
            f"stepwell.blocking.{what}(…) would stop everything else that runs on this event loop. "
            f"In code with `await` it is: await stepwell.{what}(…)"
        )

    async def run() -> Any:
        return await begin()

    return anyio.run(run)
