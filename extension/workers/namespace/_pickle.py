"""Functions that no source can make again, taken apart into code and what they hold.

Code travels as a pickle; what it refers to by a name of the notebook stays a name; every
other object is a value of its own, under the rules for values (nothing secret, nothing
live, signed where reading it could run code).
"""

import functools
import io
import linecache
import pickle
import types
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import blake2b
from importlib import import_module
from typing import Any

import msgspec

from stepwell.errors import ValueNotStorable
from stepwell.store import Blob, Digest
from stepwell.store.values import Signer, Trust, decode, encode, type_name
from stepwell.workers.namespace._kinds import ATOMS, CACHED, CONTAINERS, kind_of
from stepwell.workers.namespace._modules import Origin, origin_of
from stepwell.workers.namespace._source import register

__all__ = ["Pickled", "pickled", "unpickled"]

PROTOCOL = 5
MOST_BYTES = 16 << 20

_NATIVE = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodWrapperType,
    types.ModuleType,
    types.CodeType,
    functools.partial,
    CACHED,
    staticmethod,
    classmethod,
    property,
)
"""What the pickle itself is made of, besides atoms and plain containers."""


class _Globals:
    """Stands for the notebook's namespace, wherever that will be."""


_GLOBALS = _Globals()


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A blob as plain data."""

    digest: str
    codec: str
    type: str
    size: int
    data: bytes
    signature: str


class Pickled(msgspec.Struct, frozen=True, omit_defaults=True):
    """An object made of code."""

    data: bytes
    signature: str = ""
    values: tuple[Kept, ...] = ()
    texts: dict[str, str] = {}
    """File name → text of the cells its code stands in."""


def pickled(
    value: object,
    namespace: Mapping[str, object],
    name_of: Callable[[object], str | None],
    signer: Signer | None,
) -> Pickled:
    """The object, taken apart. Raises `ValueNotStorable` with the reason.

    `name_of` gives the name the notebook has for a part, None for parts without one.
    """
    buffer = io.BytesIO()
    pickler = _pickler()(buffer, value, namespace, name_of, signer)
    try:
        pickler.dump(value)
    except ValueNotStorable:
        raise
    except Exception as error:
        reason = f"{error}" or type(error).__name__
        raise ValueNotStorable(type_name(value), reason) from error
    data = buffer.getvalue()
    signature = signer.sign("pickle", _digest(data)) if signer is not None else ""
    return Pickled(data, signature, tuple(pickler.values), pickler.texts)


def _digest(data: bytes) -> str:
    return blake2b(b"namespace\0" + data, digest_size=16).hexdigest()


def unpickled(
    content: Pickled, namespace: dict[str, Any], trust: Trust, resolve: Callable[[str], object]
) -> Any:
    """The object again, its functions' globals being `namespace`.

    `resolve` gives the notebook's object of a name. Raises `ValueNotTrusted`, or whatever
    the content does.
    """
    blob = Blob(
        Digest(_digest(content.data)),
        "pickle",
        "function",
        len(content.data),
        "",
        None,
        content.signature,
    )
    if not trust.covers(blob):
        because = "it is a pickle, which can run anything when it is loaded"
        raise trust.refuse(blob, because)
    files = {filename: register("cell", text) for filename, text in content.texts.items()}
    return _Unpickler(content, namespace, trust, resolve, files).load()


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        content: Pickled,
        namespace: dict[str, Any],
        trust: Trust,
        resolve: Callable[[str], object],
        files: Mapping[str, str],
    ) -> None:
        super().__init__(io.BytesIO(content.data))
        self._content = content
        self._namespace = namespace
        self._trust = trust
        self._resolve = resolve
        self._files = files
        self._values: dict[int, object] = {}

    def persistent_load(self, pid: Any) -> Any:
        match pid:
            case ("globals",):
                return self._namespace
            case ("file", str(filename)):
                return self._files.get(filename, filename)
            case ("name", str(name)):
                return self._resolve(name)
            case ("value", int(at)):
                if at not in self._values:
                    self._values[at] = self._decoded(self._content.values[at])
                return self._values[at]
            case _:
                raise pickle.UnpicklingError(f"unknown reference {pid!r}")

    def _decoded(self, kept: Kept) -> object:
        blob = Blob(
            Digest(kept.digest), kept.codec, kept.type, kept.size, "", kept.data, kept.signature
        )
        return decode(blob, trust=self._trust, resolve=self._resolve)


@cache
def _pickler() -> Any:
    cloudpickle: Any = import_module("cloudpickle")

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        """cloudpickle for code that is importable; our own way for the notebook's."""

        def __init__(
            self,
            file: io.BytesIO,
            root: object,
            namespace: Mapping[str, object],
            name_of: Callable[[object], str | None],
            signer: Signer | None,
        ) -> None:
            super().__init__(  # pyright: ignore[reportUnknownMemberType]  # untyped
                file, protocol=PROTOCOL
            )
            self.base: Any = super()
            self.root = root
            self.namespace = namespace
            self.name_of = name_of
            self.signer = signer
            self.values: list[Kept] = []
            self.texts: dict[str, str] = {}
            self.known: dict[int, tuple[object, int]] = {}

        def persistent_id(self, obj: Any) -> Any:
            kind = kind_of(obj)
            if kind in ATOMS or kind in CONTAINERS:
                return None
            if kind is _Globals:
                return ("globals",)
            if kind is _File:
                return ("file", obj.name)
            name = None if obj is self.root else self.name_of(obj)
            if name is not None and "." not in name:
                return ("name", name)
            return None if _is_code(obj) else self.keep(obj)

        def keep(self, obj: object) -> Any:
            """A value of its own; the same object is kept once."""
            if id(obj) not in self.known:
                blob = encode(
                    obj, signer=self.signer, resolve=self.namespace.get, max_bytes=MOST_BYTES
                )
                self.known[id(obj)] = (obj, len(self.values))
                self.values.append(
                    Kept(
                        blob.digest,
                        blob.codec,
                        blob.type,
                        blob.size,
                        blob.data or b"",
                        blob.signature,
                    )
                )
            return ("value", self.known[id(obj)][1])

        def reducer_override(self, obj: Any) -> Any:
            if kind_of(obj) is CACHED:
                parameters = obj.cache_parameters()
                return _cached, (obj.__wrapped__, parameters["maxsize"], parameters["typed"])
            if type(obj) is types.FunctionType and self.is_of_notebook(obj):
                self.remember_text(obj.__code__.co_filename)
                made = (obj.__code__, _File(obj.__code__.co_filename), _GLOBALS)
                return _new_function, made, _state(obj), None, None, _set_state
            return self.base.reducer_override(obj)

        def is_of_notebook(self, function: types.FunctionType) -> bool:
            names = function.__globals__
            return names is self.namespace or names.get("__name__") == "__main__"

        def remember_text(self, filename: str) -> None:
            entry = linecache.cache.get(filename)
            if entry is not None and len(entry) == 4 and entry[1] is None:
                self.texts[filename] = "".join(entry[2])

    return Pickler


def _is_code(value: object) -> bool:
    """Whether the pickle takes it apart itself; the rest are values of their own."""
    if isinstance(value, type):
        return origin_of(value.__module__) is not Origin.NOTEBOOK
    return isinstance(value, _NATIVE) or type(value).__module__.startswith("cloudpickle")


class _File:
    """Stands for the file name of a cell, which is another one where the text comes back."""

    def __init__(self, name: str) -> None:
        self.name = name


_ATTRIBUTES = (
    "__name__",
    "__qualname__",
    "__module__",
    "__doc__",
    "__defaults__",
    "__kwdefaults__",
)


def _state(function: types.FunctionType) -> dict[str, Any]:
    state = {name: getattr(function, name) for name in _ATTRIBUTES}
    state["__annotations__"] = dict(function.__annotations__)
    state["closure"] = [_content(cell) for cell in function.__closure__ or ()]
    state["attributes"] = dict(function.__dict__)
    return state


def _content(cell: types.CellType) -> list[object]:
    try:
        return [cell.cell_contents]
    except ValueError:
        return []


def _new_function(code: types.CodeType, filename: str, names: dict[str, Any]) -> types.FunctionType:
    # Cells are filled afterwards: a function may be held by its own closure.
    closure = tuple(types.CellType() for _ in code.co_freevars)
    return types.FunctionType(_in_file(code, filename), names, code.co_name, None, closure)


def _in_file(code: types.CodeType, filename: str) -> types.CodeType:
    constants = tuple(
        _in_file(item, filename) if isinstance(item, types.CodeType) else item
        for item in code.co_consts
    )
    return code.replace(co_filename=filename, co_consts=constants)


def _set_state(function: types.FunctionType, state: dict[str, Any]) -> None:
    for cell, content in zip(function.__closure__ or (), state["closure"], strict=True):
        if content:
            cell.cell_contents = content[0]
    for name in (*_ATTRIBUTES, "__annotations__"):
        setattr(function, name, state[name])
    function.__dict__.update(state["attributes"])


def _cached(function: Callable[..., Any], size: int | None, typed: bool) -> Any:
    return functools.lru_cache(size, typed)(function)
