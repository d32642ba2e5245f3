"""A user of one's own: a key, a data directory, and programs that run as that user."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from stepwell.store.values import Signer, Trust, decode, encode

RoundTrip = Callable[[object], object]
RunProgram = Callable[..., str]


@pytest.fixture(autouse=True)
def data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a data directory that is not the user's."""
    folder = tmp_path / "jupyter"
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(folder))
    monkeypatch.delenv("STEPWELL_SECRET_FILE", raising=False)
    return folder


@pytest.fixture
def signer() -> Signer:
    """Give somebody's key."""
    return Signer(b"somebody's key, 32 bytes or more")


@pytest.fixture
def round_trip(signer: Signer) -> RoundTrip:
    """Write a value down and read it back as the same user."""

    def there_and_back(value: object) -> object:
        return decode(encode(value, signer=signer), trust=Trust(signer))

    return there_and_back


@pytest.fixture
def run_program() -> RunProgram:
    """Run a program in a process of its own; answers what it printed."""

    def run(program: str, *arguments: object, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


MODELS = """
from collections import namedtuple
from dataclasses import dataclass, field
from enum import Enum, Flag, IntEnum
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

from pydantic import BaseModel, PrivateAttr

T = TypeVar("T")


class Colour(Enum):
    RED = 1
    BLUE = "b"


class Rank(IntEnum):
    LOW = 1


class Access(Flag):
    READ = 1
    WRITE = 2


@dataclass
class Source:
    url: str
    tags: list = field(default_factory=list)

    @cached_property
    def host(self):
        return self.url.split("/")[2]


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float = 0.0


@dataclass
class Counted:
    many: int
    twice: int = field(init=False)

    def __post_init__(self):
        print("built")
        self.twice = 2 * self.many


class Pair(NamedTuple):
    left: int
    right: object = None


Old = namedtuple("Old", "p q")


class Plan(BaseModel):
    title: str
    steps: list[str] = []
    best: Point | None = None
    _seen: int = PrivateAttr(default=0)


class Open(BaseModel, extra="allow"):
    a: int


class Box(BaseModel, Generic[T]):
    content: T


class Name(str):
    pass


class Names(list):
    pass


class Table(dict):
    pass


class Celsius(float):
    __slots__ = ()


class Plain:
    def __init__(self, a):
        self.a = a

    def __eq__(self, other):
        return type(other) is Plain and other.a == self.a

    __hash__ = None
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give a module of somebody's own classes, importable here and in programs."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "models_of_mine.py").write_text(MODELS)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.delitem(sys.modules, "models_of_mine", raising=False)
    module = importlib.import_module("models_of_mine")
    monkeypatch.setitem(sys.modules, "models_of_mine", module)
    return module
