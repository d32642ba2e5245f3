"""The statements of this package, read from the `.sql` files beside it."""

from functools import cache
from pathlib import Path

__all__ = ["statement", "statements", "text"]

_MARK = "-- name: "


@cache
def text(file: str) -> str:
    """A whole file of this package, such as `views.sql`."""
    return Path(__file__).with_name(file).read_text(encoding="utf-8")


@cache
def statements(file: str) -> dict[str, str]:
    """The named statements of a file, in the order they stand in it."""
    named: dict[str, str] = {}
    for part in text(file).split(_MARK)[1:]:
        name, _, body = part.partition("\n")
        named[name.strip()] = body.strip()
    return named


def statement(name: str) -> str:
    """One of the statements of `queries.sql`."""
    return statements("queries.sql")[name]
