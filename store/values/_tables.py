"""Arrays and tables."""

from typing import Any

from stepwell.store.values._encoded import Unsuited
from stepwell.store.values._tree import Node, Read, Writer

__all__ = ["TABLE_READS", "write_table"]


def write_table(writer: Writer, value: Any) -> Node:
    raise Unsuited


TABLE_READS: dict[str, Read] = {}
