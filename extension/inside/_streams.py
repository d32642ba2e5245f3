"""A call whose result comes in pieces, in code that awaits: shown as they come, stored when
all are there.

Tried again only before the first piece: what somebody has been given cannot be taken back.
Whoever stops reading before the end leaves nothing behind, and the call is made again then.
The code that makes the pieces runs inside the call, who reads them does not; and the time
that readers take is not the call's.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, closing
from typing import Any

from stepwell.inside._arguments import Identity, Named
from stepwell.inside._conduct import PASSED_ON, Conduct, Known, Making, begin
from stepwell.inside._current import Inside, inside
from stepwell.inside._drive import awaited_in_time, drive_async
from stepwell.inside._options import CallOptions
from stepwell.inside._permission import Rule
from stepwell.inside._pieces import END, Given, Pieces

__all__ = ["do", "read", "stream"]

Function = Callable[[Named | None], Any]


async def stream(
    here: Inside, call: Identity, options: CallOptions, function: Function, rule: Rule | None
) -> AsyncGenerator[Any]:
    """The pieces, from the store or as they come."""
    found = await do(begin(here, call, options, rule))
    if isinstance(found, Known):
        for piece in Pieces.of(found.result).pieces:
            yield piece
        return
    with closing(Given(found)) as given:
        async with aclosing(_made(found, function, given)) as made:
            async for piece in made:
                yield piece


async def _made(making: Making, function: Function, given: Given) -> AsyncGenerator[Any]:
    while True:
        turn = await do(making.turn())
        within = making.begin()
        given.begin(within)
        try:
            with turn:
                async with aclosing(read(function(making.changed), making, within)) as pieces:
                    async for piece in pieces:
                        given.add(piece)
                        yield piece
        except PASSED_ON:
            raise
        except Exception as error:
            await do(making.failed(within, error, is_final=bool(given.pieces)))
        else:
            whole = Pieces(given.pieces)
            await do(making.complete(within, whole.kept(), whole.told_by))
            return


async def read(source: AsyncIterator[Any], making: Making, within: Inside) -> AsyncGenerator[Any]:
    """One try's pieces. Raises what making them raises, `CallTimedOut`."""
    name, limit = making.call.name, making.options.timeout
    try:
        while True:
            token = inside.set(within)
            try:
                with within.work:
                    piece = await awaited_in_time(anext(source, END), name, within.work, limit)
            finally:
                inside.reset(token)
            if piece is END:
                return
            yield piece
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


async def do(doing: Conduct) -> Any:
    """What comes before a try, or follows from it; no function is called in it."""
    return await drive_async(doing, lambda _: None, "", 0.0)
