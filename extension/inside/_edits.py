"""What of a payload may be changed, and what a change must look like."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from stepwell.errors import InvalidAnswer, InvalidUsage
from stepwell.inside._forms import Form

__all__ = ["Edits"]

WHOLE = ("payload",)
_PLAIN = (str, bool, int, float)


@dataclass(frozen=True, slots=True)
class Edits:
    """Names that may be changed, and the form of each; or the form of the whole."""

    names: tuple[str, ...] = ()
    whole: Form | None = None
    """Of the answer, or of the payload with the changes in it."""
    fields: Mapping[str, Form] = field(default_factory=dict[str, Form])
    payload: object = None
    """What the changes are changes of, where only some of it may be changed."""

    @classmethod
    def of_answer(cls, schema: object) -> "Edits":
        """An answer to a question: there is nothing it changes."""
        return cls((), Form(schema))

    @classmethod
    def of_payload(
        cls, payload: object, edit: bool | str | Sequence[str], schema: object
    ) -> "Edits":
        """Changes to what is to be approved. Raises `InvalidUsage` for a name it does not have."""
        if schema is None and _is_model(payload):
            schema = type(payload)
        if edit is True:
            form = Form(type(payload) if schema is None and type(payload) in _PLAIN else schema)
            return cls(WHOLE, form)
        names = (edit,) if isinstance(edit, str) else tuple(edit) if edit else ()
        known = _fields(payload)
        for name in names:
            if name not in known:
                listed = ", ".join(known) or "nothing that has a name"
                raise InvalidUsage(f"edit={name!r}: what is to be approved has {listed}")
        return cls(names, Form(schema), _forms(known, names), payload)

    @classmethod
    def of_inputs(cls, inputs: Mapping[str, object], names: Sequence[str]) -> "Edits":
        """Changes to a step's inputs, each of the form that it has now."""
        return cls(tuple(names), None, _forms(inputs, names), dict(inputs))

    @property
    def schema(self) -> str:
        """As JSON schema; empty where there is nothing to be said."""
        if not self.fields:
            return self.whole.json if self.whole is not None else ""
        parts = {name: json.loads(form.json or "{}") for name, form in self.fields.items()}
        return json.dumps({"type": "object", "properties": parts})

    def checked(self, value: object) -> Any:
        """The answer, or the payload with the changes in it. Raises `InvalidAnswer`."""
        if not self.fields:
            return self.whole.check(value) if self.whole is not None else value
        changed = cast("Mapping[str, object]", value)
        found: dict[str, object] = {}
        problems: list[tuple[str, str]] = []
        for name, new in changed.items():
            try:
                found[name] = self.fields[name].check(new)
            except InvalidAnswer as error:
                problems += [(_below(name, path), what) for path, what in error.problems]
        if problems:
            raise InvalidAnswer(problems)
        merged = _with(self.payload, found)
        return self.whole.check(merged) if self.whole is not None else merged


def _below(name: str, path: str) -> str:
    return f"{name}.{path}" if path else name


def _forms(values: Mapping[str, object], names: Sequence[str]) -> dict[str, Form]:
    return {name: Form(_type_of(values.get(name))) for name in names}


def _type_of(value: object) -> object:
    """Where a value says what another in its place must be, its type."""
    return type(value) if type(value) in _PLAIN or _is_model(value) else None


def _is_model(value: object) -> bool:
    return hasattr(type(value), "model_fields")


def _fields(payload: object) -> dict[str, object]:
    if isinstance(payload, Mapping):
        return {str(name): it for name, it in cast("Mapping[object, object]", payload).items()}
    if _is_model(payload):
        return {name: getattr(payload, name) for name in type(payload).model_fields}  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    if dataclasses.is_dataclass(payload):
        return {each.name: getattr(payload, each.name) for each in dataclasses.fields(payload)}
    return {}


def _with(payload: object, changes: Mapping[str, object]) -> object:
    if isinstance(payload, Mapping):
        return {**cast("Mapping[str, object]", payload), **changes}
    if dataclasses.is_dataclass(payload) and not isinstance(payload, type):
        return dataclasses.replace(payload, **changes)
    model: Any = payload
    return model.model_copy(update=dict(changes))
