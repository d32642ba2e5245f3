"""Doing what `conduct` asks for: in code that awaits, and in code that does not.

A function without `await` that is called from code with `await` through `stepwell.call` runs
on a thread, so that other tasks go on. Called directly it runs where it is called, as any
function does.
"""

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import closing
from contextvars import copy_context
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from stepwell.errors import CallTimedOut, InvalidUsage
from stepwell.inside._approvals import Wish, ask_for
from stepwell.inside._arguments import Named
from stepwell.inside._conduct import Ask, Command, Conduct, Pause, Try, Wait
from stepwell.inside._current import Inside, inside, is_on_loop
from stepwell.inside._turns import Turn

__all__ = ["awaited_in_time", "drive", "drive_async", "in_time", "on_a_thread"]

THREADS = 256
_limiter: RunVar[anyio.CapacityLimiter] = RunVar("stepwell_call_threads")

Function = Callable[[Named | None], Any]
"""What is called, with its arguments; some of them may have been changed."""


async def drive_async(conduct: Conduct, function: Function, name: str, limit: float) -> Any:
    """The call's answer, in code that awaits."""
    # Ended with the call, also where that is cancelled: it hands back what it holds.
    with closing(conduct):
        return await _drive_async(conduct, function, name, limit)


async def _drive_async(conduct: Conduct, function: Function, name: str, limit: float) -> Any:
    answer: Any = None
    error: Exception | None = None
    while True:
        try:
            command = conduct.throw(error) if error is not None else conduct.send(answer)
        except StopIteration as end:
            return end.value
        answer = error = None
        try:
            answer = await _done_async(command, function, name, limit)
        # What is no `Exception`, a cancellation, ends the call here: nothing is remembered.
        except Exception as caught:
            error = caught


async def _done_async(command: Command, function: Function, name: str, limit: float) -> Any:
    match command:
        case Try(here, changed):
            return await _try_async(here, partial(function, changed), name, limit)
        case Ask(asking, wish, key):
            return await ask_for(asking, wish, key=key)
        case Turn(permit):
            return await Inside.awaited(permit)
        case Wait(answer):
            return await Inside.awaited(answer)
        case Pause(seconds):
            return await anyio.sleep(max(0.0, seconds))


async def _try_async(here: Inside, made: Callable[[], Any], name: str, limit: float) -> Any:
    token = inside.set(here)
    try:
        if not limit:
            return await _called(made)
        with anyio.move_on_after(limit) as scope:
            return await _called(made)
        if scope.cancelled_caught:
            raise CallTimedOut(name, limit)
    finally:
        inside.reset(token)


async def _called(made: Callable[[], Any]) -> Any:
    result = made()
    return await result if inspect.isawaitable(result) else result


async def awaited_in_time(
    answer: Awaitable[Any], name: str, seconds: float | None, limit: float
) -> Any:
    """What is awaited, if it comes in time. Raises `CallTimedOut`, with the call's `limit`."""
    if seconds is None:
        return await answer
    # Not a scope of anyio's: what is awaited may leave one of its own open.
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            return await answer
    except TimeoutError as error:
        if not timer.expired():
            raise
        raise CallTimedOut(name, limit) from error


def on_a_thread(function: Function) -> Function:
    """The function as one that awaits its end on a thread. A time-out leaves the thread alone."""

    async def run(changed: Named | None) -> Any:
        limiter = _limiter.get(None)
        if limiter is None:
            limiter = anyio.CapacityLimiter(THREADS)
            _limiter.set(limiter)
        result = await anyio.to_thread.run_sync(
            partial(function, changed), abandon_on_cancel=True, limiter=limiter
        )
        return await result if inspect.isawaitable(result) else result

    return run


def drive(conduct: Conduct, function: Function, name: str, limit: float) -> Any:
    """The call's answer, in code that does not await."""
    with closing(conduct):
        return _drive(conduct, function, name, limit)


def _drive(conduct: Conduct, function: Function, name: str, limit: float) -> Any:
    answer: Any = None
    error: Exception | None = None
    while True:
        try:
            command = conduct.throw(error) if error is not None else conduct.send(answer)
        except StopIteration as end:
            return end.value
        answer = error = None
        try:
            answer = _done(command, function, name, limit)
        except Exception as caught:
            error = caught


def _done(command: Command, function: Function, name: str, limit: float) -> Any:
    match command:
        case Try(here, changed):
            made = partial(function, changed)
            token = inside.set(here)
            try:
                return in_time(made, name, limit)
            finally:
                inside.reset(token)
        case Ask(asking, wish, key):
            return _ask_here(asking, wish, key, name)
        case Turn(permit, wanted):
            return _wait_here(permit, wanted, name)
        case Wait(answer):
            return answer.result()
        case Pause(seconds):
            return time.sleep(max(0.0, seconds))


def _ask_here(asking: Inside, wish: Wish, key: str, name: str) -> Any:
    if is_on_loop():
        raise InvalidUsage(
            f"{name!r} asks a person, and would stop every other step until they have decided. In "
            f"code with `await`, write: await stepwell.call({name.rpartition('.')[2]}, …)"
        )
    return anyio.run(partial(ask_for, asking, wish, key=key))


def _wait_here(permit: "Future[None]", wanted: str, name: str) -> None:
    if is_on_loop():
        raise InvalidUsage(
            f"{name!r} waits for its turn under the limit {wanted!r}, and would stop every other "
            f"step until then, also those it waits for. In code with `await`, write: await "
            f"stepwell.call({name.rpartition('.')[2]}, …)"
        )
    permit.result()


def in_time(function: Callable[[], Any], name: str, seconds: float, limit: float = 0.0) -> Any:
    """Its result, if that comes in time; what takes longer is left to itself. 0 is any time.

    Raises `CallTimedOut`, with `limit` where these seconds are what is left of it.
    """
    if not seconds:
        return function()
    answer: Future[Any] = Future()
    context = copy_context()

    def run() -> None:
        try:
            answer.set_result(context.run(function))
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, name="stepwell-call", daemon=True).start()
    try:
        return answer.result(max(0.0, seconds))
    except TimeoutError as error:
        if answer.done():  # its own
            raise
        raise CallTimedOut(name, limit or seconds) from error
