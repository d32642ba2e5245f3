"""`%%setup`: an ordinary cell that is remembered."""

from typing import Any

import pytest

from stepwell.errors import InvalidUsage
from stepwell.magics import remember_setup
from stepwell.magics._setup import give_empty_body, rewrite_setup


def rewritten(cell: str) -> str:
    """The cell as IPython gets to see it."""
    return "".join(rewrite_setup(cell.splitlines(keepends=True)))


@pytest.mark.parametrize(
    "cell",
    [
        "x = 1\n",
        "",
        "\n\n",
        "x = 1\n%%setup\ny = 2\n",
        "%%setups\nx = 1\n",
        "%%setup --help\nx = 1\n",
        "%%setup?\n",
        "%%setup\n",
        "%%setup\n\n  \n",
        "%%step setup\nx = 1\n",
        " %%setup\nx = 1\n",
    ],
)
def test_other_cells_are_left_alone(cell: str) -> None:
    """Only a whole first line `%%setup` with code below it is a setup cell."""
    assert rewritten(cell) == cell


@pytest.mark.parametrize(
    "cell",
    [
        "%%setup\nx = 1\ny = '''a\nb'''\n",
        "%%setup  # the helpers\nx = 1",
        "\n\n%%setup\nx = 1\n",
        "%%setup\n# a note\nfrom __future__ import annotations  # types\nx = 1\n",
        "%%setup\r\nfrom __future__ import annotations\r\nx = 1\r\n",
        "%%setup\r\nx = 1\r\n",
    ],
)
def test_lines_keep_their_numbers(cell: str) -> None:
    """The rewritten cell is Python with the same lines, and rewriting it changes nothing."""
    once = rewritten(cell)
    assert once.count("\n") == cell.count("\n")
    assert once.splitlines()[-1] == cell.splitlines()[-1]
    assert rewritten(once) == once
    assert rewritten(cell) == once
    compile(once, "cell", "exec")


def test_the_input_is_not_changed() -> None:
    """IPython hands the same lines to other transformers."""
    lines = ["%%setup\n", "from __future__ import annotations\n"]
    rewrite_setup(lines)
    assert lines == ["%%setup\n", "from __future__ import annotations\n"]


def test_a_magic_alone_on_its_line_gets_an_empty_body() -> None:
    """So that our own message, or the help, comes instead of IPython's refusal."""
    assert give_empty_body(["%%step plan"]) == ["%%step plan\n", "\n"]
    assert give_empty_body(["%%step plan\n", "\n"]) == ["%%step plan\n", "\n"]
    for other in (["%%step?\n"], ["%%steps x\n"], ["%%time\n"], ["x\n"], []):
        assert give_empty_body(other) == other


def test_the_body_runs_as_an_ordinary_cell(
    shell: Any, notebook: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Top-level await, IPython's own syntax, and the last expression as the cell's result."""
    source = "import asyncio\nawait asyncio.sleep(0)\nfound = %who_ls str\nlen('four')\n"
    result = shell.run_cell("%%setup\n" + source)
    assert result.success
    assert result.result == 4
    assert notebook.calls == [("setup", source)]
    assert "4" in capsys.readouterr().out


def test_imports_from_the_future_still_come_first(shell: Any, notebook: Any) -> None:
    """They are allowed in a setup cell as in any other."""
    source = "# types\nfrom __future__ import annotations\n\ndef f(x: Missing) -> None: ...\n"
    assert shell.run_cell("%%setup\n" + source).success
    assert notebook.calls == [("setup", source)]


@pytest.mark.parametrize("head", ["import os\n", "from __future__ import annotations\n"])
def test_a_traceback_shows_the_cell_as_typed(
    shell: Any, capsys: pytest.CaptureFixture[str], head: str
) -> None:
    """The right line, and nothing of how the cell was remembered."""
    shell.run_cell(f"%%setup\n{head}1 / 0\n")
    printed = capsys.readouterr().out
    assert "----> 3 1 / 0" in printed
    assert f"      2 {head}" in printed
    assert "# %%setup" in printed
    assert "remember_setup" not in printed


def test_a_syntax_error_registers_nothing(
    shell: Any, notebook: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cell that cannot run cannot run again either; the message has the right line."""
    result = shell.run_cell("%%setup\nx = 1\ny = = 2\n")
    assert isinstance(result.error_before_exec, SyntaxError)
    assert result.error_before_exec.lineno == 3
    assert notebook.calls == []
    assert "y = = 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%setup", "a setup cell needs code below the %%setup line"),
        ("%%setup\n\n", "a setup cell needs code below the %%setup line"),
        ("%%setup tools\nx = 1", "%%setup stands alone on its line; take 'tools' away"),
    ],
)
def test_mistakes_are_named(
    shell: Any, notebook: Any, capsys: pytest.CaptureFixture[str], cell: str, says: str
) -> None:
    """Nothing is registered, nothing is run."""
    result = shell.run_cell(cell)
    assert isinstance(result.error_in_exec, InvalidUsage)
    assert capsys.readouterr().out.strip() == f"InvalidUsage: {says}"
    assert notebook.calls == []


def test_help_is_printed(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`%%setup --help` explains setup cells, with or without a body."""
    assert shell.run_cell("%%setup --help").success
    assert "again wherever the flow is rebuilt" in capsys.readouterr().out


def test_the_magic_can_be_called_from_code(shell: Any, notebook: Any) -> None:
    """Then it runs the body itself."""
    shell.run_cell_magic("setup", "", "answer = 42\n")
    assert shell.user_ns["answer"] == 42
    assert notebook.calls == [("setup", "answer = 42\n")]


def test_without_the_extension_it_says_what_to_do() -> None:
    """A cell that was rewritten earlier does not fail obscurely."""
    with pytest.raises(InvalidUsage, match="%load_ext stepwell"):
        remember_setup("x = 1\n")
