"""Instances of classes that other processes find by name: written without running their code.

Dataclasses, pydantic models, enums, named tuples and thin subclasses of builtins qualify as long
as they are pickled the ordinary way: a class with its own `__reduce__`, `__getstate__` or
`__new__` has reasons we cannot know, and is left to pickle.
"""

import dataclasses
import sys
from enum import Enum, Flag
from functools import cached_property
from typing import Any

from stepwell.errors import ValueUnreadable
from stepwell.store.values._encoded import Unsuited
from stepwell.store.values._libraries import LIBRARIES, library_of
from stepwell.store.values._names import class_of
from stepwell.store.values._tree import Node, Read, Reader, Writer

__all__ = ["INSTANCE_READS", "write_instance"]

_BASES: tuple[Any, ...] = (str, int, float, bytes, tuple, list, dict, set, frozenset)
_FILLED = {list: "extend", dict: "update", set: "update"}
_MISSING = dataclasses.MISSING
_PICKLED = ("__reduce_ex__", "__reduce__", "__new__")


def write_instance(writer: Writer, value: Any) -> Node:
    """A value whose type has no shape of its own. Raises `Unsuited` if it is not one of these."""
    kind = class_of(value)
    if issubclass(kind, Enum):
        return writer.tagged("enum", _write_enum(writer, value))
    if library_of(kind) in LIBRARIES:
        from stepwell.store.values._tables import write_table

        return write_table(writer, value)
    if _is_model(kind):
        return writer.tagged("model", _write_model(writer, value))
    if dataclasses.is_dataclass(kind):
        return writer.tagged("dataclass", _write_dataclass(writer, value))
    if tuple in kind.__mro__ and hasattr(kind, "_fields"):
        return writer.tagged("namedtuple", _write_namedtuple(writer, value))
    return writer.tagged("subclass", _write_subclass(writer, value))


def _is_ordinary(kind: type[Any], base: Any = object) -> bool:
    """Whether pickle would do with it what it does with a class that says nothing."""
    state = kind.__dict__.get("__getstate__") or getattr(kind, "__getstate__", None)
    slotted = getattr(dataclasses, "_dataclass_getstate", None)
    return (
        all(_inherits(kind, base, name) for name in _PICKLED)
        and (state is getattr(base, "__getstate__", None) or state is slotted)
        and _inherits(kind, base, "__getnewargs__")
        and _inherits(kind, base, "__getnewargs_ex__")
        and (_inherits(kind, base, "__setstate__") or state is slotted)
    )


def _inherits(kind: type, base: type, name: str) -> bool:
    return getattr(kind, name, None) is getattr(base, name, None)


def _state(value: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is in `__dict__` and what is in slots."""
    found: Any = object.__getstate__(value)
    attributes: dict[str, Any] | None = found
    slots: dict[str, Any] | None = None
    if class_of(found) is tuple:
        attributes, slots = found
    # What a cached property remembers says nothing that the value does not say without it.
    kept = {
        name: item
        for name, item in (attributes or {}).items()
        if not isinstance(getattr(type(value), name, None), cached_property)
    }
    return kept, slots or {}


def _set_state(made: object, attributes: dict[str, Any], slots: dict[str, Any]) -> None:
    if attributes:
        made.__dict__.update(attributes)
    for name, item in slots.items():
        object.__setattr__(made, name, item)


def _write_enum(writer: Writer, value: Enum) -> Node:
    kind = class_of(value)
    name = writer.class_name(kind)
    if issubclass(kind, Flag):
        return [name, writer.node(value._value_)]
    if kind.__members__.get(value._name_) is not value:
        raise Unsuited
    return [name, value._name_]


def _read_enum(reader: Reader, node: Node) -> Enum:
    kind: Any = reader.find(node[0])
    member = reader.value(node[1])
    _expect(issubclass(kind, Enum), kind, "an enum")
    if issubclass(kind, Flag):
        made: Enum = kind(member)
        return made
    if member not in kind.__members__:
        raise ValueUnreadable(
            f"its class {kind.__qualname__!r} has no member {member!r} any more. "
            "Put it back, or run the step again",
            name=kind.__qualname__,
        )
    found: Enum = kind.__members__[member]
    return found


def _is_model(kind: type) -> bool:
    # A model is there only if pydantic is: no need to load it to ask. Another thread may be
    # in the middle of loading it.
    base: type | None = getattr(sys.modules.get("pydantic.main"), "BaseModel", None)
    return base is not None and issubclass(kind, base)


def _write_model(writer: Writer, value: Any) -> Node:
    from pydantic import BaseModel

    kind = class_of(value)
    plain = all(_inherits(kind, object, name) for name in _PICKLED)
    own = all(_inherits(kind, BaseModel, name) for name in ("__getstate__", "__setstate__"))
    if not (plain and own):
        raise Unsuited
    name = _model_name(writer, kind)
    state = BaseModel.__getstate__(value)
    fields = {
        key: item
        for key, item in state["__dict__"].items()
        if not isinstance(getattr(kind, key, None), cached_property)
    }
    node = [name, writer.node(fields), sorted(state["__pydantic_fields_set__"])]
    extra, private = state["__pydantic_extra__"], state["__pydantic_private__"]
    if extra is not None or private is not None:
        node += [writer.node(extra), writer.node(private)]
    return node


def _model_name(writer: Writer, kind: Any) -> Node:
    # `Box[int]` is made anew in every process: found as `Box`, given `int`.
    generic = kind.__pydantic_generic_metadata__
    if generic["origin"] is None:
        return writer.class_name(kind)
    if not all(isinstance(given, type) for given in generic["args"]):
        raise Unsuited
    given = [
        _model_name(writer, one) if _is_model(one) else writer.class_name(one)
        for one in generic["args"]
    ]
    return [writer.class_name(generic["origin"]), given]


def _find_model(reader: Reader, name: Node) -> Any:
    if isinstance(name, str):
        kind = reader.find(name)
        _expect(_is_model(kind), kind, "a pydantic model")
        return kind
    origin, given = name
    return _find_model(reader, origin)[tuple(_find_argument(reader, one) for one in given)]


def _find_argument(reader: Reader, name: Node) -> Any:
    return reader.find(name) if isinstance(name, str) else _find_model(reader, name)


def _read_model(reader: Reader, node: Node) -> Any:
    from pydantic import BaseModel

    name, fields, fields_set, *rest = node
    kind = _find_model(reader, name)
    values = reader.value(fields)
    for key, field in kind.model_fields.items():
        if key not in values:
            if field.is_required():
                raise _changed(kind, key)
            values[key] = field.get_default(call_default_factory=True, validated_data=values)
    made = kind.__new__(kind)
    state = {
        "__dict__": values,
        "__pydantic_fields_set__": set(fields_set),
        "__pydantic_extra__": reader.value(rest[0]) if rest else None,
        "__pydantic_private__": reader.value(rest[1]) if rest else None,
    }
    BaseModel.__setstate__(made, state)
    return made


def _write_dataclass(writer: Writer, value: Any) -> Node:
    kind = class_of(value)
    if not _is_ordinary(kind):
        raise Unsuited
    attributes, slots = _state(value)
    return [writer.class_name(kind), writer.node(attributes), *([writer.node(slots)] * bool(slots))]


def _read_dataclass(reader: Reader, node: Node) -> Any:
    kind: Any = reader.find(node[0])
    _expect(dataclasses.is_dataclass(kind), kind, "a dataclass")
    attributes = reader.value(node[1])
    slots: dict[str, Any] = reader.value(node[2]) if len(node) > 2 else {}
    for field in dataclasses.fields(kind):
        if field.name in attributes or field.name in slots or not field.init:
            continue
        if field.default_factory is not _MISSING:
            attributes[field.name] = field.default_factory()
        elif field.default is not _MISSING:
            attributes[field.name] = field.default
        else:
            raise _changed(kind, field.name)
    made: Any = object.__new__(kind)
    slotted = {name: attributes.pop(name) for name in list(attributes) if not _has_dict(made)}
    _set_state(made, attributes, slots | slotted)
    return made


def _has_dict(value: object) -> bool:
    return hasattr(value, "__dict__")


def _write_namedtuple(writer: Writer, value: Any) -> Node:
    kind = class_of(value)
    # The class that collections or typing made defines __new__ and __getnewargs__ itself.
    made: Any = next(base for base in kind.__mro__ if "_fields" in base.__dict__)
    own = all(_inherits(kind, made, name) for name in (*_PICKLED, "__getnewargs__"))
    plain = all(_inherits(made, object, name) for name in _PICKLED[:2])
    if made.__bases__[0] is not tuple or not (own and plain) or getattr(value, "__dict__", None):
        raise Unsuited
    return [writer.class_name(kind), [writer.node(item) for item in _copied(tuple, value)]]


def _read_namedtuple(reader: Reader, node: Node) -> Any:
    kind: Any = reader.find(node[0])
    fields: tuple[str, ...] = getattr(kind, "_fields", ())
    _expect(hasattr(kind, "_fields") and tuple in kind.__mro__, kind, "a named tuple")
    if len(fields) != len(node[1]):
        raise _changed(kind, ", ".join(fields))
    base: Any = tuple
    return base.__new__(kind, [reader.value(item) for item in node[1]])


def _write_subclass(writer: Writer, value: Any) -> Node:
    kind = class_of(value)
    base = next((base for base in _BASES if issubclass(kind, base)), None)
    if base is None or not _is_ordinary(kind, base):
        raise Unsuited
    attributes, slots = _state(value)
    plain = base.__getnewargs__(value)[0] if base in _BASES[:5] else _copied(base, value)
    state = writer.node([attributes, slots])
    return [writer.class_name(kind), base.__name__, writer.node(plain), state]


def _copied(base: Any, value: Any) -> Any:
    # By the builtin's own method: the subclass may have given it another meaning.
    if base is dict:
        return dict(dict[Any, Any].items(value))
    return base(base.__iter__(value))


def _read_subclass(reader: Reader, node: Node) -> Any:
    name, base_name, content, state = node
    kind: Any = reader.find(name)
    value = reader.value(content)
    base = next(base for base in _BASES if base.__name__ == base_name)
    _expect(issubclass(kind, base), kind, f"a subclass of {base_name}")
    if base in _FILLED:
        made = base.__new__(kind)
        getattr(base, _FILLED[base])(made, value)
    else:
        made = base.__new__(kind, value)
    attributes, slots = reader.value(state)
    _set_state(made, attributes, slots)
    return made


def _expect(holds: bool, kind: type, what: str) -> None:
    if not holds:
        raise ValueUnreadable(
            f"its class {kind.__qualname__!r} is not {what} any more. "
            "Put it back, or run the step again",
            name=kind.__qualname__,
        )


def _changed(kind: type, field: str) -> ValueUnreadable:
    return ValueUnreadable(
        f"its class {kind.__qualname__!r} has changed: the stored value has no {field!r}. "
        "Give the field a default, or run the step again",
        name=kind.__qualname__,
    )


INSTANCE_READS: dict[str, Read] = {
    "enum": _read_enum,
    "model": _read_model,
    "dataclass": _read_dataclass,
    "namedtuple": _read_namedtuple,
    "subclass": _read_subclass,
}
