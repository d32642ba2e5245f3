"""The source of a function, found the way tracebacks find it, and put where they will."""

import linecache
import textwrap
from dataclasses import dataclass
from hashlib import blake2b
from types import CodeType

from stepwell.workers.namespace._files import Place, SourceFile, file_of

__all__ = ["Source", "code_source", "cut", "lambda_source", "register"]


@dataclass(frozen=True, slots=True)
class Source:
    """The text that defines one function or class."""

    text: str
    """Whole lines, as they stand in the file; indented where the definition is."""
    name: str
    is_top_level: bool
    """Whether the text can be executed by itself."""
    filename: str

    @property
    def shown(self) -> str:
        """For people."""
        return textwrap.dedent(self.text).rstrip()


def code_source(code: CodeType) -> Source | None:
    """The definition a function's code was compiled from; None if it is not to be found."""
    file = file_of(code)
    place = file.places.get((code.co_firstlineno, code.co_name)) if file else None
    if file is None or place is None or place.is_class:
        return None
    return cut(file, place)


def lambda_source(code: CodeType) -> str:
    """A lambda for people, or "" when there are several on its line."""
    file = file_of(code)
    found = file.lambdas.get(code.co_firstlineno, []) if file else []
    return found[0] if len(found) == 1 else ""


def register(name: str, text: str) -> str:
    """Let tracebacks and `inspect` find a text; the file name to compile it under.

    The name depends on the text alone, so it is the same in every process.
    """
    mark = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    filename = f"<restored {name} {mark}>"
    lines = [line + "\n" for line in text.split("\n")]
    # Without a time of change the entry stays when linecache checks for edited files.
    linecache.cache[filename] = (len(text), None, lines, filename)
    return filename


def cut(file: SourceFile, place: Place) -> Source:
    """The definition at a place of a file."""
    return Source(file.text(place), place.name, place.is_top_level, file.filename)
