"""What cannot be stored is named: where it sits, what it is, why, and what to do."""

import asyncio
import contextlib
import socket
import sqlite3
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import duckdb
import pytest
from IPython.core.interactiveshell import InteractiveShell
from pydantic import BaseModel, SecretBytes, SecretStr

from stepwell.errors import ValueNotStorable, with_article
from stepwell.store.values import encode


class Login(BaseModel):
    """Credentials, as people write them."""

    user: str
    password: SecretStr


class Stubborn:
    """Will not be pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        raise RuntimeError("not me")


class Slotted:
    """Keeps its parts in slots."""

    __slots__ = ("handle",)

    def __init__(self, handle: object) -> None:
        self.handle = handle


def numbers() -> Iterator[int]:
    """Yield one."""
    yield 1


async def later() -> None:
    """Do nothing, later."""


async def stream() -> AsyncGenerator[int]:
    """Yield one, later."""
    yield 1


@contextlib.contextmanager
def closing_all() -> Generator[Callable[[Any], Any]]:
    """Close what a case opened."""
    with contextlib.ExitStack() as stack:

        def opened(value: Any) -> Any:
            stack.callback(value.close)
            return value

        yield opened


def opened_file() -> Any:
    """Open this file."""
    return Path(__file__).open()


def holding(held: object) -> Callable[[], object]:
    """Make a function that holds on to something."""
    return lambda: held


Opened = Callable[[Any], Any]
CASES: dict[str, tuple[Callable[[Opened], object], str, str]] = {
    "file": (lambda o: {"log": o(opened_file())}, "['log']", "TextIOWrapper"),
    "socket": (
        lambda o: {"client": SimpleNamespace(session=o(socket.socket()))},
        "['client'].session",
        "socket",
    ),
    "lock": (lambda _: [SimpleNamespace(a=(threading.Lock(),))], "[0].a[0]", "lock"),
    "lock in a closure": (
        lambda _: {"f": holding(threading.Lock())},
        "['f'].<held>",
        "lock",
    ),
    "lock in a slot": (lambda _: (Slotted(threading.RLock()),), "[0].handle", "RLock"),
    "thread": (lambda _: {"t": threading.Thread()}, "['t']", "threading.Thread"),
    "event": (lambda _: [threading.Event()], "[0]", "threading.Event"),
    "pool": (lambda _: [ThreadPoolExecutor(1)], "[0]", "ThreadPoolExecutor"),
    "future": (lambda _: [Future[int]()], "[0]", "Future"),
    "generator": (lambda _: {"rows": numbers()}, "['rows']", "generator"),
    "coroutine": (lambda o: {"x": o(later())}, "['x']", "coroutine"),
    "async generator": (lambda _: {"x": stream()}, "['x']", "async_generator"),
    "module": (lambda _: {"np": contextlib}, "['np']", "module"),
    "sqlite": (lambda o: {"db": o(sqlite3.connect(":memory:"))}, "['db']", "sqlite3.Connection"),
    "duckdb": (lambda o: {"db": o(duckdb.connect())}, "['db']", "DuckDBPyConnection"),
    "relation": (
        lambda o: {"r": o(duckdb.connect()).sql("select 1")},
        "['r']",
        "DuckDBPyRelation",
    ),
    "loop": (lambda o: [o(asyncio.new_event_loop())], "[0]", "EventLoop"),
    "shell": (lambda _: {"ip": InteractiveShell.__new__(InteractiveShell)}, "['ip']", "Shell"),
    "weak reference": (lambda _: {"w": weakref.ref(Login)}, "['w']", "ReferenceType"),
    "secret": (
        lambda _: {"l": Login(user="u", password=SecretStr("p"))},
        "['l'].password",
        "SecretStr",
    ),
    "secret in an object": (
        lambda _: SimpleNamespace(keys=[object(), SecretBytes(b"p")]),
        ".keys[1]",
        "SecretBytes",
    ),
    "stubborn": (lambda _: {"s": Stubborn()}, "['s']", "Stubborn"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_error_names_place_and_type(name: str) -> None:
    """The message says where in the value the trouble is and of what type."""
    make, path, kind = CASES[name]
    with closing_all() as opened, pytest.raises(ValueNotStorable) as caught:
        encode(make(opened))
    assert caught.value.path == path
    assert kind in caught.value.type
    assert f"{path!r}: {with_article(caught.value.type)} " in str(caught.value)
    assert "--transient" in str(caught.value)


def test_a_secret_is_not_in_the_message() -> None:
    """Refusing a secret does not show it."""
    with pytest.raises(ValueNotStorable, match="never stored in clear") as caught:
        encode(Login(user="u", password=SecretStr("hunter2")))
    assert "hunter2" not in f"{caught.value!r}{caught.value.facts}"


def test_the_reason_of_a_class_is_kept() -> None:
    """What the class itself said about being pickled is passed on."""
    with pytest.raises(ValueNotStorable, match="not me"):
        encode([Stubborn()])


def inside_itself() -> list[Any]:
    """Make a list that contains itself."""
    circle: list[Any] = []
    circle.append({"again": circle})
    return circle


def bottomless() -> list[Any]:
    """Make a list nested too deeply for anything."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    ("make", "reason"), [(inside_itself, "contains itself"), (bottomless, "nested too deeply")]
)
def test_circles_and_depths_are_said_plainly(make: Callable[[], object], reason: str) -> None:
    """A circle or a bottomless value is an error in words, not a RecursionError."""
    with pytest.raises(ValueNotStorable, match=reason):
        encode(make())


@pytest.mark.parametrize(
    "value", ["a" * 2000, b"a" * 2000, ("a" * 2000,), [object(), "a" * 2000]], ids=type
)
def test_there_is_a_ceiling(value: object) -> None:
    """A value of more bytes than allowed is refused whatever its codec."""
    with pytest.raises(ValueNotStorable, match="the limit is 1,000"):
        encode(value, max_bytes=1000)


def test_a_value_that_changes_meanwhile_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dict that somebody goes on filling is refused as such, not as an error of the step."""
    monkeypatch.setattr(Slotted, "__module__", "__main__")
    changing: dict[str, object] = {"a": Slotted(1), "b": 2}

    def fill(name: str) -> object:
        changing[name] = None
        return Slotted

    monkeypatch.setattr(Slotted, "__dataclass_fields__", {}, raising=False)
    with pytest.raises(ValueNotStorable, match="being changed"):
        encode(changing, resolve=fill)


def test_modules_that_functions_use_are_no_trouble(models: ModuleType) -> None:
    """A function of the notebook may use modules: they are found by name."""

    def dumps(value: object) -> Any:
        return contextlib.nullcontext(value)

    assert encode({"f": dumps}).codec == "pickle"
