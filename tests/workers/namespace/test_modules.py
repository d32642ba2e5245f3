"""Modules: installed ones by version, the user's own by source."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stepwell.flow import BindingKind


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Writes modules of the user's own, and imports them anew when they are edited."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        importlib.invalidate_caches()
        for module in set(sys.modules) - before:
            if str(tmp_path) in str(getattr(sys.modules[module], "__file__", "")):
                del sys.modules[module]

    yield write
    for module in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


def test_an_installed_module_goes_by_name_and_version(notebook: Any) -> None:
    """Under whatever name it is bound."""
    notebook.cell("import numpy as np\nimport json")
    import numpy

    bound = notebook.capture("np", "json").bindings
    assert bound["np"].kind is BindingKind.MODULE
    assert bound["np"].detail == f"numpy {numpy.__version__}"
    assert bound["json"].detail == f"json {sys.version_info.major}.{sys.version_info.minor}"


def test_a_module_called_otherwise_than_its_distribution_has_its_version(notebook: Any) -> None:
    """`zmq` is of pyzmq."""
    from importlib.metadata import version

    notebook.cell("import zmq")
    assert notebook.binding("zmq").detail == f"zmq {version('pyzmq')}"


def test_an_installed_class_goes_by_name_and_version(notebook: Any) -> None:
    """Its source is not read."""
    notebook.cell("from fractions import Fraction\nfrom pydantic import BaseModel")
    bound = notebook.capture("Fraction", "BaseModel").bindings
    assert {binding.kind for binding in bound.values()} == {BindingKind.MODULE}
    assert bound["Fraction"].detail.startswith("fractions.Fraction 3.")


def test_a_module_of_the_user_s_goes_by_its_source(notebook: Any, own: Any) -> None:
    """Comments do not count, code does."""
    own("mine_a.py", "def f():\n    return 1\n")
    notebook.cell("import mine_a")
    first = notebook.digest("mine_a")
    own("mine_a.py", "# a comment\ndef f():\n    return 1\n")
    notebook.cell("import mine_a")
    assert notebook.digest("mine_a") == first
    own("mine_a.py", "def f():\n    return 1 + 1\n")
    notebook.cell("import mine_a")
    assert notebook.digest("mine_a") != first


def test_a_package_of_the_user_s_goes_by_all_its_files(notebook: Any, own: Any) -> None:
    """Also those that are imported by the others."""
    own("mine_b/__init__.py", "")
    own("mine_b/deep.py", "X = 1\n")
    notebook.cell("import mine_b")
    first = notebook.digest("mine_b")
    own("mine_b/deep.py", "X = 1 + 1\n")
    assert notebook.digest("mine_b") != first


def test_a_function_of_an_own_module_is_followed_inside_the_module(notebook: Any, own: Any) -> None:
    """What it uses there is told under the module's name; nothing mixes with the notebook's."""
    own(
        "mine_c.py",
        "LIMIT = 3\ndef outer(x):\n    return inner(x)\ndef inner(x):\n    return x < LIMIT\n",
    )
    notebook.cell("from mine_c import outer\nLIMIT = 'of the notebook'")
    captured = notebook.capture("outer")
    assert list(captured.bindings) == ["outer", "mine_c.inner", "mine_c.LIMIT"]
    assert captured.bindings["outer"].uses == ("mine_c.inner",)
    assert list(captured.objects) == ["outer"]


def test_an_edited_helper_of_an_own_module_is_noticed(notebook: Any, own: Any) -> None:
    """By the helper's own binding."""
    text = "def outer(x):\n    return inner(x)\ndef inner(x):\n    return x + {}\n"
    own("mine_d.py", text.format(1))
    notebook.cell("from mine_d import outer")
    before = notebook.capture("outer").bindings
    own("mine_d.py", text.format(2))
    notebook.cell("from mine_d import outer")
    after = notebook.capture("outer").bindings
    assert before["outer"] == after["outer"]
    assert before["mine_d.inner"] != after["mine_d.inner"]


def test_a_file_edited_since_the_import_is_not_taken_for_the_code(
    notebook: Any, own: Any, tmp_path: Path
) -> None:
    """The code that will run is the one that was imported."""
    import linecache

    own("mine_e.py", "def f():\n    return 1\n")
    notebook.cell("from mine_e import f")
    (tmp_path / "mine_e.py").write_text("def f():\n    return 2222\n")
    linecache.checkcache()
    assert "2222" not in notebook.binding("f").detail


def test_functions_of_own_modules_are_imported_again(notebook: Any, own: Any) -> None:
    """Not defined anew in the notebook."""
    own("mine_f.py", "LIMIT = 3\nclass C: ...\ndef f():\n    return LIMIT\n")
    notebook.cell("import mine_f\nfrom mine_f import C, f")
    captured = notebook.capture("mine_f", "C", "f")
    fresh, restored = notebook.restarted(captured)
    assert restored.failures == {}
    assert fresh.names["f"] is notebook.names["f"]
    assert fresh.names["C"] is notebook.names["C"]
    assert fresh.capture("mine_f", "C", "f").bindings == captured.bindings


def test_an_instance_of_an_own_module_s_class_brings_its_code(notebook: Any, own: Any) -> None:
    """The methods that a step calls are found out."""
    text = "class C:\n    def go(self):\n        return {}\n"
    own("mine_g.py", text.format(1))
    notebook.cell("import mine_g\nc = mine_g.C()")
    before = notebook.capture("c").bindings
    own("mine_g.py", text.format(2))
    notebook.cell("import mine_g\nc = mine_g.C()")
    after = notebook.capture("c").bindings
    assert before["mine_g.C"].digest != after["mine_g.C"].digest
