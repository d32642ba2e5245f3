"""The file of a cassette: JSON, one block to a call, in an order that does not depend on time.

Two recordings of the same calls are the same file, so that a difference in version control is
a difference in what was asked or answered.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from pathlib import Path
from typing import Any

from stepwell.errors import CassetteProblem

__all__ = ["Block", "difference", "flat", "nearest", "ordered", "read_blocks", "write_blocks"]

_FORMAT = "recorded calls 1"
_CLOSE = 0.1


@dataclass(frozen=True, slots=True)
class Block:
    """One recorded call, in plain JSON."""

    step: str
    item: str
    name: str
    arguments: Mapping[str, Any]
    number: int = 0
    """How-many-th of the same."""
    result: Any = None
    error: Mapping[str, Any] | None = None
    usage: Mapping[str, Any] | None = None
    code: str = ""
    """Digest of the function's code, where calls inside it were recorded."""
    calls: "tuple[Block, ...]" = ()
    """Those made inside it."""

    @property
    def anywhere(self) -> str:
        """What it is, in whichever step."""
        return json.dumps([self.name, self.arguments, self.number], sort_keys=True)

    @property
    def identity(self) -> str:
        """What it is, and where."""
        return json.dumps([self.step, self.item, self.anywhere])

    @property
    def question(self) -> str:
        """Name and arguments, as a person compares them."""
        return json.dumps(
            {"call": self.name, "arguments": self.arguments}, indent=2, ensure_ascii=False
        )

    def plain(self, around: "Block | None" = None) -> dict[str, Any]:
        """As it is written, inside the call `around` it."""
        told: dict[str, Any] = {"step": self.step, "item": self.item} if around is None else {}
        told |= {"call": self.name}
        told |= {"arguments": self.arguments, "number": self.number}
        told |= {"error": self.error} if self.error is not None else {"result": self.result}
        told |= {"usage": self.usage}
        if self.calls:
            told |= {"code": self.code, "calls": [it.plain(self) for it in ordered(self.calls)]}
        return {name: it for name, it in told.items() if it or name in ("arguments", "result")}


def read_blocks(path: Path) -> list[Block]:
    """What was recorded. Raises `CassetteProblem`."""
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["stepwell"] != _FORMAT:
            raise CassetteProblem(
                f"{path} is written as {content['stepwell']!r}, this version reads {_FORMAT!r}. "
                f"Record it anew"
            )
        return [_block(plain, plain["step"], plain.get("item", "")) for plain in content["calls"]]
    except FileNotFoundError as error:
        raise CassetteProblem(
            f"there is no recording at {path}. Make one: %stepwell record {path.name}"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CassetteProblem(f"{path} is no recording of calls: {error!r}") from error


def _block(plain: Mapping[str, Any], step: str, item: str) -> Block:
    return Block(
        step,
        item,
        plain["call"],
        plain["arguments"],
        plain.get("number", 0),
        plain.get("result"),
        plain.get("error"),
        plain.get("usage"),
        plain.get("code", ""),
        tuple(_block(inside, step, item) for inside in plain.get("calls", ())),
    )


def ordered(blocks: Iterable[Block]) -> list[Block]:
    """In an order that does not depend on time."""
    return sorted(blocks, key=lambda it: (it.step, it.item, it.name, it.anywhere, it.number))


def flat(blocks: Iterable[Block]) -> Iterator[Block]:
    """They, and all that were made inside them."""
    for block in blocks:
        yield block
        yield from flat(block.calls)


def write_blocks(path: Path, blocks: Iterable[Block]) -> None:
    """Write them sorted, in one go. Raises `CassetteProblem`."""
    calls = [it.plain() for it in ordered(blocks)]
    text = json.dumps({"stepwell": _FORMAT, "calls": calls}, indent=2, ensure_ascii=False)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text + "\n", "utf-8")
        partial.replace(path)
    except OSError as error:
        raise CassetteProblem(f"{path} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def nearest(wanted: Block, blocks: Sequence[Block]) -> Block | None:
    """The recorded call that is most like it; None if none is."""
    question = wanted.question
    named = [it for it in blocks if it.name == wanted.name] or list(blocks)

    def likeness(block: Block) -> float:
        return SequenceMatcher(None, question, block.question, autojunk=False).ratio()

    best = max(named, key=likeness, default=None)
    return best if best is not None and likeness(best) > _CLOSE else None


def difference(wanted: Block, close: Block | None) -> str:
    """From the recorded call to the one that was made, line by line."""
    if close is None:
        return wanted.question
    if wanted.question == close.question:
        return f"it was recorded {close.number + 1} times, and is made once more"
    lines = unified_diff(
        close.question.splitlines(),
        wanted.question.splitlines(),
        f"recorded in step {close.step}",
        f"made in step {wanted.step}",
        lineterm="",
    )
    return "\n".join(lines)
