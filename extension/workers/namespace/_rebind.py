"""Functions with other globals: the same code, looking its names up somewhere else."""

import types
from typing import Any

from stepwell.workers.namespace._kinds import kind_of

__all__ = ["bind_methods", "copied"]


def copied(
    function: types.FunctionType,
    namespace: dict[str, Any],
    closure: tuple[types.CellType, ...] | None = None,
) -> types.FunctionType:
    """The function with these globals; all else that belongs to it is kept."""
    made = types.FunctionType(
        function.__code__,
        namespace,
        function.__name__,
        function.__defaults__,
        function.__closure__ if closure is None else closure,
    )
    made.__kwdefaults__ = dict(function.__kwdefaults__) if function.__kwdefaults__ else None
    made.__qualname__ = function.__qualname__
    made.__module__ = function.__module__
    made.__doc__ = function.__doc__
    made.__annotations__ = function.__annotations__
    made.__dict__.update(function.__dict__)
    return made


def bind_methods(kind: type, namespace: dict[str, Any]) -> None:
    """Let the methods of a class that was pickled see this namespace, not what came with them."""
    for name, member in list(kind.__dict__.items()):
        bound = _bound(member, namespace)
        if bound is not member:
            setattr(kind, name, bound)


def _bound(member: Any, namespace: dict[str, Any]) -> Any:
    if isinstance(member, types.FunctionType):
        names = member.__globals__
        is_astray = names is not namespace and names.get("__name__") == "__main__"
        return copied(member, namespace) if is_astray else member
    if isinstance(member, property):
        parts = [_bound(part, namespace) for part in (member.fget, member.fset, member.fdel)]
        return property(parts[0], parts[1], parts[2], member.__doc__)
    if kind_of(member) in (staticmethod, classmethod):
        return kind_of(member)(_bound(member.__func__, namespace))
    return member
