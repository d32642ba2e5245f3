"""Values as something to look at: tables, pictures, trees, text. Plain JSON for the front end.

As in previews, none of a value's own code is run, and what looks like a secret is masked.
What is large is cut here and not in the browser, and each cut says how much is missing.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from stepwell.store.values import masked, preview
from stepwell.widgets._snapshot import Message

__all__ = ["log_ending", "log_entries", "rich", "text_value"]

T = TypeVar("T")

_CHARACTERS = 20_000
_NODES = 2_000
_ROWS = 50
_COLUMNS = 30
_CELL = 120
_PICTURE_BYTES = 4_000_000
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n])|\r+$", re.MULTILINE)
_TABLES = ("DataFrame", "Table", "Series")


def rich(value: object) -> Message:
    """The value as a front end draws it."""
    whole = value
    if isinstance(value, str):
        return text_value(masked(value[: 2 * _CHARACTERS]), length=len(value))
    library = type(value).__module__.partition(".")[0]
    if library in ("pandas", "polars", "pyarrow") and type(value).__name__ in _TABLES:
        return _table(value, library)
    if isinstance(value, dict | list | tuple) and value:
        rows = _as_records(cast("object", value))
        return rows or {"kind": "tree", "value": _Tree().grow(cast("object", value))}
    return text_value(preview(whole, _CHARACTERS))


def text_value(said: str, *, length: int = 0) -> Message:
    """Text; what is beyond the limit is counted."""
    more = max(length, len(said)) - _CHARACTERS
    return {"kind": "text", "text": said[:_CHARACTERS], "more": max(0, more)}


def _table(value: Any, library: str) -> Message:
    if library == "pyarrow":
        names = [field.name for field in value.schema][:_COLUMNS]
        types = [str(field.type) for field in value.schema][:_COLUMNS]
        rows = [list(row.values()) for row in value.slice(0, _ROWS).select(names).to_pylist()]
        return _drawn(names, types, rows, value.num_rows, value.num_columns)
    frame = value.to_frame() if type(value).__name__ == "Series" else value
    total, width = frame.shape
    if library == "polars":
        part = frame.head(_ROWS)[:, :_COLUMNS]
        return _drawn(part.columns, map(str, part.dtypes), part.rows(), total, width)
    part = frame.iloc[:_ROWS, :_COLUMNS]
    rows = [
        [index, *cells]
        for index, cells in zip(part.index, part.itertuples(index=False, name=None), strict=True)
    ]
    types = ["index", *(str(dtype) for dtype in part.dtypes)]
    return _drawn(["", *part.columns], types, rows, total, width + 1)


def _drawn(
    names: Iterable[object],
    types: Iterable[str],
    rows: Iterable[Sequence[object]],
    total: int,
    width: int,
) -> Message:
    columns = [
        {"name": _cell(name), "type": kind, "number": kind.lower().startswith(_NUMBERS)}
        for name, kind in zip(names, types, strict=True)
    ]
    cells = [[_cell(value) for value in row] for row in rows]
    return {"kind": "table", "columns": columns, "rows": cells, "total": total, "width": width}


_NUMBERS = ("int", "uint", "float", "double", "decimal", "index")


def _cell(value: object) -> str:
    if isinstance(value, str):
        return masked(value[: 4 * _CELL])[:_CELL]
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return preview(value, _CELL)


def _as_records(value: object) -> Message | None:
    """A list of like mappings reads best as a table."""
    if not isinstance(value, list) or len(cast("list[object]", value)) < 2:
        return None
    rows = cast("list[object]", value)
    first = rows[0]
    if not isinstance(first, dict) or not first or len(cast("Message", first)) > _COLUMNS:
        return None
    names = list(cast("dict[object, object]", first))
    shown = rows[:_ROWS]
    if not all(isinstance(row, dict) and list(cast("Message", row)) == names for row in shown):
        return None
    records = cast("list[dict[object, object]]", shown)
    if any(isinstance(cell, dict | list) for row in records for cell in row.values()):
        return None
    kinds = ["int" if isinstance(records[0][name], int | float) else "" for name in names]
    cells = [[records[at][name] for name in names] for at in range(len(records))]
    return _drawn(names, kinds, cells, len(rows), len(names))


class _Tree:
    """Copies JSON-like data as far as there is room."""

    def __init__(self) -> None:
        self._left = _NODES

    def grow(self, value: object, key: str = "") -> object:
        self._left -= 1
        if isinstance(value, Mapping):
            items = cast("Mapping[object, object]", value).items()
            return {_cell(name): self.grow(item, _cell(name)) for name, item in self._some(items)}
        if isinstance(value, list | tuple):
            return [self.grow(item) for item in self._some(cast("Sequence[object]", value))]
        if isinstance(value, str):
            return _hidden(key, value) if key else masked(value[:_CHARACTERS])
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            # JSON has neither infinity nor numbers that a browser reads exactly beyond 2**53.
            return value if abs(value) < 2**53 else str(value)
        return preview(value, 400)

    def _some(self, items: Iterable[T]) -> Iterable[T]:
        for item in items:
            if self._left <= 0:
                return
            yield item


def _hidden(key: str, value: str) -> str:
    said = json.dumps({key: value[:_CHARACTERS]})
    return value[:_CHARACTERS] if masked(said) == said else "•••"


def log_entries(entries: Sequence[Mapping[str, Any]]) -> list[Message]:
    """What a step printed and displayed: text and pictures, no markup of anybody's."""
    return [drawn for entry in entries if (drawn := _entry(entry)) is not None]


def log_ending(entries: Sequence[Mapping[str, Any]], characters: int) -> list[Message]:
    """The end of what a step is printing and displaying."""
    texts = [
        {**it, "text": str(it.get("text", ""))[-characters:]}
        if it.get("output_type") == "stream"
        else it
        for it in entries
    ]
    return log_entries(texts)


def _overwritten(said: str) -> str:
    """As a terminal leaves it: what comes after a carriage return stands over what was there."""
    if "\r" not in said:
        return said
    return _OVERWRITTEN.sub("", said.replace("\r\n", "\n"))


def _entry(entry: Mapping[str, Any]) -> Message | None:
    if entry.get("output_type") == "stream":
        said = _overwritten(str(entry.get("text", "")))
        return {**text_value(said), "name": entry.get("name", "stdout")} if said.strip() else None
    data: Mapping[str, Any] = entry.get("data") or {}
    plain = str(data.get("text/plain", ""))
    for kind in _PICTURES:
        if kind in data and len(str(data[kind])) < _PICTURE_BYTES:
            return {"kind": "image", "mime": kind, "data": str(data[kind]).strip(), "text": plain}
    if "traceback" in entry:
        return text_value("\n".join(map(str, entry["traceback"])))
    return text_value(plain) if plain else None
