"""Functions whose calls inside a step are remembered one by one."""

import inspect
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Mapping,
)
from contextlib import aclosing, closing
from dataclasses import replace
from functools import lru_cache, partial, update_wrapper
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from stepwell.errors import InvalidUsage
from stepwell.inside._arguments import Identity, Named, Signature, call_name
from stepwell.inside._blocks import AsyncBlock, Block, Opening
from stepwell.inside._conduct import conduct
from stepwell.inside._current import Inside, inside
from stepwell.inside._drive import drive, drive_async, on_a_thread
from stepwell.inside._generators import generate
from stepwell.inside._options import PLAIN, CallOptions, DurableOptions, call_options
from stepwell.inside._permission import Rule
from stepwell.inside._streams import stream

__all__ = ["call", "durable"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_MARK = "__stepwell_durable__"
_OWN = "__stepwell_remembers__"
"""What has it remembers its calls by itself, as agents do."""


class Durable:
    """A function and how its calls are made and known."""

    def __init__(self, function: Callable[..., Any], options: CallOptions) -> None:
        self.function = function
        self.options = options
        self.name = options.name or call_name(function)
        self.signature = Signature(function)

    def identity(self, here: Inside, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Identity:
        """What this call is. Raises `CallNotIdentified`."""
        named = self.signature.named(args, kwargs)
        if self.options.key is None:
            return self.signature.identity(self.name, named, here.values.identify)
        chosen: Named = {"key": self.options.key(*args, **kwargs)}
        identity = self.signature.identity(self.name, chosen, here.values.identify)
        return replace(identity, arguments=named)

    async def ask(
        self, here: Inside, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, aside: bool
    ) -> Any:
        """The call's answer, in code that awaits; `aside`: a function without `await`."""
        made: Callable[[Named | None], Any] = partial(self._run, args, kwargs)
        made = on_a_thread(made) if aside else made
        identity = self.identity(here, args, kwargs)
        doing = conduct(here, identity, self.options, self._rule(args, kwargs))
        return await drive_async(doing, made, self.name, self.options.timeout)

    def ask_here(self, here: Inside, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The call's answer, in code that does not await."""
        made = partial(self._run, args, kwargs)
        identity = self.identity(here, args, kwargs)
        doing = conduct(here, identity, self.options, self._rule(args, kwargs))
        return drive(doing, made, self.name, self.options.timeout)

    def stream(
        self, here: Inside, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> AsyncGenerator[Any]:
        """The pieces of the call's answer."""
        rule = self._rule(args, kwargs)
        made = partial(self._run, args, kwargs)
        return stream(here, self.identity(here, args, kwargs), self.options, made, rule)

    def generate(
        self, here: Inside, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Generator[Any, None, Any]:
        """The same in code that does not await."""
        rule = self._rule(args, kwargs)
        made = partial(self._run, args, kwargs)
        return generate(here, self.identity(here, args, kwargs), self.options, made, rule)

    def opening(self, here: Inside, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Opening:
        """The call, for a block that gives its pieces."""
        made, rule = partial(self._run, args, kwargs), self._rule(args, kwargs)
        return Opening(here, self.identity(here, args, kwargs), self.options, made, rule)

    def _rule(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Rule | None:
        """Whether a person is asked about this call."""
        asked = self.options.approve
        if not asked:
            return None
        may_change = self.signature.is_by_name
        if callable(asked):
            return Rule(partial(asked, *args, **kwargs), may_change=may_change)
        return Rule(lambda: True, asked if isinstance(asked, str) else "", may_change)

    def _run(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], changed: Named | None) -> Any:
        """Call the function: with other arguments, where a person has changed them."""
        if changed is None:
            return self.function(*args, **kwargs)
        return self.function(**{**self.signature.named(args, kwargs), **changed})


@overload
def durable(function: Decorated, /) -> Decorated: ...
@overload
def durable(**options: Unpack[DurableOptions]) -> Callable[[Decorated], Decorated]: ...
def durable(
    function: Callable[..., Any] | None = None, /, **options: Unpack[DurableOptions]
) -> Any:
    """Have a function's calls inside steps remembered, each for itself.

    When the step runs again, after a crash, a failure or an edit of its cell, calls that were
    completed are answered from the store: a call is known by its name, its arguments and
    how-many-th of the same it is, so calls may run side by side and loops may be edited.
    Outside of steps the function is just the function. It may be `async` or not, or a method.

    It may give its result in pieces: as a generator, `async` or not, or by `asynccontextmanager`
    (or `contextmanager`) if that yields what comes in pieces, or a `stepwell.Stream`. Pieces are
    shown as they come, and stored when the last of them has come; from then on they come from
    the store, and no block enters anything. Who stops reading before leaves nothing behind.

    `retries`, `backoff`, `max_backoff`, `retry_on`, `timeout` (seconds, for one try) say what
    happens when it fails; without `retry_on` only what is likely to pass is tried again. `key`,
    a function of the arguments, says what a call is where its arguments cannot; `name` what it
    is called. `usage`, a function of the result, says what it has consumed; common ones are
    recognised. `max_cost` and `max_tokens` are what one call may consume at most: with a budget
    so much is set aside before it is made. With `approve` a person is asked first, and shown all
    arguments: True, a question, or a function of the arguments that says whether to ask; one that
    fails asks. They may change arguments, refuse (`ApprovalRejected`), or decide for all calls of
    this function in this run. `limit` names what `%stepwell limit` has set: each try waits for
    its turn, which it shares with steps and other calls; calls inside a limited step or call
    go, one at a time, under what that holds. A function without `await` is then called through
    `stepwell.call` in code that awaits.

    Raises `InvalidUsage`; inside steps also `CallNotIdentified`, `ValueNotStorable`, and what
    the function raises. A failure that was final is raised again, by its own type, until the
    step is tried anew.
    """
    chosen = call_options(options)

    def decorate(target: Callable[..., Any]) -> Any:
        made = Durable(target, chosen)
        wrapped = _wrapped(made)
        update_wrapper(wrapped, target)
        setattr(wrapped, _MARK, made)
        return wrapped

    return decorate if function is None else decorate(function)


def _wrapped(made: Durable) -> Callable[..., Any]:
    function = made.function
    if inspect.isasyncgenfunction(function):
        return _stream_wrapper(made)
    if inspect.iscoroutinefunction(function):
        return _async_wrapper(made)
    if inspect.isgeneratorfunction(function):
        return _generator_wrapper(made)
    if (kind := _block_of(function)) is not None:
        return _block_wrapper(made, kind)
    return _sync_wrapper(made)


def _block_of(function: Callable[..., Any]) -> type[AsyncBlock | Block] | None:
    """What stands for what it gives, if it was made by `contextmanager` or its async twin."""
    # Others that wrap a generator may make of it whatever they like.
    if getattr(function, "__globals__", {}).get("__name__") != "contextlib":
        return None
    below = inspect.unwrap(function)
    return AsyncBlock if inspect.isasyncgenfunction(below) else Block


def _ways_in(function: Callable[..., Any]) -> str:
    """How what it gives in pieces is read; empty for a function that gives a value."""
    if inspect.isasyncgenfunction(function):
        return "go through them with `async for`"
    if inspect.isgeneratorfunction(function):
        return "go through them with `for`"
    kind = _block_of(function)
    return "" if kind is None else f"use `{'async with' if kind is AsyncBlock else 'with'}`"


def _async_wrapper(made: Durable) -> Callable[..., Any]:
    async def durable_call(*args: Any, **kwargs: Any) -> Any:
        here = inside.get()
        if here is None:
            return await made.function(*args, **kwargs)
        return await made.ask(here, args, kwargs, aside=False)

    return durable_call


def _sync_wrapper(made: Durable) -> Callable[..., Any]:
    def durable_call(*args: Any, **kwargs: Any) -> Any:
        here = inside.get()
        if here is None:
            return made.function(*args, **kwargs)
        return made.ask_here(here, args, kwargs)

    return durable_call


def _stream_wrapper(made: Durable) -> Callable[..., Any]:
    async def durable_stream(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        here = inside.get()
        pieces = made.function(*args, **kwargs) if here is None else made.stream(here, args, kwargs)
        async with aclosing(pieces):
            async for piece in pieces:
                _check_nothing_is_sent(made.name, (yield piece))

    return durable_stream


def _generator_wrapper(made: Durable) -> Callable[..., Any]:
    def durable_generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        here = inside.get()
        if here is None:
            source: Generator[Any, Any, Any] = made.function(*args, **kwargs)
            return (yield from source)
        with closing(made.generate(here, args, kwargs)) as pieces:
            while True:
                try:
                    piece = next(pieces)
                except StopIteration as end:
                    return end.value
                _check_nothing_is_sent(made.name, (yield piece))

    return durable_generator


def _check_nothing_is_sent(name: str, sent: object) -> None:
    if sent is not None:
        raise InvalidUsage(
            f"nothing can be sent to {name!r}, which is durable: its pieces come from the store "
            f"when the step runs again. Pass what it needs as arguments"
        )


def _block_wrapper(made: Durable, kind: type[AsyncBlock | Block]) -> Callable[..., Any]:
    def durable_block(*args: Any, **kwargs: Any) -> Any:
        here = inside.get()
        if here is None:
            return made.function(*args, **kwargs)
        return kind(made.opening(here, args, kwargs))

    return durable_block


@overload
def call(
    function: Callable[Parameters, Coroutine[Any, Any, Result]],
    /,
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Coroutine[Any, Any, Result]: ...
@overload
def call(
    function: Callable[Parameters, Awaitable[Result]],
    /,
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Coroutine[Any, Any, Result]: ...
@overload
def call(
    function: Callable[Parameters, Result],
    /,
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Coroutine[Any, Any, Result]: ...
def call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function and remember what it came to; `await` it inside a step.

    As if the function were `durable` without options; one that is keeps its own. A function
    without `await` runs on a thread. Outside of steps it is just called.
    """
    return _called(function, args, kwargs)


def _plain(function: Callable[..., Any]) -> Durable:
    """A function as it is. Its signature is looked at once: that takes as long as all the rest."""
    return _seen(function) if inspect.isfunction(function) else Durable(function, PLAIN)


@lru_cache(maxsize=256)
def _seen(function: Callable[..., Any]) -> Durable:
    return Durable(function, PLAIN)


async def _called(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    if hasattr(function, _OWN):
        return await function(*args, **kwargs)
    known: Durable | None = getattr(function, _MARK, None)
    made = known or _plain(function)
    if known is not None and (owner := getattr(function, "__self__", None)) is not None:
        args = (owner, *args)
    if way_in := _ways_in(made.function):
        raise InvalidUsage(
            f"{made.name!r} gives its result in pieces: make it @stepwell.durable, and {way_in}"
        )
    is_async = inspect.iscoroutinefunction(made.function)
    here = inside.get()
    if here is None:
        plain = partial(made.function, *args, **kwargs)
        return await (plain() if is_async else on_a_thread(lambda _: plain())(None))
    return await made.ask(here, args, kwargs, aside=not is_async)
