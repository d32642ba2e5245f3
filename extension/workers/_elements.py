"""What a mapped step goes over: the elements of a value, in order, and what they go by."""

from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import repeat
from typing import Any, cast

from stepwell.errors import InvalidStep, with_article
from stepwell.store.values import type_name

__all__ = ["elements_of", "item_key", "numbered"]

_ATOMS = (str, int, float, bool, type(None))
LONGEST_KEY = 80


def elements_of(value: Any, *, step: str, source: str) -> tuple[list[object], bool]:
    """The elements in order, and whether they are (key, value) pairs that go by their key.

    Of a table its rows, each a dict; of an array its rows or numbers. Raises `InvalidStep`
    for a value that has no elements, or no known number of them.
    """
    if isinstance(value, Mapping):
        return list(cast("Mapping[object, object]", value).items()), True
    rows = _rows(value)
    if rows is not None:
        return list(rows), False
    if isinstance(value, str | bytes | bytearray) or not (
        isinstance(value, Sized) and isinstance(value, Iterable)
    ):
        raise InvalidStep(
            step,
            f"--map goes over {source!r}, and that is {with_article(type_name(value))}. Give it a "
            f"list, a dict, a table, or anything else that has a length and elements"
            f"{_way_out(value)}",
        )
    return list(value), False


def _way_out(value: object) -> str:
    """What can be gone through once has its elements in a list."""
    return "; list(…) makes one of it" if isinstance(value, Iterator) else ""


def _rows(value: Any) -> Iterator[object] | None:
    """Rows of a table as dicts; None for what is no table."""
    library, name = type(value).__module__.partition(".")[0], type(value).__name__
    found: Iterator[object]
    match library, name:
        case "pandas", "DataFrame":
            columns = [value.iloc[:, place].tolist() for place in range(len(value.columns))]
            # A table without columns has rows all the same.
            rows = zip(*columns, strict=True) if columns else repeat((), len(value))
            return (dict(zip(value.columns, row, strict=True)) for row in rows)
        case "pandas", "Series":
            found = iter(value.tolist())
            return found
        case "polars", "DataFrame":
            found = value.iter_rows(named=True)
            return found
        case "pyarrow", "Table" | "RecordBatch":
            found = iter(value.to_pylist())
            return found
        case _:
            return None


def item_key(value: object, digest: str) -> str:
    """What an element goes by: a short text or a number itself, anything else its digest."""
    if type(value) in _ATOMS:
        text = str(value)
        if 0 < len(text) <= LONGEST_KEY and text.isprintable():
            return text
    return digest


def numbered(keys: Iterable[str]) -> list[str]:
    """Of keys that are the same, all but the first with their number: `a`, `a #2`, `a #3`.

    No two are the same then, whatever the keys are.
    """
    given = list(keys)
    taken, seen = set(given), dict[str, int]()
    if len(taken) == len(given):
        return given
    return [_numbered(key, seen, taken) for key in given]


def _numbered(key: str, seen: dict[str, int], taken: set[str]) -> str:
    count = seen[key] = seen.get(key, 0) + 1
    if count == 1:
        return key
    while (name := f"{key} #{count}") in taken:
        count = seen[key] = count + 1
    taken.add(name)
    return name
