"""A call whose result comes in pieces: shown as they come, stored when all are there.

Tried again only before the first piece: what somebody has been given cannot be taken back.
Whoever stops reading before the end leaves nothing behind, and the call is made again then.
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, closing
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import anyio

from stepwell.errors import CallTimedOut
from stepwell.inside._arguments import Identity, Named
from stepwell.inside._conduct import PASSED_ON, Conduct, Making, recalled
from stepwell.inside._current import Inside, inside
from stepwell.inside._drive import drive_async
from stepwell.inside._options import CallOptions
from stepwell.inside._permission import Rule
from stepwell.orchestrator import Sign
from stepwell.store.values import is_immutable, preview

__all__ = ["stream"]

SHOW_SECONDS = 0.1
SHOWN = 4000
"""So many characters are shown at once: what came before them in that time nobody could read."""
_END: Any = object()

Function = Callable[[Named | None], Any]
Pieces = AsyncGenerator[Any, None]


async def stream(
    here: Inside, call: Identity, options: CallOptions, function: Function, rule: Rule | None
) -> Pieces:
    """The pieces, from the store or as they come."""
    key = here.call_key(call.what)
    known = here.remembered(key)
    if known is not None and known.is_closed:
        for piece in recalled(here, call, known):
            yield piece
        return
    making = Making(here, call, options, key, rule)
    if known is not None and known.attempts:
        await _do(making.go_on(known))
    if (recorded := making.recorded()) is not None:
        found = await drive_async(making.replay(recorded), lambda _: None, "", 0.0)
        for piece in found:
            yield piece
        return
    await _do(making.permit())
    given = _Given(making)
    made = _made(making, function, given)
    with closing(given):
        async with aclosing(made):
            async for piece in made:
                yield piece


async def _made(making: Making, function: Function, given: "_Given") -> Pieces:
    while True:
        turn = await drive_async(making.turn(), lambda _: None, "", 0.0)
        here = making.begin()
        pieces = _tried(making, here, function)
        try:
            with turn:
                async with aclosing(pieces):
                    async for piece in pieces:
                        given.add(piece)
                        yield piece
        except PASSED_ON:
            raise
        except Exception as error:
            making.take(here)
            wait = None if given.pieces else making.wait_after(error)
            if wait is None:
                await _do(making.fail(error))
                raise
            await _do(making.try_later(error, wait))
        else:
            making.take(here)
            await _do(making.complete(given.pieces, is_own=not here.has_called))
            return


async def _tried(making: Making, here: Inside, function: Function) -> Pieces:
    """One try's pieces. The code that makes them runs inside the call, who reads them does not."""
    seconds = making.options.timeout
    end = anyio.current_time() + seconds if seconds else float("inf")
    made = function(making.changed)
    async with aclosing(made):
        while True:
            piece = _END
            token = inside.set(here)
            try:
                with anyio.CancelScope(deadline=end) as scope:
                    piece = await anext(made, _END)
            finally:
                inside.reset(token)
            if scope.cancelled_caught:
                raise CallTimedOut(making.call.name, seconds)
            if piece is _END:
                return
            yield piece


async def _do(doing: Conduct) -> None:
    """What follows from a try; no function is called in it."""
    await drive_async(doing, lambda _: None, "", 0.0)


@dataclass(slots=True)
class _Given:
    """The pieces that have come, as they came: a reader may change what it was given."""

    making: Making
    pieces: list[Any] = field(default_factory=list[Any])
    _unseen: list[str] = field(default_factory=list[str])
    _shown_at: float = 0.0

    def add(self, piece: Any) -> None:
        self.pieces.append(piece if is_immutable(piece) else deepcopy(piece))
        self._unseen.append(piece if isinstance(piece, str) else f"{preview(piece)}\n")
        if time.monotonic() - self._shown_at > SHOW_SECONDS:
            self.show()

    def show(self, *, is_over: bool = False) -> None:
        """To whoever looks; a few times a second at most."""
        inside, call = self.making.inside, self.making
        text, count = "".join(self._unseen), float(len(self.pieces))
        total = count if is_over else 0.0
        sign = Sign("piece", text[-SHOWN:], count, total, call.key, call.call.name)
        inside.link.sign(inside.attempt.id, sign)
        self._unseen.clear()
        self._shown_at = time.monotonic()

    def close(self) -> None:
        """No more are to come: all are there, or nobody wants them."""
        if self.pieces:
            self.show(is_over=True)
