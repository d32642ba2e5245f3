"""What is secret in this process: never written down, shown or logged in clear.

Secrets are known by name (what the user has marked) and by text (what such a name has held).
Any thread may ask; what is known grows, and is replaced as a whole when it does.
"""

import re
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

from stepwell.store.values._names import class_of, full_name

__all__ = ["MASK", "SECRETS", "Secrets", "plain"]

MASK = "•••"
SHORTEST = 6
"""Characters of a text that is looked for inside of others: `1234` stands in too many."""
MOST_PARTS = 1_000

_KINDS = frozenset({"pydantic.types.SecretStr", "pydantic.types.SecretBytes"})


def plain(value: object) -> object:
    """What a secret of pydantic's holds; any other value itself."""
    if any(full_name(kind) in _KINDS for kind in class_of(value).__mro__):
        return object.__getattribute__(value, "_secret_value")
    return value


class Secrets:
    """The names and texts of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: frozenset[str] = frozenset()
        self._texts: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        # As they stand in what is written down and shown.
        self._forms: tuple[tuple[bytes, str], ...] = ()

    def mark(self, name: str) -> None:
        """Whatever goes by this name is secret."""
        with self._lock:
            self._names |= {name}

    def is_marked(self, name: str) -> bool:
        """Whether the user has said so."""
        return name in self._names

    def keep(self, name: str, value: object) -> None:
        """The texts in this value are secret, which goes by that name."""
        new = [text for text in _texts_in(value) if text not in self._texts]
        if not new:
            return
        with self._lock:
            self._texts |= dict.fromkeys(new, name)
            forms = {form: held for text, held in self._texts.items() for form in _forms_of(text)}
            longest_first = sorted(forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
            self._forms = tuple(
                (form.encode("utf-8", "surrogatepass"), forms[form]) for form in longest_first
            )

    def masked(self, text: str) -> str:
        """The text, with every secret in it covered."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def covered(self, data: Any) -> Any:
        """Data as JSON has it, with every secret in its texts covered."""
        if self._pattern is None:
            return data
        kind = class_of(data)
        if kind is str:
            return self.masked(data)
        if kind is dict:
            return {self.covered(key): self.covered(item) for key, item in data.items()}
        if kind is list or kind is tuple:
            return [self.covered(item) for item in data]
        return data

    def name_in(self, content: bytes | str) -> str:
        """The name of a secret that stands in clear in the content; empty if none does."""
        if not self._forms:
            return ""
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        return next((name for form, name in self._forms if form in data), "")

    def forget(self) -> None:
        """Know nothing any more."""
        with self._lock:
            self._names, self._texts, self._pattern, self._forms = frozenset(), {}, None, ()


SECRETS = Secrets()
"""Those of this process. What anybody in it knows to be secret nobody else in it shows."""


def _texts_in(value: object) -> Iterator[str]:
    # Imported late: what is never stored is known there, secrets among it.
    from stepwell.store.values._refused import parts

    pending: deque[Any] = deque([value])
    seen: set[int] = set()
    while pending and len(seen) < MOST_PARTS:
        one = plain(pending.popleft())
        if isinstance(one, bytes):
            one = one.decode("utf-8", "ignore")
        if isinstance(one, str):
            if len(one) >= SHORTEST:
                yield str(one)
        elif id(one) not in seen:
            seen.add(id(one))
            # Of a dict the values: `Authorization` is no secret.
            pending += one.values() if type(one) is dict else (part for _, part in parts(one))


def _forms_of(text: str) -> Iterator[str]:
    """The text as it is, as `repr` has it and as JSON does."""
    yield text
    yield repr(text)[1:-1]
    try:
        yield msgspec.json.encode(text)[1:-1].decode()
    except UnicodeEncodeError:  # half a surrogate pair: no JSON holds it
        return
