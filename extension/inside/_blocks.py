"""Durable `async with` and `with`: pieces that come while a block runs.

On the first run the real thing is entered, with the tries that the options allow, and left
with the block. The pieces are stored when the last of them has come, before their reader
goes on; from then on the block is given them without anything being entered. A block that
is left before the end, by `break`, an error or a cancellation, leaves nothing behind.
"""

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    aclosing,
    closing,
)
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from stepwell.errors import InvalidUsage, with_article
from stepwell.inside._arguments import Identity, Named
from stepwell.inside._conduct import PASSED_ON, Known, Made, Making, begin
from stepwell.inside._current import Inside, inside
from stepwell.inside._drive import drive, drive_async
from stepwell.inside._generators import do_here, read_here
from stepwell.inside._options import CallOptions
from stepwell.inside._permission import Rule
from stepwell.inside._pieces import Given, Pieces
from stepwell.inside._stream import Stream
from stepwell.inside._streams import do, read
from stepwell.store.values import type_name

__all__ = ["AsyncBlock", "Block"]

Kind = type[BaseException] | None


@dataclass(frozen=True, slots=True)
class Opening:
    """What is to be entered."""

    here: Inside
    call: Identity
    options: CallOptions
    function: Callable[[Named | None], Any]
    rule: Rule | None

    def begun(self) -> Generator[Any, Any, Known | Making]:
        """See `begin`."""
        return begin(self.here, self.call, self.options, self.rule)


@dataclass(slots=True)
class _Open:
    """It has been entered, and is left with the block."""

    making: Making
    made: Made
    manager: Any
    given: Given

    def left(self) -> None:
        """Others may have their turn; what was consumed and is not written is counted."""
        self.made.turn.hand_back()
        self.given.close()


@dataclass(slots=True)
class AsyncBlock(AbstractAsyncContextManager[Stream[Any, Any]]):
    """What a durable function gives that was made by `asynccontextmanager`."""

    opening: Opening
    _open: _Open | None = None
    _stream: Stream[Any, Any] | None = None

    async def __aenter__(self) -> Stream[Any, Any]:
        """The pieces. Raises what entering raises, or is remembered to have raised."""
        found = await do(self.opening.begun())
        if isinstance(found, Known):
            self._stream = _replayed(Pieces.of(found.result))
            return self._stream
        name = self.opening.call.name
        made: Made = await drive_async(
            found.made(), self._enter, name, self.opening.options.timeout
        )
        manager, live = made.result
        self._open = opened = _Open(found, made, manager, Given(found))
        given = _stream_of(live)
        if given is None:
            await self.__aexit__(None, None, None)
            raise _refused(name, live, "an async iterator")
        self._stream = Stream(_pieces(opened, given), lambda: given.result)
        return self._stream

    async def _enter(self, changed: Named | None) -> tuple[Any, Any]:
        manager = self.opening.function(changed)
        return manager, await manager.__aenter__()

    async def __aexit__(
        self, kind: Kind, error: BaseException | None, at: TracebackType | None
    ) -> bool | None:
        """Leave the real thing, if it was entered. Raises what that raises."""
        opened, self._open = self._open, None
        if self._stream is not None:
            await self._stream.aclose()
        if opened is None:
            return None
        token = inside.set(opened.made.inside)
        try:
            is_handled: bool | None = await opened.manager.__aexit__(kind, error, at)
            return is_handled
        finally:
            inside.reset(token)
            opened.left()


def _stream_of(live: object) -> Stream[Any, Any] | None:
    found: Any = live
    if isinstance(live, Stream):
        stream: Stream[Any, Any] = found
        return stream
    return Stream(found) if hasattr(live.__class__, "__aiter__") else None


async def _pieces(opened: _Open, live: Stream[Any, Any]) -> AsyncGenerator[Any]:
    making, within, given = opened.making, opened.made.inside, opened.given
    given.begin(within)
    try:
        async with aclosing(read(live, making, within)) as pieces:
            async for piece in pieces:
                given.add(piece)
                yield piece
    except PASSED_ON:
        raise
    except Exception as error:
        await do(making.failed(within, error, is_final=True))
    opened.made.turn.hand_back()
    whole = Pieces(given.pieces, live.result)
    await do(making.complete(within, whole.kept(), whole.told_by))


def _replayed(whole: Pieces) -> Stream[Any, Any]:
    async def pieces() -> AsyncGenerator[Any]:
        for piece in whole.pieces:
            yield piece

    return Stream(pieces(), lambda: whole.result)


@dataclass(slots=True)
class Block(AbstractContextManager[Generator[Any, None, None]]):
    """What a durable function gives that was made by `contextmanager`."""

    opening: Opening
    _open: _Open | None = None
    _stream: "Generator[Any, None, None] | None" = field(default=None)

    def __enter__(self) -> "Generator[Any, None, None]":
        """As `AsyncBlock`."""
        name = self.opening.call.name
        found = do_here(self.opening.begun(), name)
        if isinstance(found, Known):
            self._stream = _replayed_here(Pieces.of(found.result))
            return self._stream
        made: Made = drive(found.made(), self._enter, name, self.opening.options.timeout)
        manager, live = made.result
        self._open = opened = _Open(found, made, manager, Given(found))
        if not _comes_in_pieces(live):
            self.__exit__(None, None, None)
            raise _refused(name, live, "an iterator")
        self._stream = _pieces_here(opened, live)
        return self._stream

    def _enter(self, changed: Named | None) -> tuple[Any, Any]:
        manager = self.opening.function(changed)
        return manager, manager.__enter__()

    def __exit__(
        self, kind: Kind, error: BaseException | None, at: TracebackType | None
    ) -> bool | None:
        """As `AsyncBlock`."""
        opened, self._open = self._open, None
        if self._stream is not None:
            self._stream.close()
        if opened is None:
            return None
        token = inside.set(opened.made.inside)
        try:
            is_handled: bool | None = opened.manager.__exit__(kind, error, at)
            return is_handled
        finally:
            inside.reset(token)
            opened.left()


def _comes_in_pieces(live: object) -> bool:
    # What has a length is there already.
    return hasattr(live.__class__, "__iter__") and not hasattr(live.__class__, "__len__")


def _pieces_here(opened: _Open, live: Iterable[Any]) -> Generator[Any, None, None]:
    making, within, given = opened.making, opened.made.inside, opened.given
    name = making.call.name
    given.begin(within)
    try:
        with closing(read_here(iter(live), making, within, given)) as pieces:
            yield from pieces
    except PASSED_ON:
        raise
    except Exception as error:
        do_here(making.failed(within, error, is_final=True), name)
    opened.made.turn.hand_back()
    whole = Pieces(given.pieces)
    do_here(making.complete(within, whole.kept(), whole.told_by), name)


def _replayed_here(whole: Pieces) -> Generator[Any, None, None]:
    yield from whole.pieces


def _refused(name: str, live: object, wanted: str) -> InvalidUsage:
    return InvalidUsage(
        f"{name!r} gives its block {with_article(type_name(live))}, which lives only as long as "
        f"the block: it could not be brought back. Have it yield what comes in pieces ({wanted}, "
        f"or a stepwell.Stream); or leave @stepwell.durable off it, and make durable what is "
        f"called with it inside the block"
    )
