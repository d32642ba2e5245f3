"""Digests that are equal in two processes, and what comes back in another one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CELLS = """
import collections, functools, json, math
import numpy as np
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

KINDS = {"apple", "pear", "plum", "fig"}
FROZEN = frozenset({("a", 1), ("b", 2)})
SETTINGS = {"b": [1, 2.5], "a": {"x": None}}
TABLE = np.arange(5)

class Color(Enum):
    RED = 1
    BLUE = 2

@dataclass
class Plan:
    name: str
    colors: tuple = (Color.RED,)
    def cost(self):
        return rate(len(self.colors)) if self.name in KINDS else 0

class Store:
    limit = 3
    def __init__(self):
        self.rows = []
    def add(self, row):
        self.rows.append(row)

def rate(n, factor=2, *, scale=(1, 2)):
    return math.sqrt(n) * factor if n in {"x", "y", "z"} else walk(n)

def walk(n):
    return walk(n - 1) if n else SETTINGS

def counted(fn):
    @functools.wraps(fn)
    def wrapper(*args):
        return fn(*args)
    return wrapper

@counted
def outer(x):
    return rate(x)

@functools.lru_cache
def cached(x):
    return x in {"q", "r", "s"}

def make(n):
    def inner(x):
        return x + n
    return inner

def kinds(n):
    class Kind:
        def go(self):
            return n, KINDS
        @property
        def size(self):
            return len(FROZEN)
    return Kind

class Late:
    x = 1
    def go(self):
        return 1

def go(self):
    return SETTINGS

Late.go = go
Late.x = {"s", "t"}
Kind = kinds(4)
kind = Kind()
Pair = collections.namedtuple("Pair", "a b")
pair = Pair(1, frozenset("abc"))
inner = make(3)
short = lambda x: x in {"k", "l", "m"}
part = functools.partial(rate, factor=3)
TOOLS = {"outer": outer, "short": short}
plan = Plan("apple")
store = Store()
unsourced = eval("lambda x: x in {'u', 'v', 'w'} or [y for y in KINDS]")
"""

NAMES = [
    "KINDS", "FROZEN", "SETTINGS", "TABLE", "Color", "Plan", "Store", "rate", "outer", "cached",
    "inner", "short", "part", "TOOLS", "plan", "store", "unsourced", "json", "Path",
    "Late", "Kind", "kind", "Pair", "pair",
]  # fmt: skip

PROGRAM = """
import json, linecache, sys
from pathlib import Path
import msgspec
from stepwell.flow import Binding
from stepwell.store import Blob
from stepwell.store.values import Signer, Trust
from stepwell.workers.namespace import capture, restore

def cell(text, filename, namespace):
    lines = [line + "\\n" for line in text.splitlines()]
    linecache.cache[filename] = (len(text), None, lines, filename)
    exec(compile(text, filename, "exec", dont_inherit=True), namespace)

def digests(captured):
    return {name: [binding.kind, binding.digest, list(binding.uses)]
            for name, binding in captured.bindings.items()}

signer = Signer(b"a key for tests, 32 bytes long..")
folder, what, cells, names = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4].split()
here = globals()
answer = {}
if what == "capture":
    cell(cells, f"/cells/{what}.py", here)
else:
    bindings = msgspec.json.decode((folder / "bindings").read_bytes(), type=dict[str, Binding])
    blobs = msgspec.msgpack.decode((folder / "blobs").read_bytes(), type=dict[str, Blob])
    for name in ("Path", "json"):
        del here[name]
    restored = restore(bindings, blobs, here, trust=Trust(signer))
    answer["failures"] = restored.failures
captured = capture(names, here, is_input=lambda name: False, signer=signer)
if what == "capture":
    (folder / "bindings").write_bytes(msgspec.json.encode(captured.bindings))
    (folder / "blobs").write_bytes(msgspec.msgpack.encode(captured.blobs))
import json
answer["digests"] = digests(captured)
answer["missing"] = captured.missing
print(json.dumps(answer))
"""


def run(folder: Path, what: str, *, seed: str) -> dict[str, object]:
    """What the program says in a process of its own, whose `__main__` is the notebook."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(folder), what, CELLS,
         " ".join(NAMES)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """A first process has captured everything."""
    folder = tmp_path_factory.mktemp("first") / "captured"
    return folder, run(folder, "capture", seed="1")


def test_two_processes_give_the_same_digests(first: Any, tmp_path: Path) -> None:
    """Whatever strings hash to and wherever objects lie."""
    second = run(tmp_path / "second", "capture", seed="4242")
    assert first[1]["missing"] == []
    assert second["digests"] == first[1]["digests"]


def test_what_comes_back_in_a_new_process_has_the_same_digests(first: Any) -> None:
    """After `resume` in a fresh kernel nothing looks changed."""
    folder, before = first
    after = run(folder, "restore", seed="77")
    assert after["failures"] == {}
    assert after["digests"] == before["digests"]


def test_ipython_s_own_cells_are_understood() -> None:
    """Functions, and classes with and without methods, typed into a real shell."""
    program = """
from IPython.core.interactiveshell import InteractiveShell
from stepwell.workers.namespace import capture, restore
InteractiveShell.history_manager_class = None
shell = InteractiveShell.instance()
cells = [
    "from dataclasses import dataclass\\n@dataclass\\nclass P:\\n    x: int = 1",
    "class C:\\n    def go(self):\\n        return LIMIT",
    "LIMIT = 3\\n%time y = 1\\ndef f():\\n    !echo {LIMIT}\\n    return P, C",
]
for cell in cells:
    shell.run_cell(cell, store_history=True).raise_error()
names = ["f", "P", "C", "In", "_", "get_ipython"]
before = capture(names, shell.user_ns, is_input=lambda name: False)
assert set(before.bindings) == {"f", "P", "C", "LIMIT", "dataclass"}, before.bindings
assert before.bindings["P"].detail.startswith("@dataclass"), before.bindings["P"]
assert before.bindings["f"].uses == ("P", "C", "LIMIT"), before.bindings["f"]
for name in ("f", "P", "C", "LIMIT", "dataclass"):
    del shell.user_ns[name]
restored = restore(before.bindings, before.blobs, shell.user_ns)
assert restored.failures == {}, restored
after = capture(names, shell.user_ns, is_input=lambda name: False)
assert after.bindings == before.bindings
print("all is well")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.splitlines()[-1:] == ["all is well"], done.stdout + done.stderr
