"""Everything else: cloudpickle. Not canonical, and never loaded unless signed or trusted.

Classes of the notebook travel by value, yet come back as the notebook's own class where there
is one: what was stored before a restart is an instance of the class defined after it.
"""

import io
import pickle
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType
from typing import Any

from stepwell.errors import ValueNotStorable, ValueUnreadable
from stepwell.store.values._classes import NOTEBOOK, find_notebook_class, reference
from stepwell.store.values._encoded import Encoded, Resolve, nothing
from stepwell.store.values._libraries import library
from stepwell.store.values._names import class_of, type_name
from stepwell.store.values._refused import not_storable, refusal

__all__ = ["notebook_class", "read_pickle", "write_pickle"]

PROTOCOL = 5
_DEEP = "it is nested too deeply"
_resolve: ContextVar[Resolve] = ContextVar("resolve", default=nothing)


class _Refused(Exception):
    def __init__(self, part: object, reason: str) -> None:
        super().__init__(reason)
        self.part = part
        self.reason = reason


class _Bounded(io.BytesIO):
    """A buffer that stops a pickle on its way past the limit, not after it."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._left = most_bytes

    def write(self, data: Any) -> int:
        written = super().write(data)
        self._left -= written
        if self._left < 0:
            raise OverflowError
        return written


def write_pickle(value: object, resolve: Resolve, *, max_bytes: int) -> Encoded:
    """The value under codec `pickle`.

    Raises `ValueNotStorable` with the path of the part that cannot be pickled.
    """
    buffer = _Bounded(max_bytes)
    pickler = _pickler()(buffer, resolve)
    try:
        pickler.dump(value)
    except _Refused as refused:
        raise not_storable(value, refused.part, refused.reason) from None
    except OverflowError as error:
        if buffer.tell() <= max_bytes:
            raise _failed(value, pickler.latest, error) from error
        raise too_large(value, buffer.tell(), max_bytes) from None
    except RecursionError:
        raise ValueNotStorable(type_name(value), _DEEP) from None
    except Exception as error:
        if isinstance(error.__cause__, RecursionError):
            raise ValueNotStorable(type_name(value), _DEEP) from None
        raise _failed(value, pickler.latest, error) from error
    return Encoded("pickle", buffer.getvalue(), needs_trust=True)


def too_large(value: object, size: int, max_bytes: int) -> ValueNotStorable:
    """The error for a value of more bytes than may be stored."""
    return ValueNotStorable(
        type_name(value),
        f"it takes {size:,} bytes or more, and the limit is {max_bytes:,}; store less of it, "
        "or write it to a file and store the path",
    )


def _failed(value: object, latest: object, error: Exception) -> ValueNotStorable:
    # What the pickler looked at last is what it failed on.
    part = value if latest is None else latest
    return not_storable(value, part, f"{error}" or type(error).__name__)


@cache
def _pickler() -> Any:
    cloudpickle = library("cloudpickle")
    base: Any = cloudpickle.Pickler

    class Pickler(base):  # type: ignore[misc]  # cloudpickle says nothing of its types
        """cloudpickle, with an eye on what must not be stored."""

        def __init__(self, file: io.BytesIO, resolve: Resolve) -> None:
            base.__init__(self, file, protocol=PROTOCOL)
            self.resolve = resolve
            self.latest: object = None

        def reducer_override(self, obj: Any) -> Any:
            self.latest = obj
            kind = class_of(obj)
            reason = refusal(kind)
            # Functions bring the modules they use: those go by name.
            if reason and kind is not ModuleType:
                raise _Refused(obj, reason)
            if isinstance(obj, type) and obj.__module__ == NOTEBOOK:
                name = reference(obj, self.resolve)
                if name is not None:
                    return notebook_class, (obj.__qualname__, cloudpickle.dumps(obj, PROTOCOL))
            return base.reducer_override(self, obj)

    return Pickler


def notebook_class(qualname: str, by_value: bytes) -> type:
    """The notebook's class of that name, or else the one that was stored."""
    found = find_notebook_class(qualname, _resolve.get())
    return found if found is not None else pickle.loads(by_value)


def read_pickle(payload: bytes, resolve: Resolve) -> Any:
    """The value that `write_pickle` was given. Only for payloads that are trusted."""
    with _found_in(resolve):
        try:
            return pickle.loads(payload)
        except (ImportError, AttributeError) as error:
            raise ValueUnreadable(
                f"it needs something that is not here: {error}. Install it, or run the cell "
                "(or %%setup) that defines it, then read the value again"
            ) from error


@contextmanager
def _found_in(resolve: Resolve) -> Generator[None]:
    token = _resolve.set(resolve)
    try:
        yield
    finally:
        _resolve.reset(token)
