"""Python in a magic's line: `--map page=[p for p in pages if p.ok]` is one value.

A line is made of words, as a shell's. What stands in brackets where an expression is meant
is one piece all the same, with its spaces and its quotes.
"""

import shlex
from collections.abc import Collection

__all__ = ["hold_together"]

_QUOTES = "'\""
_PAIRS = {"(": ")", "[": "]", "{": "}"}


def hold_together(line: str, options: Collection[str]) -> str:
    """The line with what stands in brackets in these options' values quoted, for a shell's eyes.

    Raises `ValueError` for a bracket that is not closed.
    """
    if not any(option in line for option in options):
        return line
    parts: list[str] = []
    at, is_code = 0, False
    while at < len(line):
        if line[at].isspace():
            parts.append(line[at])
            at += 1
            continue
        name = line[at:].split(maxsplit=1)[0].partition("=")[0]
        word, at = _word(line, at, is_code=is_code or name in options)
        is_code = word in options
        parts.append(word)
    return "".join(parts)


def _word(line: str, at: int, *, is_code: bool) -> tuple[str, int]:
    """The word that begins here, and where it ends."""
    parts: list[str] = []
    while at < len(line) and not line[at].isspace():
        char, end = line[at], at + 1
        if char == "#":
            end = len(line)
        elif char == "\\":
            end = at + 2
        elif char in _QUOTES:
            end = _end_of_text(line, at, escapes=char == '"')
        elif is_code and char in _PAIRS:
            end = _end_of_brackets(line, at)
            parts.append(shlex.quote(line[at:end]))
            at = end
            continue
        parts.append(line[at:end])
        at = end
    return "".join(parts), at


def _end_of_text(line: str, at: int, *, escapes: bool = True) -> int:
    quote, at = line[at], at + 1
    while at < len(line) and line[at] != quote:
        at += 2 if escapes and line[at] == "\\" else 1
    return at + 1


def _end_of_brackets(line: str, at: int) -> int:
    expected: list[str] = []
    while at < len(line):
        char = line[at]
        if char in _QUOTES:
            at = _end_of_text(line, at)
            continue
        if char in _PAIRS:
            expected.append(_PAIRS[char])
        elif char in _PAIRS.values():
            if char != expected.pop():
                break
            if not expected:
                return at + 1
        at += 1
    raise ValueError("a bracket is opened and not closed")
