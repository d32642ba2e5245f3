"""NAME=VALUE words, as an agent's parameters are typed after `%stepwell run`."""

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from stepwell.errors import InvalidUsage

__all__ = ["settings_of"]

_TROUBLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def settings_of(words: Iterable[str], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The values: `{EXPR}` as the notebook has it, a Python literal, or else the text itself."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier():
            raise InvalidUsage(
                f"an agent's parameters are written NAME=VALUE, in quotes where there are "
                f"spaces; got {word!r}"
            )
        found[name] = _value(name, text, namespace)
    return found


def _value(name: str, text: str, namespace: Mapping[str, Any]) -> Any:
    if text.startswith("{") and text.endswith("}"):
        try:
            return eval(text[1:-1], {}, namespace)
        except Exception as error:
            raise InvalidUsage(
                f"{name}={text}: {type(error).__name__}: {error}. In braces stands an expression "
                f"of the notebook's names"
            ) from error
    try:
        return ast.literal_eval(text)
    except _TROUBLE:
        return text
