"""Pieces that come while a block runs, and what there is when the last of them has come."""

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any, Generic, TypeVar, cast

from stepwell.errors import InvalidUsage

__all__ = ["Stream"]

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class Stream(AsyncIterator[Piece], Generic[Piece, Result]):
    """What a durable `async with` gives its block: an async iterator, with a `result` at its end.

        @stepwell.durable
        @asynccontextmanager
        async def writing(topic: str) -> AsyncGenerator[stepwell.Stream[str, Message]]:
            async with client.messages.stream(…) as live:
                yield stepwell.Stream(live.text_stream, result=live.get_final_message)

        async with writing("pumps") as pieces:
            async for piece in pieces: …
            message = pieces.result

    `result` is called, and awaited if need be, when all pieces have come. Both are stored.
    Without a result any async iterator may be yielded as it is.
    """

    def __init__(
        self,
        pieces: AsyncIterable[Piece],
        result: Callable[[], Awaitable[Result]] | Callable[[], Result] | None = None,
    ) -> None:
        self._pieces = aiter(pieces)
        self._make_result = result
        self._result: Any = None
        self._is_over = False
        self._is_left = False

    def __aiter__(self) -> "Stream[Piece, Result]":
        """Itself: the pieces come once."""
        return self

    async def __anext__(self) -> Piece:
        """The next piece. Raises `InvalidUsage` where the block has been left before the end."""
        if self._is_over:
            raise StopAsyncIteration
        if self._is_left:
            raise InvalidUsage("the block in which these pieces came has been left before the end")
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            found: Any = self._make_result() if self._make_result is not None else None
            self._result = await found if inspect.isawaitable(found) else found
            self._is_over = True
            raise

    @property
    def result(self) -> Result:
        """What there is when all pieces have come. Raises `InvalidUsage` before."""
        if not self._is_over:
            raise InvalidUsage("there is no result before all pieces have been read")
        return cast("Result", self._result)

    async def aclose(self) -> None:
        """No more are read."""
        self._is_left = True
        close: Any = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()
