"""Recorded calls: a file to be kept beside the notebook, read in reviews, replayed in tests.

A call is found again by its step, its name, its arguments and how-many-th of the same it is
there. It is answered as a whole, with all that its function calls in turn. If it is not in
the recording, or its function's code is another now, and calls inside it were recorded, its
function runs, and those calls are answered: what is tested then is the code as it is. A call
that was recorded without others inside is never made. Any thread may use a cassette.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stepwell.errors import CallFailed, CallNotRecorded, CassetteProblem, ValueProblem
from stepwell.inside._arguments import Identity
from stepwell.inside._cassette_file import (
    Block,
    difference,
    flat,
    nearest,
    read_blocks,
    write_blocks,
)
from stepwell.inside._current import Answered, Inside
from stepwell.inside._outcome import made_again, message_of
from stepwell.orchestrator import AttemptId, Usage

__all__ = ["Cassette", "Player", "Recorder"]


_Noted = dict[str, tuple[str, Block]]
"""By key, the path to the call, and what there is to write of it."""


class Recorder:
    """Takes note of calls, whether they are made or answered from the store."""

    is_answering = False

    def __init__(self, path: Path) -> None:
        self.path = path
        known = read_blocks(path) if path.exists() else []
        # By step and item: what an attempt calls replaces what earlier ones have called.
        self._blocks: dict[tuple[str, str], _Noted] = {}
        for number, block in enumerate(known):
            self._blocks.setdefault((block.step, block.item), {})[f"{number}"] = "", block
        self._known = {block.identity: block for block in known}
        self._attempts: dict[tuple[str, str], AttemptId] = {}
        self._lock = threading.Lock()
        self._is_changed = not path.exists()

    def answer(self, inside: Inside, call: Identity, key: str) -> Answered | None:
        """It only takes note."""
        return None

    def note(self, inside: Inside, call: Identity, key: str, came: Answered) -> None:
        """Raises `CassetteProblem` for what cannot be written."""
        block = _block(inside, call, key, came)
        where = (block.step, block.item)
        with self._lock:
            if self._attempts.get(where) != inside.attempt.id:
                self._attempts[where] = inside.attempt.id
                self._blocks[where] = {}
            mine = self._blocks[where]
            before = self._known.get(block.identity)
            if came.is_remembered and before is not None:
                # The calls inside were not made; if they are known, they are the same.
                block = replace(block, code=before.code, calls=before.calls)
            elif any(path == f"{key}/" for path, _ in mine.values()):
                block = replace(block, code=call.code)
            mine[key] = inside.path, block
            self._is_changed = True

    def save(self) -> None:
        """Write the file, if there is something new."""
        with self._lock:
            if not self._is_changed:
                return
            write_blocks(self.path, [it for some in self._blocks.values() for it in _tree(some)])
            self._is_changed = False


def _tree(blocks: _Noted, path: str = "") -> Iterator[Block]:
    """The blocks at this place, each with those inside it."""
    for key, (place, block) in blocks.items():
        if place == path:
            inside = tuple(_tree(blocks, f"{key}/"))
            yield replace(block, calls=inside) if inside else block


class Player:
    """Answers calls from a recording, and makes none that was recorded whole."""

    is_answering = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._blocks = read_blocks(path)
        self._all = list(flat(self._blocks))
        self._known = {block.identity: block for block in self._blocks}
        # A step that was given another name has the same calls; so has what was put into a
        # function, or taken out of one.
        self._anywhere = {block.anywhere: block for block in reversed(self._all)}
        # Calls that are made although: what was recorded of them, the likeliest first.
        self._made: dict[tuple[AttemptId, str], list[Block]] = {}

    def answer(self, inside: Inside, call: Identity, key: str) -> Answered | None:
        """See `Tape`. Raises `CallNotRecorded`, with what differs from the nearest there is."""
        wanted = _block(inside, call, key, Answered())
        found = self._find(inside, wanted)
        if found is not None and not (found.calls and _is_other(found.code, call)):
            return _answered(inside, found)
        close = found or nearest(wanted, self._all)
        if close is None or not close.calls or close.name != call.name:
            raise CallNotRecorded(
                call.name, inside.attempt.id.step, self.path.name, difference(wanted, close)
            )
        others = [it for it in self._all if it.name == call.name and it is not close]
        others.sort(key=lambda it: (it.step, it.item) != (wanted.step, wanted.item))
        self._made[inside.attempt.id, f"{key}/"] = [close, *others]
        return None

    def _find(self, inside: Inside, wanted: Block) -> Block | None:
        around: Sequence[Block] = self._made.get((inside.attempt.id, inside.path), ())
        within = (it for block in around for it in block.calls if it.anywhere == wanted.anywhere)
        found = next(within, None) if inside.path else self._known.get(wanted.identity)
        return found or self._anywhere.get(wanted.anywhere)

    def note(self, inside: Inside, call: Identity, key: str, came: Answered) -> None:
        """What is replayed is not recorded."""

    def save(self) -> None:
        """Nothing is written."""


def _is_other(code: str, call: Identity) -> bool:
    """Whether the function's code is known to be another than it was."""
    return bool(code and call.code) and code != call.code


Cassette = Recorder | Player


def _block(inside: Inside, call: Identity, key: str, came: Answered) -> Block:
    values, step = inside.values, inside.attempt.id.step
    try:
        arguments = {name: _plain_argument(inside, it) for name, it in call.told.items()}
        result = values.to_plain(came.result)
        error = _plain_error(inside, came.error) if came.error is not None else None
    except ValueProblem as problem:
        raise CassetteProblem(
            f"call {call.name!r} of step {step!r} cannot be recorded: {problem.facts['reason']}. "
            f"Have it return plain data, or a dataclass or pydantic model"
        ) from problem
    usage = came.usage
    return Block(
        step,
        inside.attempt.id.item,
        call.name,
        arguments,
        int(key.rpartition("#")[2]),
        result,
        error,
        _plain_usage(usage) if usage is not None else None,
    )


def _plain_argument(inside: Inside, value: object) -> Any:
    try:
        return inside.values.to_plain(value)
    except ValueProblem:
        return {"$": "object", "v": type(value).__qualname__}


def _plain_error(inside: Inside, error: BaseException) -> dict[str, Any]:
    plain: dict[str, Any] = {"type": type(error).__name__, "message": message_of(error)}
    try:
        named = inside.values.class_name(type(error))
        parts = [inside.values.to_plain(error.args), inside.values.to_plain(dict(vars(error)))]
    except ValueProblem:
        return plain
    return plain | ({"class": named, "args": parts[0], "state": parts[1]} if named else {})


def _plain_usage(usage: Usage) -> dict[str, Any]:
    told = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    told |= {"cost": usage.cost, "model": usage.model}  # type: ignore[dict-item]
    return {name: it for name, it in told.items() if it}


def _answered(inside: Inside, block: Block) -> Answered:
    usage = Usage(**block.usage) if block.usage else None
    if block.error is None:
        return Answered(inside.values.from_plain(block.result), None, usage)
    return Answered(None, _error(inside, block.name, block.error), usage)


def _error(inside: Inside, name: str, plain: Mapping[str, Any]) -> BaseException:
    if "class" in plain:
        try:
            kind = inside.values.class_of(plain["class"])
            args: Any = inside.values.from_plain(plain["args"])
            state: Any = inside.values.from_plain(plain["state"])
            return made_again(kind, tuple(args), state)
        except (ValueProblem, TypeError):  # a class that is not there any more, or has changed
            pass
    return CallFailed(name, plain["type"], plain["message"])
