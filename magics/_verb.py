"""What a verb of `%stepwell` is."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from stepwell.errors import InvalidUsage
from stepwell.magics._options import WIDTH, Kind, Option, Parsed, describe
from stepwell.magics._port import Notebook

__all__ = ["Verb"]


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing `%stepwell` can be told to do."""

    name: str
    takes: str
    """Its arguments, as help texts write them."""
    summary: str
    more: str
    act: Callable[[Notebook, Parsed], object]
    at_least: int = 0
    at_most: int | None = 0
    """How many arguments; None for any number."""
    options: tuple[Option, ...] = ()
    offers: tuple[Kind, ...] = ()
    text: str = ""
    """What the rest of the line is, word for word, and of the cell: `query`; empty where the
    line is made of words and options."""
    example: str = ""

    @property
    def command(self) -> str:
        """What is typed to reach it."""
        return f"%stepwell {self.name}"

    @property
    def usage(self) -> str:
        """The command with all it can take."""
        options = "".join(f" [{option.usage}]" for option in self.options)
        return f"{self.command} {self.takes}".rstrip() + options

    @property
    def help(self) -> str:
        """What `%stepwell VERB --help` prints."""
        text = f"{self.summary[:1].upper()}{self.summary[1:]}. {self.more}"
        parts = [self.usage, textwrap.fill(text, WIDTH)]
        if self.options:
            parts.append(describe((option.usage, option.help) for option in self.options))
        return "\n\n".join(parts)

    def arguments(self, parsed: Parsed) -> tuple[str, ...]:
        """The names typed, also when commas separate them. Raises `InvalidUsage`."""
        words = parsed.words
        if self.at_most is None:
            # The value of an agent's parameter may have commas of its own.
            pieces = ([word] if "=" in word else word.split(",") for word in words)
            words = tuple(name for names in pieces for name in names if name)
        if len(words) < self.at_least or (self.at_most is not None and len(words) > self.at_most):
            got = f"; got {' '.join(words)}" if words else ""
            raise InvalidUsage(f"it is written {self.usage}{got}")
        return words

    def whole(self, rest: str, cell: str | None) -> Parsed:
        """The line and the cell below it as one text. Raises `InvalidUsage` for none.

        Word for word: quotes, braces and $ mean something in SQL and in JSON.
        """
        text = "\n".join(part for part in (rest.strip(), (cell or "").strip("\n")) if part.strip())
        if not text:
            raise InvalidUsage(
                f"there is no {self.text}: {self.command} {self.example}, "
                f"or %{self.command} with the {self.text} below it"
            )
        return Parsed(words=(text,))
