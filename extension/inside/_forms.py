"""What an answer must look like, and what is wrong with one that does not.

A question says it twice: as a JSON schema, which is stored with it and can be checked by
anybody at any time, and, while the code that asked is running, as the Python type itself,
whose own validators have the last word. Answers are checked before they are accepted.
"""

import json
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, cast

from stepwell.errors import InvalidAnswer

__all__ = ["Form", "answer_from_text", "check_json", "live_forms"]

Check = Callable[[object], object]

live_forms: dict[str, Check] = {}
"""By question, the check of the code that asks in this process."""


class Form:
    """A Python type as the form of an answer. Without one, anything will do."""

    def __init__(self, schema: object = None) -> None:
        self._adapter: Any = None
        if schema is not None:
            from pydantic import TypeAdapter

            self._adapter = TypeAdapter(cast("type[Any]", schema))

    @property
    def json(self) -> str:
        """The JSON schema; empty when there is none to be had."""
        if self._adapter is None:
            return ""
        from pydantic.errors import PydanticInvalidForJsonSchema

        try:
            return json.dumps(self._adapter.json_schema())
        except PydanticInvalidForJsonSchema:  # a type that only Python knows
            return ""

    def check(self, value: object) -> Any:
        """The answer as the code wants it. Raises `InvalidAnswer`, field by field."""
        if self._adapter is None:
            return value
        from pydantic import ValidationError

        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            raise InvalidAnswer(
                [(_path(problem["loc"]), problem["msg"]) for problem in error.errors()]
            ) from error


def check_json(schema: str, value: object) -> None:
    """Compare plain data with a JSON schema. Raises `InvalidAnswer`, field by field."""
    if not schema:
        return
    kind: Any = import_module("jsonschema").Draft202012Validator
    found: list[Any] = list(kind(json.loads(schema)).iter_errors(value))
    if found:
        raise InvalidAnswer([(_path(problem.absolute_path), problem.message) for problem in found])


def answer_from_text(text: str, schema: str) -> object:
    """What somebody has typed: JSON, or a text as it stands where the form wants one."""
    wants_text = bool(schema) and json.loads(schema).get("type") == "string"
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) or not wants_text else text


def _path(parts: Iterable[object]) -> str:
    return ".".join(map(str, parts))
