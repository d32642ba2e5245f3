"""What a call *is*: its name and its arguments, whichever way they were passed.

Two calls of one name are the same if their arguments are equal by content. Secrets do not
count: a key that was changed since buys nothing a second time.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from types import ModuleType
from typing import Any, Protocol

from stepwell.errors import CallNotIdentified, InvalidUsage
from stepwell.flow import source_digest
from stepwell.store.values import SECRETS, type_name

__all__ = ["Identify", "Identity", "Signature", "call_name"]

_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
_SECRETS = ("SecretStr", "SecretBytes", "Secret")
_MASK = "•••"

Named = dict[str, object]

_class_of: Callable[[object], type[Any]] = type


class Identify(Protocol):
    """Digest and preview of a value; None if nothing tells it from others of its type."""

    def __call__(self, value: object) -> tuple[str, str] | None: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of a call before it is made."""

    name: str
    what: str
    """Name and digest of the arguments: equal for the same call."""
    preview: str
    """Of the arguments."""
    arguments: Named
    told: Named
    """What of the arguments says what the call is."""
    function: Callable[..., object] | None = None

    @property
    def code(self) -> str:
        """Digest of what the function's source means; empty where it cannot be found."""
        return _code_of(self.function) if self.function is not None else ""


class Signature:
    """A function's parameters, looked at once."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._around = _around(function)
        self._signature: inspect.Signature | None = None
        self._defaults: Named = {}
        self._simple: tuple[str, ...] | None = None
        try:
            self._signature = inspect.signature(function)
        except (TypeError, ValueError):  # written in C, and silent about what it takes
            return
        parameters = self._signature.parameters.values()
        self._defaults = {it.name: it.default for it in parameters if it.default is not it.empty}
        if all(it.kind is _POSITIONAL for it in parameters):
            self._simple = tuple(self._signature.parameters)

    @property
    def is_by_name(self) -> bool:
        """Whether every argument can be given by its name."""
        if self._signature is None:
            return False
        kinds = {it.kind for it in self._signature.parameters.values()}
        return kinds <= {_POSITIONAL, inspect.Parameter.KEYWORD_ONLY}

    def named(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Named:
        """The arguments by name, defaults included. Raises `TypeError` as the call would."""
        if self._signature is None:
            return {**{str(at): value for at, value in enumerate(args)}, **kwargs}
        names = self._simple
        if names is not None and not kwargs and len(args) == len(names):
            # The hot path: what `bind` does takes 5 µs.
            return dict(zip(names, args, strict=True))
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def identity(self, name: str, arguments: Named, identify: Identify) -> Identity:
        """The call of that name with these arguments.

        Raises `CallNotIdentified` with the argument that nothing tells from others.
        """
        whole = {**self._around, **arguments} if self._around else arguments
        told = whole
        if any(map(SECRETS.is_marked, whole)):
            told = {key: _MASK if SECRETS.is_marked(key) else it for key, it in whole.items()}
        found = identify(told)
        if found is None:
            told = {key: self._told(name, key, value, identify) for key, value in told.items()}
            found = identify(told)
            assert found is not None
        return Identity(name, f"{name}:{found[0]}", found[1], arguments, told, self._function)

    def _told(self, call: str, key: str, value: object, identify: Identify) -> object:
        """The argument, or something that stands for it."""
        value = _without_secrets(value)
        if identify(value) is not None:
            return value
        if key in self._defaults and value is self._defaults[key]:
            return {"default of": key}
        if key == "self":
            # An object with a connection in it: its class, the method and what that is given.
            return {"class": type(value).__qualname__}
        raise CallNotIdentified(call, key, type_name(value))


def _around(function: Callable[..., object]) -> Named:
    """What says what a call is besides the name and the arguments: the object that is called,
    or that a method belongs to, and what a `partial` has been given.
    """
    if isinstance(function, partial):
        given = [list(function.args), dict(function.keywords)]
        return {**_around(function.func), "partial": given}
    found: object = getattr(function, "__self__", None)
    if found is None and not hasattr(function, "__name__"):
        found = function
    return {} if found is None or isinstance(found, ModuleType | type) else {"self": found}


def _without_secrets(value: Any) -> Any:
    kind = _class_of(value)
    if kind.__name__ in _SECRETS and kind.__module__.startswith("pydantic"):
        return _MASK
    if kind is dict:
        return {key: _without_secrets(item) for key, item in value.items()}
    if kind is list:
        return [_without_secrets(item) for item in value]
    if kind is tuple:
        return tuple(_without_secrets(item) for item in value)
    return value


@lru_cache(maxsize=256)
def _code_of(function: Callable[..., object]) -> str:
    try:
        return source_digest(inspect.getsource(inspect.unwrap(function)), decorators=False)
    except (OSError, TypeError, ValueError):
        return ""


def call_name(function: Callable[..., object]) -> str:
    """What a function's calls are known by. Raises `InvalidUsage` for one without a name."""
    if isinstance(function, partial):
        return call_name(function.func)
    found: str = getattr(function, "__qualname__", "") or getattr(function, "__name__", "")
    found = found or type(function).__qualname__
    name = found.rpartition("<locals>.")[2]
    if name == "<lambda>":
        raise InvalidUsage(
            "a lambda's calls cannot be told apart: it has no name, and what it uses is not among "
            "its arguments. Pass the function and its arguments, as in stepwell.call(f, x), or "
            "name it: stepwell.durable(name=…)(lambda x: …)"
        )
    return name
