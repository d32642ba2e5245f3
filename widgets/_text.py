"""Text from users, models and programs, made fit to be shown.

What is shown must be what was written: nothing in it may reorder, hide or command. Control
characters and those that turn the direction of writing are shown by their number; colour
codes for terminals are dropped; what is too long is cut, and the cut says how much is missing.
"""

import re
import unicodedata

__all__ = ["block", "line", "visible", "width"]

_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\x9d]*(?:\x07|\x1b\\|\x9c)"  # titles, links
    r"|\x1b[ -/]*[0-OQ-WYZ`-~]"
)
# Zero-width joiners stay: scripts and emoji need them. Tag characters, which are invisible
# and used to smuggle instructions, and lone surrogates, which no encoder takes, do not.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
_STACKED = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{4})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)
_LONGEST = 100_000
_LINES = 60


def visible(text: str) -> str:
    """The text without terminal commands, and with everything hidden in it shown by number."""
    text = _ANSI.sub("", text.replace("\r\n", "\n"))
    return _STACKED.sub(r"\1", _HIDDEN.sub(_by_number, text))


def _by_number(found: re.Match[str]) -> str:
    return f"⟨U+{ord(found[0]):04X}⟩"


def line(text: str, at_most: int = 160) -> str:
    """The text on one line; a longer one is cut and says by how much."""
    # Cut before cleaning: a megabyte is not to be searched for the sake of a line.
    start = text if len(text) <= 8 * at_most else text[: 8 * at_most]
    shown = " ".join(visible(start).split())
    if len(start) == len(text) and len(shown) <= at_most:
        return shown
    return f"{shown[:at_most].rstrip()}… (+{_missing(len(text), len(shown), at_most):,} characters)"


def _missing(length: int, shown: int, at_most: int) -> int:
    return max(1, length - min(shown, at_most))


def block(text: str, *, lines: int = _LINES, columns: int = 300) -> str:
    """The text in its lines; where there are too many the middle is left out and counted."""
    text = _without_middle(text)
    rows = visible(text).rstrip().expandtabs(4).split("\n")
    if len(rows) > lines:
        head, tail = lines // 3, lines - lines // 3
        rows = [*rows[:head], f"… ({len(rows) - lines:,} more lines)", *rows[-tail:]]
    return "\n".join(_cut_row(row, columns) for row in rows)


def _without_middle(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]}\n… ({len(text) - _LONGEST:,} more characters)\n{text[-half:]}"


def _cut_row(row: str, columns: int) -> str:
    if len(row) <= columns:
        return row
    return f"{row[:columns]}… (+{len(row) - columns:,} characters)"


def width(text: str) -> int:
    """How many columns the text takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or character in "\u200c\u200d\ufe0e\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
