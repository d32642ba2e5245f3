"""Which cell a message from the kernel belongs to.

A background step speaks long after its cell has returned; what it says carries
the cell's own execute request as its parent, and that is all there is to go by.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["Router", "is_idle", "join_streams", "parent_of"]


class Router:
    """Remembers which request was which cell's, and what each cell has pending."""

    def __init__(self) -> None:
        self._cells: dict[str, int] = {}
        self._clearing: set[int] = set()
        self._speaking_late: set[int] = set()

    def expect(self, request: str, cell_index: int) -> None:
        """From now on, messages whose parent is `request` belong to the cell."""
        self._cells[request] = cell_index
        # A request is a new execution of the cell: what the one before asked for is void.
        self._clearing.discard(cell_index)

    def cell_of(self, message: Mapping[str, Any]) -> int | None:
        """Index of the cell the message belongs to; None when it is no cell's."""
        return self._cells.get(parent_of(message))

    def is_clearing(self, cell_index: int) -> bool:
        """Whether the cell's next output replaces the ones before."""
        return cell_index in self._clearing

    def set_clearing(self, cell_index: int, clearing: bool) -> None:
        """Note that a cell asked for `clear_output(wait=True)`, or got it."""
        if clearing:
            self._clearing.add(cell_index)
        else:
            self._clearing.discard(cell_index)

    def speaks_late(self, cell_index: int) -> None:
        """The cell has a step, or has spoken after its end: its streams are joined."""
        self._speaking_late.add(cell_index)

    def joins_streams(self, cell_index: int) -> bool:
        """Whether the cell's consecutive stream outputs become one."""
        return cell_index in self._speaking_late


def parent_of(message: Mapping[str, Any]) -> str:
    """Id of the request that the message answers; empty when it answers none."""
    return str(message["parent_header"].get("msg_id", ""))


def is_idle(message: Mapping[str, Any]) -> bool:
    """Whether the message says that its request has been dealt with."""
    return bool(message["msg_type"] == "status" and message["content"]["execution_state"] == "idle")


def join_streams(outputs: list[Any]) -> None:
    """Make the last two outputs one when both are text of the same stream."""
    if len(outputs) < 2:
        return
    before, last = outputs[-2:]
    same = before["output_type"] == last["output_type"] == "stream"
    if same and before["name"] == last["name"]:
        before["text"] += last["text"]
        outputs.pop()
