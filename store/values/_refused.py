"""What is never stored, and where inside a value it sits."""

import types
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from stepwell.errors import ValueNotStorable
from stepwell.store.values._names import class_of, full_name, type_name
from stepwell.store.values._secrets import SECRETS

__all__ = ["not_storable", "parts", "path_to", "refusal"]

_SECRET = "secrets are never stored in clear; read it again where it is needed (in %%setup)"
_HANDLE = "it is a handle of this process, which another one cannot take over"
_CONNECTION = "it is a live connection; open it in %%setup, and store what you read through it"
_RUNNING = "it is code under way, which cannot be written down; store what it yields or returns"
_LOCK = "it belongs to the threads of this process"
_LAZY = "it is a query, not its result"

_REASONS = {
    "pydantic.types._SecretBase": _SECRET,
    "pydantic.types.SecretStr": _SECRET,
    "pydantic.types.SecretBytes": _SECRET,
    "_io._IOBase": f"{_HANDLE}; store its content or its path",
    "tempfile._TemporaryFileWrapper": f"{_HANDLE}; store its content",
    "tempfile.TemporaryDirectory": f"{_HANDLE}; store the path and keep the folder",
    "_socket.socket": _CONNECTION,
    "ssl.SSLContext": _CONNECTION,
    "sqlite3.Connection": _CONNECTION,
    "sqlite3.Cursor": _CONNECTION,
    "sqlalchemy.engine.base.Engine": _CONNECTION,
    "sqlalchemy.engine.base.Connection": _CONNECTION,
    "sqlalchemy.orm.session.Session": _CONNECTION,
    "httpx.Client": _CONNECTION,
    "httpx.AsyncClient": _CONNECTION,
    "_thread.lock": _LOCK,
    "_thread.RLock": _LOCK,
    "_thread._local": _LOCK,
    "threading.Thread": _LOCK,
    "threading.Condition": _LOCK,
    "threading.Event": _LOCK,
    "threading.Semaphore": _LOCK,
    "concurrent.futures._base.Executor": _LOCK,
    "concurrent.futures._base.Future": _RUNNING,
    "subprocess.Popen": _HANDLE,
    "builtins.module": "it is code, found again by its name; import it in %%setup",
    "builtins.generator": _RUNNING,
    "builtins.coroutine": f"{_RUNNING}; a missing `await`?",
    "builtins.async_generator": _RUNNING,
    "builtins.frame": _RUNNING,
    "builtins.traceback": _RUNNING,
    "_asyncio.Future": f"{_RUNNING}; a missing `await`?",
    "asyncio.events.AbstractEventLoop": _RUNNING,
    "contextvars.Context": _RUNNING,
    "_contextvars.Context": _RUNNING,
    "weakref.ReferenceType": "it does not keep what it refers to; store that itself",
    "weakref.ProxyType": "it does not keep what it refers to; store that itself",
    "IPython.core.interactiveshell.InteractiveShell": "it is the running notebook itself",
    "polars.lazyframe.frame.LazyFrame": f"{_LAZY}; `.collect()` it first",
    "dask.base.DaskMethodsMixin": f"{_LAZY}; `.compute()` it first",
}
_DUCKDB_REASONS = {
    "DuckDBPyConnection": _CONNECTION,
    "DuckDBPyRelation": f"{_LAZY}; fetch it first, with `.df()`, `.pl()`, `.arrow()`",
}
_ALLOWED = {"_io.BytesIO", "_io.StringIO"}  # files only in name: their content is in memory
_SEQUENCES: tuple[Any, ...] = (list, tuple, deque)
_MOST_PARTS = 200_000
# Weak: a notebook defines its classes again and again, and the old ones are to go.
_reasons_of: WeakKeyDictionary[type, str] = WeakKeyDictionary()


def refusal(kind: type) -> str:
    """Why values of this type are never stored; empty if they may be."""
    reason = _reasons_of.get(kind)
    if reason is None:
        reason = _reasons_of[kind] = _said_of_any(kind)
    return reason


def _said_of_any(kind: type) -> str:
    if any(full_name(base) in _ALLOWED for base in kind.__mro__):
        return ""
    return next((said for base in kind.__mro__ if (said := _said_of(base))), "")


def _said_of(kind: type) -> str:
    if kind.__name__ in _DUCKDB_REASONS and "duckdb" in kind.__module__:
        return _DUCKDB_REASONS[kind.__name__]
    return _REASONS.get(full_name(kind), "")


def not_storable(root: object, part: object, reason: str) -> ValueNotStorable:
    """The error for `part`, which sits somewhere inside `root`."""
    if reason == _SECRET:
        SECRETS.keep(type_name(part), part)
    return ValueNotStorable(type_name(part), reason, path=path_to(root, part))


def path_to(root: object, part: object) -> str:
    """Where `part` sits inside `root`: `['client'].session`; empty if it is not found."""
    seen = {id(root)}
    queue: deque[tuple[str, object]] = deque([("", root)])
    while queue and len(seen) < _MOST_PARTS:
        path, value = queue.popleft()
        if value is part:
            return path
        for step, child in parts(value):
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((path + step, child))
    return ""


def parts(value: Any) -> Iterator[tuple[str, object]]:
    """What a value is made of, each with its step of the path. Runs none of the value's code."""
    kind = class_of(value)
    if issubclass(kind, (str, bytes, int, float, type, types.ModuleType)):
        return
    if kind is types.FunctionType:
        yield from _of_function(value)
        return
    if issubclass(kind, dict):
        pairs: Iterable[tuple[object, object]] = dict[object, object].items(value)
        for key, item in pairs:
            yield f"[{_key(key)}]", item
            yield f"[{_key(key)}]", key
    elif any(base in kind.__mro__ for base in _SEQUENCES):
        yield from _of_sequence(value, kind)
    elif issubclass(kind, (set, frozenset)):
        base: Any = set if issubclass(kind, set) else frozenset
        yield from (("{…}", item) for item in base.__iter__(value))
    yield from _of_attributes(value)


def _of_sequence(value: Any, kind: type[Any]) -> Iterator[tuple[str, object]]:
    base = next(base for base in _SEQUENCES if base in kind.__mro__)
    fields = getattr(kind, "_fields", ())
    for at, item in enumerate(base.__iter__(value)):
        yield (f".{fields[at]}" if at < len(fields) else f"[{at}]"), item


def _of_attributes(value: object) -> Iterator[tuple[str, object]]:
    try:
        attributes: dict[str, object] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        attributes = {}
    for name, item in attributes.items():
        yield f".{name}", item
    for base in type(value).__mro__:
        for name, slot in base.__dict__.items():
            if isinstance(slot, types.MemberDescriptorType) and not name.startswith("__"):
                try:
                    yield f".{name}", slot.__get__(value)
                except AttributeError:
                    continue  # a slot that was never set


def _of_function(value: types.FunctionType) -> Iterator[tuple[str, object]]:
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=False):
        try:
            yield f".<{name}>", cell.cell_contents
        except ValueError:
            continue  # a cell that was never filled
    for name in value.__code__.co_names:
        if name in value.__globals__:
            yield f".<{name}>", value.__globals__[name]


def _key(key: object) -> str:
    return repr(key)[:60] if type(key) in (str, int, bool, float, bytes) else f"<{type_name(key)}>"
