"""Scripts made of a notebook: what has no plain form, and what is refused."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sessions import Notebook

from stepwell.errors import InvalidStep, InvalidUsage
from stepwell.flow import code_digest
from stepwell.magics import parse_step
from stepwell.scripting import body_of, indented
from stepwell.session import SessionNotebook


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook with a store in a file."""
    made = Notebook(tmp_path, None)
    yield made
    made.session.close()


def run_script(notebook: Notebook, file: Path) -> str:
    """Let go of the store, run the script on it; what it printed."""
    notebook.session.close()
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, check=False, cwd=file.parent
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def adding(number: int) -> Callable[[int], int]:
    """A function that has no source of its own."""
    return lambda other: number + other


BODIES = [
    "x = 1",
    "# first\n\n# second\nx = 1  # beside\n",
    "text = '''a\n  b\n'''\nother = f'''{text}\n x'''\nx = (\n    'a'\n    'b'\n)",
    "if True:\n    x = 1\nelse:\n    x = 2",
    "def helper(a):\n    '''Doc\n       string.'''\n    return a\n\nx = helper(1)",
    "@staticmethod\ndef helper():\n    return 1\nx = 1",
    "class A:\n    y = 1\n\nx = A.y",
    "x = [\n  1,\n    2,\n]\nx",
    "x = 1; y = 2",
    "x = r'''\\\n'''",
    "for i in range(3):\n    pass\nx = i",
    "try:\n    x = 1\nexcept ValueError:\n    x = 2",
    "x = 'a' \\\n    'b'",
    "'''not a docstring'''\nx = 1",
]


@pytest.mark.parametrize("source", BODIES)
def test_a_cell_in_a_function_means_what_it_did(source: str) -> None:
    """Into a function's body and out of it again: the same digest, whatever the layout."""
    for ending in ("", "\n    return x"):
        text = f"@stepwell.cell('a')\ndef a(b, c=(1)):\n{indented(source)}{ending}"
        compile(text, "<test>", "exec")
        assert code_digest(body_of(text)) == code_digest(source)


@pytest.mark.parametrize(
    ("text", "says"),
    [("def f(): x = 1", "lines of its own"), ("class A:\n    x = 1", "goes above a function")],
)
def test_what_carries_no_cell_is_refused(text: str, says: str) -> None:
    """One line, or no function at all."""
    with pytest.raises(InvalidStep, match=says):
        body_of(text, "f")


def test_a_script_reuses_what_can_only_be_written_as_text(notebook: Notebook) -> None:
    """Cells that fit into no function, names that are no names, values with no spelling."""
    notebook.names["table"] = __import__("pandas").DataFrame({"n": [1, 2]})
    notebook.names["k"] = 1
    notebook.done("import", "from __future__ import annotations\njoined = [k]")
    notebook.done("class", "total = int(table.n.sum()) + k")
    notebook.step("later", "later = 1 / 0", defer=True)
    file = notebook.place.store.parent / "out" / "agent.py"
    SessionNotebook(notebook.session, None).export(str(file))
    text = file.read_text()
    assert 'stepwell.cell(\n    "import"' in text.replace("'import'", '"import"')
    assert "def class_step():" in text
    assert "table = _store.value(" in text
    assert 'STORE = Path(__file__).parent / "../n.duckdb"' in text
    said = run_script(notebook, file)
    assert "2 restored" in said
    assert "not run" in said


def test_a_script_may_be_edited_and_written_again(notebook: Notebook) -> None:
    """What export has written it writes over; anything else it leaves alone."""
    notebook.done("a", "a = 1")
    verbs = SessionNotebook(notebook.session, None)
    file = notebook.place.store.parent / "agent.py"
    verbs.export(str(file))
    notebook.done("b", "b = a + 1")
    verbs.export(str(file))
    assert "def b(a):" in file.read_text()
    file.write_text("print('mine')")
    with pytest.raises(InvalidUsage, match="not written by export"):
        verbs.export(str(file))
    assert file.read_text() == "print('mine')"


def test_what_a_script_cannot_have_is_said(notebook: Notebook) -> None:
    """An object that is not stored, a function without source, a magic in a setup cell."""
    notebook.names["lock"] = __import__("threading").Lock()
    notebook.names["made"] = adding(1)
    notebook.session.remember_setup("%matplotlib inline\nimport json")
    notebook.done("a", "a = 1 if lock else made(2)")
    file = notebook.place.store.parent / "agent.py"
    said = repr(SessionNotebook(notebook.session, None).export(str(file)))
    text = file.read_text()
    compile(text, "agent.py", "exec")
    assert "# %matplotlib inline\nimport json" in text
    assert "lock" in said
    assert "made has no source of its own" in said


def test_there_must_be_something_to_export(notebook: Notebook) -> None:
    """A notebook without steps makes no script."""
    file = notebook.place.store.parent / "agent.py"
    with pytest.raises(InvalidUsage, match="nothing to export"):
        SessionNotebook(notebook.session, None).export(str(file))
    assert not file.exists()


def test_a_step_over_an_expression_is_exported_as_it_was_typed(notebook: Notebook) -> None:
    """With its blanks and quotes, on the same items; so is one that undoes it."""
    verbs = SessionNotebook(notebook.session, shell())
    notebook.names["rows"] = [{"n": 1, "ok": True}, {"n": 2, "ok": False}]
    for line, source in (
        ('good --map row=[r for r in rows if r["ok"]] --key row["n"]', "good = row['n'] * 10"),
        ("bad --undo-of good", "print('undone', row, good)"),
    ):
        options = parse_step(line)
        assert options is not None
        verbs.cell(options, source)
    notebook.session.wait(["good"], timeout=20)
    file = notebook.place.store.parent / "agent.py"
    verbs.export(str(file))
    assert "for r in rows" in file.read_text()
    said = run_script(notebook, file)
    assert "1 restored" in said
    assert "failed" not in said


def shell() -> object:
    """What is needed of a shell: cells are Python already."""

    def transform_cell(text: str) -> str:
        return text

    return SimpleNamespace(transform_cell=transform_cell)
