"""A value in a line: for tables, cards and logs. Runs none of the value's own code.

No `__repr__` is ever called that is not the interpreter's or the standard library's own: one
that is slow, broken or a megabyte long hurts nobody. Secrets are masked by type, by the name
they go by, and by the look of the well-known ones.
"""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import msgspec

from stepwell.store.values._libraries import LIBRARIES, library_of
from stepwell.store.values._names import class_of, full_name, type_name
from stepwell.store.values._refused import parts
from stepwell.store.values._secrets import MASK, SECRETS
from stepwell.store.values._sketches import sketch_of_table

__all__ = ["PREVIEW_CHARACTERS", "is_secret_name", "json_preview", "masked", "preview"]

PREVIEW_CHARACTERS = 200
_BEYOND = 64
_MORE = "…"
_NAMES = (
    "passw", "secret", "api_key", "apikey", "api-key", "access_key", "access-key",
    "private_key", "private-key", "token", "credential", "authorization",
)  # fmt: skip
# From the telling word on, and never back: a text may be one long word.
_NAMED = re.compile(
    rf"""((?:{"|".join(_NAMES)})(?<!token(?=s))[\w-]{{0,40}}["']?\s{{0,4}}[:=]\s{{0,4}})"""
    r"""(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)""",
    re.IGNORECASE,
)
_LOOKS = re.compile(
    r"\b(?:sk-[\w-]{16,}|gh[opsu]_\w{20,}|xox[abp]-[\w-]{10,}|AKIA[0-9A-Z]{16}"
    r"|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*|[Bb]earer\s+[\w.~+/-]{8,})"
)
# Most texts have none of these, nor a name: looking for them first spares the expressions.
_LOOK_HINTS = ("sk-", "ghp_", "gho_", "ghu_", "ghs_", "xox", "AKIA", "eyJ", "earer")
# And without any of these there is nothing at all to be found: most texts are that harmless.
_HINTS = (
    *("key", "passw", "secret", "token", "credential", "authorization"),
    *("sk-", "gh", "xox", "akia", "eyj", "earer"),
)


def is_secret_name(name: str) -> bool:
    """Whether what goes by this name is likely to be a secret."""
    lower = name.lower().replace("tokens", "")
    return any(word in lower for word in _NAMES)


def masked(text: str) -> str:
    """The text without what is known to be secret, or looks it."""
    text = SECRETS.masked(text)
    lower = text.lower()
    for hint in _HINTS:
        if hint in lower:
            return _masked_closely(text, lower)
    return text


def _masked_closely(text: str, lower: str) -> str:
    lower = lower.replace("tokens", "")  # what models count: no secret, and common
    for name in _NAMES:
        if name in lower:
            text = _NAMED.sub(rf'\1"{MASK}"', text)
            break
    for hint in _LOOK_HINTS:
        if hint in text:
            return _LOOKS.sub(MASK, text)
    return text


def json_preview(payload: bytes, limit: int = PREVIEW_CHARACTERS) -> str:
    """The beginning of a JSON text, at most `limit` characters."""
    # Some more than is shown, to know a secret that the cut would halve.
    start = payload[: limit + _BEYOND]
    if not start.isascii():
        start = payload[: (limit + _BEYOND) * 4]
    text = start.decode("utf-8", "ignore")
    return _cut(masked(text), limit)


def preview(value: object, limit: int = PREVIEW_CHARACTERS) -> str:
    """What a value is, in one line of at most `limit` characters.

    JSON where the value is JSON data, else near it; tables and arrays by shape and columns.
    """
    sketch = _Sketch(left=limit + _BEYOND)
    try:
        sketch.draw(value)
    except _Full:
        sketch.pieces.append(_MORE)
    # A preview is a courtesy: a value that cannot be drawn must not fail to be stored.
    except Exception:
        sketch.pieces.append(f"<{type(value).__name__}>")
    return _cut(masked("".join(sketch.pieces)), limit)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + _MORE


class _Full(Exception):
    """Enough was drawn."""


_LITERALS = {None: "null", True: "true", False: "false"}
_TEXT = {
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "decimal.Decimal",
    "fractions.Fraction",
    "uuid.UUID",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.PurePosixPath",
}
_BRACKETS: dict[type[Any], str] = {list: "[]", tuple: "()", set: "{}", frozenset: "{}"}
_CALLABLES = (FunctionType, BuiltinFunctionType, MethodType)
_BASES: tuple[Any, ...] = (str, int, float, dict, list, tuple, set, frozenset, deque)
_SECRET_KINDS = {"SecretStr", "SecretBytes", "Secret"}


@dataclass(slots=True)
class _Sketch:
    """Draws until there is no room left."""

    left: int
    pieces: list[str] = field(default_factory=list[str])
    inside: list[int] = field(default_factory=list[int])

    def put(self, text: str) -> None:
        self.pieces.append(text)
        self.left -= len(text)
        if self.left < 0:
            raise _Full

    def draw(self, value: Any) -> None:
        kind = class_of(value)
        if value is None or kind is bool:
            self.put(_LITERALS[value])
        elif kind is str:
            self.put(_quoted(value, self.left))
        elif kind is int:
            self.put(_whole(value))
        elif kind is float or kind is complex:
            self.put(repr(value))
        elif kind is bytes or kind is bytearray:
            self.put(f"{len(value):,} bytes")
        elif id(value) in self.inside or len(self.inside) > 20:
            self.put(_MORE)
        else:
            self.inside.append(id(value))
            self._draw_other(value, kind)
            self.inside.pop()

    def _draw_other(self, value: Any, kind: type[Any]) -> None:
        if kind is dict:
            self._draw_dict(value)
        elif kind in (list, tuple, set, frozenset):
            self._draw_items(_BRACKETS[kind], value)
        elif kind.__name__ in _SECRET_KINDS and kind.__module__.startswith("pydantic"):
            self.put(f'"{MASK}"')
        elif full_name(kind) in _TEXT:
            self.put(_quoted(str(value), self.left))
        elif issubclass(kind, type):
            self.put(f"class {value.__qualname__}")
        elif library_of(kind) in LIBRARIES:
            self.put(sketch_of_table(value))
        else:
            self._draw_object(value, kind)

    def _draw_dict(self, value: dict[Any, Any]) -> None:
        pairs: Iterable[tuple[object, object]] = dict[object, object].items(value)
        self.put("{")
        for at, (key, item) in enumerate(pairs):
            self.put("," if at else "")
            self.draw(key)
            self.put(":")
            self.draw(item)
        self.put("}")

    def _draw_items(self, brackets: str, value: Any) -> None:
        self.put(brackets[0])
        for at, item in enumerate(value):
            self.put("," if at else "")
            self.draw(item)
        self.put(brackets[1])

    def _draw_contents(self, value: Any, kind: type[Any], base: Any) -> None:
        self.put(type_name(value) + "(")
        if base is dict:
            self._draw_dict(value)
        elif base in (str, int, float):
            self.draw(base.__getnewargs__(value)[0])
        else:
            self._draw_items("[]", base.__iter__(value))
        self.put(")")

    def _draw_object(self, value: Any, kind: type[Any]) -> None:
        if issubclass(kind, Enum):
            self.put(f"{kind.__qualname__}.{value._name_}")
            return
        if issubclass(kind, BaseException):
            self.put(type_name(value))
            self._draw_items("()", value.args)
            return
        if kind in _CALLABLES:
            self.put(f"{kind.__name__} {value.__qualname__}")
            return
        base = next((base for base in _BASES if issubclass(kind, base)), None)
        if base is not None and not hasattr(kind, "_fields"):
            self._draw_contents(value, kind, base)
            return
        self.put(type_name(value) + "(")
        for at, (step, item) in enumerate(_attributes(value)):
            self.put(", " if at else "")
            self.put(f"{step}=")
            self.draw(item)
        self.put(")")


def _attributes(value: Any) -> list[tuple[str, object]]:
    named = [(step[1:], item) for step, item in parts(value) if step.startswith(".")]
    return [(name, item) for name, item in named if not name.startswith("_")]


def _whole(value: int) -> str:
    return str(value) if value.bit_length() < 2048 else f"an integer of {value.bit_length()} bits"


def _quoted(text: str, room: int) -> str:
    shown = text[: room + 1].encode("utf-8", "replace").decode()
    return msgspec.json.encode(shown).decode()
