"""What comes back after a restart, and that it is what it was."""

import inspect
import traceback
from pathlib import Path
from typing import Any

import pytest

from stepwell.store.values import Trust

CELLS = {
    "constants": "a = 1\nb = {'x': (1, 2)}\nc = b'x'",
    "modules": "import math\nimport json as j\nfrom pathlib import Path\nfrom math import sin",
    "function": "LIMIT = 3\ndef f(x: int = 1) -> int:\n    'doc'\n    return x + LIMIT",
    "async function": "async def f():\n    return 1",
    "helpers": "def f():\n    return g()\ndef g():\n    return 1",
    "mutual recursion": "def f(n):\n    return g(n)\ndef g(n):\n    return n and f(n - 1)",
    "decorator": (
        "import functools\ndef deco(fn):\n    @functools.wraps(fn)\n    def w(*a):\n"
        "        return fn(*a)\n    return w\n@deco\ndef f(x):\n    return x"
    ),
    "silent decorator": (
        "def deco(fn):\n    def w(*a):\n        return fn(*a)\n    return w\n@deco\ndef f(x):\n"
        "    return x"
    ),
    "decorator with arguments": (
        "N = 2\ndef times(n):\n    def deco(fn):\n        def w(*a):\n"
        "            return n * fn(*a)\n        return w\n    return deco\n"
        "@times(N)\ndef f(x):\n    return x"
    ),
    "decorator without @": (
        "def deco(fn):\n    def w(*a):\n        return fn(*a)\n    return w\n"
        "def g(x):\n    return x\nf = deco(g)"
    ),
    "cache": "import functools\n@functools.lru_cache(maxsize=7)\ndef f(x):\n    return x",
    "cache without @": "import functools\nf = functools.lru_cache(maxsize=7)(lambda x: x)",
    "lambda": "A = 1\nf = lambda x: x + A",
    "lambdas in a row": "f, g = lambda x: x + 1, lambda x: x + 2",
    "closure": "def make(n):\n    def f(x):\n        return x + n\n    return f\nf = make(3)",
    "recursive closure": (
        "def make(k):\n    def f(n):\n        return f(n - 1) if n else k\n    return f\n"
        "f = make(3)"
    ),
    "default that has changed": "D = 1\ndef f(x=D):\n    return x\nD = 2",
    "partial": "import functools\ndef g(x, y):\n    return x + y\nf = functools.partial(g, 1)",
    "tools": "def g():\n    return 1\nTOOLS = {'g': g, 'h': lambda: 2}",
    "another name": "def f():\n    return 1\ng = f",
    "only another name": "def f():\n    return 1\ng = f\ndel f",
    "class": "class Base:\n    x = 1\nclass C(Base):\n    def go(self):\n        return super().x",
    "dataclass": (
        "from dataclasses import dataclass, field\n@dataclass(frozen=True)\nclass P:\n    x: int\n"
        "    y: list[int] = field(default_factory=list)\np = P(1)\nps = [p]"
    ),
    "pydantic": (
        "from pydantic import BaseModel, field_validator\nclass M(BaseModel):\n    x: int = 1\n"
        "    @field_validator('x')\n    @classmethod\n    def ok(cls, v):\n        return v\n"
        "m = M(x=2)"
    ),
    "enum": "from enum import Enum\nclass E(Enum):\n    A = 1\n    B = 2\ne = E.A",
    "named tuple": "from typing import NamedTuple\nclass T(NamedTuple):\n    x: int = 1\nt = T(3)",
    "object of a class": (
        "class Client:\n    def __init__(self, n):\n        self.n = n\nclient = Client(3)"
    ),
    "method of an object": "class A:\n    def go(self):\n        return 1\nf = A().go",
    "class of a factory": (
        "LIMIT = 1\ndef make(n):\n    class K:\n        def go(self):\n"
        "            return LIMIT + n\n    return K\nK = make(3)\nk = K()"
    ),
    "named tuple by a call": (
        "import collections\nT = collections.namedtuple('T', 'a b')\nt = T(1, 2)"
    ),
    "class changed later": (
        "class C:\n    x = 1\n    def go(self):\n        return 1\n"
        "def go(self):\n    return 2\nC.go = go\nC.x = 2\nc = C()"
    ),
    "registered functions": (
        "import functools\n@functools.singledispatch\ndef f(x):\n    return 1\n"
        "@f.register\ndef of_int(x: int):\n    return 2"
    ),
    "context manager": ("import contextlib\n@contextlib.contextmanager\ndef f():\n    yield 1"),
    "decorator that is a class": (
        "import functools\nclass Tool:\n    def __init__(self, fn):\n"
        "        functools.update_wrapper(self, fn)\n        self.fn = fn\n"
        "    def __call__(self, *args):\n        return self.fn(*args)\n"
        "@Tool\ndef f(x):\n    return x"
    ),
    "annotation": "import typing\nKind = typing.Literal['a', 'b']\nRow = dict[str, int]",
    "pattern": "import re\np = re.compile('a+', re.I)",
    "future annotations": (
        "from __future__ import annotations\ndef f(x: Nowhere) -> Nowhere:\n    return x"
    ),
    "string across lines": "def f():\n    return '''a\n  b\nc'''",
}


@pytest.mark.parametrize("kind", CELLS)
def test_what_came_back_is_what_it_was(notebook: Any, kind: str) -> None:
    """Capturing it again gives the same bindings: nothing looks changed after a restart."""
    notebook.cell(CELLS[kind])
    names = [name for name in notebook.names if not name.startswith("__") and name != "annotations"]
    captured = notebook.capture(*names)
    fresh, restored = notebook.restarted(captured)
    assert restored.failures == {}
    again = fresh.capture(*names)
    assert again.bindings == captured.bindings
    assert again.blobs.keys() == captured.blobs.keys()


@pytest.mark.parametrize(
    ("kind", "call", "value"),
    [
        ("function", "f(2)", 5),
        ("mutual recursion", "f(3)", 0),
        ("decorator with arguments", "f(4)", 8),
        ("decorator without @", "f(4)", 4),
        ("cache without @", "f.cache_parameters()['maxsize']", 7),
        ("lambdas in a row", "f(1) + g(1)", 5),
        ("recursive closure", "f(4)", 3),
        ("default that has changed", "f()", 1),
        ("partial", "f(2)", 3),
        ("tools", "TOOLS['g']() + TOOLS['h']()", 3),
        ("another name", "f is g", True),
        ("only another name", "g()", 1),
        ("class", "C().go()", 1),
        ("dataclass", "isinstance(p, P) and ps[0].y", []),
        ("pydantic", "isinstance(m, M) and m.x", 2),
        ("enum", "e is E.A", True),
        ("object of a class", "isinstance(client, Client) and client.n", 3),
        ("class of a factory", "K().go() + k.go()", 8),
        ("class of a factory", "K.go.__globals__ is globals()", True),
        ("class changed later", "c.go() + C.x", 4),
        ("named tuple by a call", "t == T(1, 2) and isinstance(t, T)", True),
        ("registered functions", "f('x') + f(1)", 3),
        ("decorator that is a class", "f(5)", 5),
        ("string across lines", "f()", "a\n  b\nc"),
    ],
)
def test_what_came_back_works(notebook: Any, kind: str, call: str, value: object) -> None:
    """It does what it did."""
    notebook.cell(CELLS[kind])
    names = [name for name in notebook.names if not name.startswith("__")]
    fresh, _ = notebook.restarted(notebook.capture(*names))
    assert eval(call, fresh.names) == value


def test_restored_functions_see_the_new_notebook(notebook: Any) -> None:
    """A constant assigned after the restart counts."""
    notebook.cell("LIMIT = 1\nf = lambda: LIMIT\ndef g():\n    return LIMIT")
    fresh, _ = notebook.restarted(notebook.capture("f", "g"))
    fresh.cell("LIMIT = 2")
    assert fresh.names["f"]() == fresh.names["g"]() == 2


def test_the_source_of_restored_functions_is_found(notebook: Any) -> None:
    """By `inspect`, and by tracebacks."""
    notebook.cell("\n\ndef f():\n    # why\n    return 1 / 0\n")
    fresh, _ = notebook.restarted(notebook.capture("f"))
    assert inspect.getsource(fresh.names["f"]) == "def f():\n    # why\n    return 1 / 0\n"
    with pytest.raises(ZeroDivisionError) as caught:
        fresh.names["f"]()
    assert "return 1 / 0" in "".join(traceback.format_exception(caught.value))


def test_the_source_of_a_restored_closure_is_found(notebook: Any) -> None:
    """Its cell comes along, since it has no text of its own."""
    notebook.cell("def make(n):\n    def f(x):\n        return x / n\n    return f\nf = make(0)")
    captured = notebook.capture("f")
    fresh, _ = notebook.restarted(captured)
    assert inspect.getsource(fresh.names["f"]).strip().startswith("def f(x):")


def test_restoring_twice_is_restoring_once(notebook: Any) -> None:
    """What came back can be captured and brought back in turn."""
    notebook.cell(CELLS["decorator"])
    captured = notebook.capture("f")
    once, _ = notebook.restarted(captured)
    twice, restored = once.restarted(once.capture("f"))
    assert restored.failures == {}
    assert twice.capture("f").bindings == captured.bindings


def test_names_the_namespace_has_are_kept(notebook: Any, new_notebook: Any) -> None:
    """Setup cells, and the person, were there first."""
    from stepwell.workers.namespace import restore

    notebook.cell("a = 1\nb = 1")
    captured = notebook.capture("a", "b")
    names = {"__name__": "__main__", "a": 2}
    restored = restore(captured.bindings, captured.blobs, names)
    assert (names["a"], names["b"]) == (2, 1)
    assert (restored.names, restored.kept) == (["b"], ["a"])
    restored = restore(captured.bindings, captured.blobs, names, overwrite=True)
    assert names["a"] == 1


def test_what_was_not_stored_is_told_with_its_type(notebook: Any) -> None:
    """And what to do about it; the others come back."""
    notebook.cell("import threading\nlock = threading.Lock()\nx = 1")
    fresh, restored = notebook.restarted(notebook.capture("lock", "x"))
    assert set(restored.failures) == {"lock"}
    assert "_thread.lock" in restored.failures["lock"]
    assert "Run the cell" in restored.failures["lock"]
    assert fresh.names["x"] == 1


def test_what_needs_something_that_did_not_come_back_says_so(notebook: Any) -> None:
    """The chain is told from its end."""
    notebook.cell(
        "import threading\nlock = threading.Lock()\n"
        "def locked(fn):\n    fn.lock = lock\n    return fn\n"
        "def tag(fn, lock=lock):\n    return fn\n"
        "@tag\ndef f():\n    return 1\n"
    )
    _, restored = notebook.restarted(notebook.capture("f", "tag"))
    assert "'lock'" in restored.failures["tag"]


def test_a_function_that_comes_back_different_is_not_left_there(notebook: Any) -> None:
    """A silently different helper would be worse than none."""
    notebook.cell("import threading\nD = threading.Lock()\ndef f(x=D):\n    return x\nD = 2")
    captured = notebook.capture("f")
    fresh, restored = notebook.restarted(captured)
    assert "f" not in fresh.names
    assert "Run its cell" in restored.failures["f"]


def test_pickled_functions_of_somebody_else_are_not_loaded(notebook: Any) -> None:
    """A lambda is a pickle: without the user's signature it stays where it is."""
    notebook.cell("f = lambda: 1\ndef g():\n    return 1")
    fresh, restored = notebook.restarted(notebook.capture("f", "g"), trust=Trust())
    assert "f" not in fresh.names
    assert "not loaded" in restored.failures["f"]
    assert fresh.names["g"]() == 1


def test_an_altered_pickle_is_not_loaded(notebook: Any) -> None:
    """The signature covers the bytes."""
    import msgspec

    from stepwell.store.values import decode, encode

    notebook.cell("f = lambda: 1")
    captured = notebook.capture("f")
    recipe = decode(captured.blobs["f"])
    recipe["content"]["data"] = msgspec.json.decode(msgspec.json.encode(b"cos\nsystem\n."))
    captured.blobs["f"] = encode(recipe)
    fresh, restored = notebook.restarted(captured)
    assert "f" not in fresh.names
    assert "f" in restored.failures


def test_secrets_are_not_kept_inside_functions(notebook: Any) -> None:
    """Nor under their own name."""
    notebook.cell(
        "from pydantic import SecretStr\nkey = SecretStr('sesame')\n"
        "def make(k):\n    def f():\n        return k\n    return f\nf = make(key)"
    )
    captured = notebook.capture("f", "key")
    assert "key" not in captured.blobs
    assert "f" not in captured.blobs
    assert "secret" in captured.opaque["f"].reason
    assert not any(b"sesame" in (blob.data or b"") for blob in captured.blobs.values())


def test_a_module_that_is_gone_is_told(
    notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the error of the import."""
    import sys

    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "mine_gone.py").write_text("X = 1\n")
    notebook.cell("import mine_gone")
    captured = notebook.capture("mine_gone")
    monkeypatch.delitem(sys.modules, "mine_gone")
    (tmp_path / "mine_gone.py").unlink()
    _, restored = notebook.restarted(captured)
    assert "No module named 'mine_gone'" in restored.failures["mine_gone"]
