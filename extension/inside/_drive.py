"""Doing what `conduct` asks for: in code that awaits, and in code that does not.

A function without `await` that is called from code with `await` through `stepwell.call` runs
on a thread, so that other tasks go on. Called directly it runs where it is called, as any
function does.
"""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
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
from stepwell.inside._conduct import Ask, Command, Conduct, Try, Wait
from stepwell.inside._current import Inside, inside, is_on_loop
from stepwell.inside._turns import Turn
from stepwell.inside._work import Work

__all__ = ["awaited_in_time", "drive", "drive_async", "in_time", "on_a_thread"]

THREADS = 256
_LEAST = 0.02
"""Seconds after which it is looked again at the earliest whether a time-out is due."""
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
            token = inside.set(here)
            try:
                with here.work:
                    made = _called(partial(function, changed))
                    return await awaited_in_time(made, name, here.work, limit)
            finally:
                inside.reset(token)
        case Ask(asking, wish, key):
            return await ask_for(asking, wish, key=key)
        case Turn(permit):
            return await Inside.awaited(permit)
        case Wait(answer):
            return await Inside.awaited(answer)


async def _called(made: Callable[[], Any]) -> Any:
    result = made()
    return await result if inspect.isawaitable(result) else result


async def awaited_in_time(answer: Awaitable[Any], name: str, work: Work, limit: float) -> Any:
    """What is awaited, if the work does not take longer than the limit; 0 is any time.

    Raises `CallTimedOut`.
    """
    if not limit:
        return await answer
    # Not a scope of anyio's: what is awaited may leave one of its own open.
    timer = asyncio.timeout(None)
    try:
        async with timer:
            watch = _Watch(timer, work, limit)
            try:
                return await answer
            finally:
                watch.end()
    except TimeoutError as error:
        if not timer.expired():
            raise
        raise CallTimedOut(name, limit) from error


class _Watch:
    """Sets the timer off when the work has taken so long. It can take no less than is left."""

    def __init__(self, timer: asyncio.Timeout, work: Work, limit: float) -> None:
        self._timer, self._work, self._limit = timer, work, limit
        self._loop = asyncio.get_running_loop()
        self._look()

    def _look(self) -> None:
        left = self._limit - self._work.worked
        if left <= 0:
            self._timer.reschedule(self._loop.time())
        self._handle = self._loop.call_later(max(left, _LEAST), self._look)

    def end(self) -> None:
        """It has come."""
        self._handle.cancel()


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
            token = inside.set(here)
            try:
                with here.work:
                    return in_time(partial(function, changed), name, here.work, limit)
            finally:
                inside.reset(token)
        case Ask(asking, wish, key):
            return _ask_here(asking, wish, key, name)
        case Turn(permit, wanted):
            return _wait_here(permit, wanted, name)
        case Wait(answer):
            return answer.result()


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


def in_time(function: Callable[[], Any], name: str, work: Work, limit: float) -> Any:
    """As `awaited_in_time`; what takes longer is left to itself."""
    if not limit:
        return function()
    answer: Future[Any] = Future()
    context = copy_context()

    def run() -> None:
        try:
            answer.set_result(context.run(function))
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, name="stepwell-call", daemon=True).start()
    while not answer.done() and (left := limit - work.worked) > 0:
        wait([answer], max(left, _LEAST))
    if not answer.done():
        raise CallTimedOut(name, limit)
    return answer.result()
