"""Recorded calls: a file to be kept beside the notebook, read in reviews, replayed in tests.

A call is found again by its step, its name, its arguments and how-many-th of the same it is
there. Only calls made by the step's own code are recorded: what a durable function calls in
turn is part of its answer. Any thread may use a cassette.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.errors import CallFailed, CallNotRecorded, CassetteProblem, ValueProblem
from stepwell.inside._arguments import Identity
from stepwell.inside._cassette_file import Block, difference, nearest, read_blocks, write_blocks
from stepwell.inside._current import Answered, Inside
from stepwell.inside._outcome import made_again, message_of
from stepwell.orchestrator import AttemptId, Usage

__all__ = ["Cassette", "Player", "Recorder"]


class Recorder:
    """Takes note of calls, whether they are made or answered from the store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        known = read_blocks(path) if path.exists() else []
        # By step and item: what an attempt calls replaces what earlier ones have called.
        self._blocks: dict[tuple[str, str], dict[str, Block]] = {}
        for number, block in enumerate(known):
            self._blocks.setdefault((block.step, block.item), {})[f"{number}"] = block
        self._attempts: dict[tuple[str, str], AttemptId] = {}
        self._lock = threading.Lock()
        self._is_changed = not path.exists()

    def answer(self, inside: Inside, call: Identity, key: str) -> Answered | None:
        """It only takes note."""
        return None

    def note(self, inside: Inside, call: Identity, key: str, came: Answered) -> None:
        """Raises `CassetteProblem` for what cannot be written."""
        if inside.path:
            return
        block = _block(inside, call, key, came)
        where = (block.step, block.item)
        with self._lock:
            if self._attempts.get(where) != inside.attempt.id:
                self._attempts[where] = inside.attempt.id
                self._blocks[where] = {}
            self._blocks[where][key] = block
            self._is_changed = True

    def save(self) -> None:
        """Write the file, if there is something new."""
        with self._lock:
            if not self._is_changed:
                return
            write_blocks(self.path, [it for some in self._blocks.values() for it in some.values()])
            self._is_changed = False


class Player:
    """Answers calls from a recording, and makes none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._blocks = read_blocks(path)
        self._known = {block.identity: block for block in self._blocks}
        # A step that was given another name has the same calls.
        self._anywhere = {block.anywhere: block for block in reversed(self._blocks)}

    def answer(self, inside: Inside, call: Identity, key: str) -> Answered | None:
        """Raises `CallNotRecorded`, with what differs from the nearest that is there."""
        wanted = _block(inside, call, key, Answered())
        found = self._known.get(wanted.identity) or self._anywhere.get(wanted.anywhere)
        if found is None:
            close = nearest(wanted, self._blocks)
            raise CallNotRecorded(
                call.name, inside.attempt.id.step, self.path.name, difference(wanted, close)
            )
        return _answered(inside, found)

    def note(self, inside: Inside, call: Identity, key: str, came: Answered) -> None:
        """What is replayed is not recorded."""

    def save(self) -> None:
        """Nothing is written."""


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
