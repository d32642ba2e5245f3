"""The line after a magic's name: words, quotes and options. It knows no option by name.

Written here rather than with argparse, whose messages speak of a program that was started
and which takes the value of an unknown option for another argument. One table of options
serves the parser, the help text and Tab.
"""

import shlex
import textwrap
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum

from stepwell.errors import InvalidUsage, NotYetSupported, near_misses
from stepwell.magics._brackets import hold_together

__all__ = ["HELP", "WIDTH", "Kind", "Option", "Parsed", "Takes", "describe", "parse"]

WIDTH = 92
HELP = ("--help", "-h")

# What a text editor may have made of two hyphens.
_DASHES = "-–—"  # noqa: RUF001 - these are the look-alikes that are meant


class Takes(Enum):
    """How much follows an option."""

    NOTHING = "nothing"
    ONE = "one"
    LIST = "list"
    """Names, separated by commas; the option may also be repeated."""
    PERHAPS = "perhaps"
    EACH = "each"
    """A value as it stands; the option may be repeated."""


class Kind(Enum):
    """What sort of name belongs in a place, so that Tab can offer the right ones."""

    STEP = "step"
    AGENT_STEP = "agent's step"
    RUN = "run"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of one magic or verb."""

    name: str
    takes: Takes = Takes.NOTHING
    value: str = ""
    """How its value is written in help texts."""
    help: str = ""
    offers: tuple[Kind, ...] = ()
    later: bool = False
    """Part of the design, not of this version."""
    is_code: bool = False
    """Its value is Python: brackets hold it together, and quotes in them are its own."""

    @property
    def usage(self) -> str:
        """The option as it is typed."""
        return f"{self.name} {self.value}".rstrip()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A line taken apart. `given` has an entry for each option that was typed."""

    words: tuple[str, ...] = ()
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    help: bool = False

    def has(self, option: str) -> bool:
        """Whether the option was typed."""
        return option in self.given

    def all(self, option: str) -> tuple[str, ...]:
        """The option's values, each once, in the order typed."""
        return tuple(dict.fromkeys(self.given.get(option, ())))

    def one(self, option: str) -> str:
        """The option's value, or an empty text."""
        return "".join(self.given.get(option, ())[:1])


def parse(command: str, line: str, options: Sequence[Option]) -> Parsed:
    """Take the line apart. `command` is what error messages call it.

    Raises `InvalidUsage`, and `NotYetSupported` for options of a later version.
    """
    known = {option.name: option for option in options}
    ahead = deque(_split(command, line, [option.name for option in options if option.is_code]))
    words: list[str] = []
    given: dict[str, tuple[str, ...]] = {}
    while ahead:
        word = ahead.popleft()
        if word in HELP:
            return Parsed(help=True)
        if word[:1] not in _DASHES or word == "":
            words.append(word)
            continue
        name, equals, attached = word.partition("=")
        option = _known(command, name, known)
        values = _values(command, option, attached if equals else None, ahead)
        if option.takes is Takes.ONE and name in given:
            raise InvalidUsage(f"{command}: {name} is given twice; give it once.")
        given[name] = given.get(name, ()) + values
    _refuse_later(command, [option for name, option in known.items() if name in given])
    return Parsed(tuple(words), given)


def _split(command: str, line: str, code: Sequence[str]) -> list[str]:
    try:
        return shlex.split(hold_together(line, code), comments=True)
    except ValueError as error:
        reason = _reason(str(error))
        raise InvalidUsage(f"{command}: {reason} in: {line.strip()}") from error


def _reason(said: str) -> str:
    if "bracket" in said:
        return said
    if "escaped" in said:
        return "a backslash at the end of the line escapes nothing"
    return "a quotation mark is opened and not closed"


def _known(command: str, name: str, known: Mapping[str, Option]) -> Option:
    option = known.get(name)
    if option is not None:
        return option
    if not known:
        raise InvalidUsage(f"{command} takes no options; leave {name} out.")
    meant = "--" + name.lstrip(_DASHES)
    # A slip of the finger may mean an option of a later version; a list of what there is
    # must not name one.
    usable = [each.name for each in known.values() if not each.later]
    near = near_misses(meant, known if get_close_matches(meant, known) else usable)
    raise InvalidUsage(f"{command} has no option {name}.{near} `{command} --help` explains it.")


def _values(
    command: str, option: Option, attached: str | None, ahead: deque[str]
) -> tuple[str, ...]:
    match option.takes:
        case Takes.NOTHING:
            if attached is not None:
                raise InvalidUsage(
                    f"{command}: {option.name} takes no value; leave ={attached} out."
                )
            return ()
        case Takes.PERHAPS:
            follows = attached is None and ahead and not ahead[0].startswith("--")
            text = ahead.popleft() if follows else attached
            return () if text is None else (text,)
        case Takes.ONE | Takes.EACH:
            return (_next(command, option, attached, ahead),)
        case Takes.LIST:
            text = _next(command, option, attached, ahead)
            # A comma says that more is to come, also across a space.
            while text.endswith(",") and ahead and not ahead[0].startswith("--"):
                text += ahead.popleft()
            return _items(command, option, text)


def _next(command: str, option: Option, attached: str | None, ahead: deque[str]) -> str:
    if attached is not None:
        return attached
    if not ahead or ahead[0].startswith("--"):
        raise InvalidUsage(f"{command}: {option.name} needs a value: {option.usage}")
    return ahead.popleft()


def _items(command: str, option: Option, text: str) -> tuple[str, ...]:
    items = tuple(part.strip() for part in text.split(","))
    if items == ("",):
        return ()
    if "" in items:
        raise InvalidUsage(
            f"{command}: {option.name} {text!r} has a comma too many: {option.usage}"
        )
    return items


def _refuse_later(command: str, given: Iterable[Option]) -> None:
    later = [option.name for option in given if option.later]
    if later:
        others = f" (like {', '.join(later[1:])})" if later[1:] else ""
        raise NotYetSupported(f"{command} {later[0]}{others}")


def describe(rows: Iterable[tuple[str, str]]) -> str:
    """Two columns: what is typed, what it does."""
    rows = list(rows)
    left = min(28, max(len(typed) for typed, _ in rows)) + 4
    lines: list[str] = []
    for typed, text in rows:
        first = f"  {typed}".ljust(left)
        if not first.endswith(" "):
            lines.append(first)
            first = " " * left
        indent = " " * left
        lines += textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=indent)
    return "\n".join(lines)
