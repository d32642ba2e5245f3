"""A call whose result comes in pieces, in code that does not await. As `_streams`."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from stepwell.inside._arguments import Identity, Named
from stepwell.inside._conduct import PASSED_ON, Conduct, Known, Making, begin
from stepwell.inside._current import Inside, inside
from stepwell.inside._drive import drive, in_time
from stepwell.inside._options import CallOptions
from stepwell.inside._permission import Rule
from stepwell.inside._pieces import Given, Pieces

__all__ = ["do_here", "generate", "read_here"]

Function = Callable[[Named | None], Any]


@dataclass(frozen=True, slots=True)
class _End:
    """No more pieces come; this was returned."""

    result: Any


def generate(
    here: Inside, call: Identity, options: CallOptions, function: Function, rule: Rule | None
) -> Generator[Any, None, Any]:
    """The pieces, from the store or as they come; what the generator returns."""
    found = do_here(begin(here, call, options, rule), call.name)
    if isinstance(found, Known):
        whole = Pieces.of(found.result)
        yield from whole.pieces
        return whole.result
    with closing(Given(found)) as given:
        return (yield from _made(found, function, given))


def _made(making: Making, function: Function, given: Given) -> Generator[Any, None, Any]:
    name = making.call.name
    while True:
        turn = do_here(making.turn(), name)
        within = making.begin()
        given.begin(within)
        try:
            with turn:
                source = function(making.changed)
                result = yield from read_here(source, making, within, given)
        except PASSED_ON:
            raise
        except Exception as error:
            do_here(making.failed(within, error, is_final=bool(given.pieces)), name)
        else:
            whole = Pieces(given.pieces, result)
            do_here(making.complete(within, whole.kept(), whole.told_by), name)
            return result


def read_here(
    source: Iterator[Any], making: Making, within: Inside, given: Given
) -> Generator[Any, None, Any]:
    """One try's pieces. Raises what making them raises, `CallTimedOut`."""
    try:
        while True:
            piece = _within(within, partial(_next, source), making)
            if isinstance(piece, _End):
                return piece.result
            given.add(piece)
            yield piece
    finally:
        if isinstance(source, Generator):
            # One that was given up because it took too long is still at it, and cannot end.
            with suppress(ValueError):
                token = inside.set(within)
                try:
                    source.close()
                finally:
                    inside.reset(token)


def _within(within: Inside, code: Callable[[], Any], making: Making) -> Any:
    token = inside.set(within)
    try:
        with within.work:
            return in_time(code, making.call.name, within.work, making.options.timeout)
    finally:
        inside.reset(token)


def _next(source: Iterator[Any]) -> Any:
    try:
        return next(source)
    except StopIteration as end:
        return _End(end.value)


def do_here(doing: Conduct, name: str) -> Any:
    """What comes before a try, or follows from it; no function is called in it."""
    return drive(doing, lambda _: None, name, 0.0)
