"""A prompt taken apart: the task and the number in its first line, and the tagged parts."""

import re
from dataclasses import dataclass

__all__ = ["Part", "Prompt", "read_prompt"]

_PART = re.compile(r"<(\w+)((?: \w+=\"[^\"]*\")*)>\n(.*?)\n</\1>", re.DOTALL)
_ATTRIBUTE = re.compile(r"(\w+)=\"([^\"]*)\"")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Part:
    """A tagged part of a prompt."""

    name: str
    text: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked, how many, and what to work with."""

    task: str
    count: int
    parts: tuple[Part, ...]

    def all(self, name: str) -> list[Part]:
        """Every part of that name, in order."""
        return [part for part in self.parts if part.name == name]

    def text(self, name: str) -> str:
        """The text of the one part of that name; empty if there is none."""
        return next((part.text for part in self.all(name)), "")


def read_prompt(prompt: str) -> Prompt:
    """Take a prompt of `quickstart.prompts` apart."""
    first, _, rest = prompt.partition("\n")
    number = _NUMBER.search(first)
    parts = (
        Part(name, text, dict(_ATTRIBUTE.findall(attributes)))
        for name, attributes, text in _PART.findall(rest)
    )
    return Prompt(first.partition(":")[0], int(number.group()) if number else 1, tuple(parts))
