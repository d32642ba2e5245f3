"""The magics in a real IPython: what reaches the notebook, what people read."""

from typing import Any

import pytest

from stepwell.errors import UnknownStep
from stepwell.magics import StepOptions


def test_a_step_cell_reaches_the_notebook(shell: Any, notebook: Any) -> None:
    """With its options and its source as typed, and the answer is the cell's result."""
    result = shell.run_cell("%%step plan --out queries\n# first\nqueries = !ls {x} $y\n")
    assert result.result == "<cell>"
    options = StepOptions(name="plan", outputs=("queries",))
    assert notebook.calls == [("cell", options, "# first\nqueries = !ls {x} $y\n")]


def test_nothing_is_expanded(shell: Any, notebook: Any) -> None:
    """IPython's {x} and $x stay as they are typed."""
    shell.user_ns["x"] = "EXPANDED"
    shell.run_cell("%stepwell sql select '{x}', '$x' where a = 'b'")
    shell.run_cell("%%stepwell sql\nselect '{x}'\n")
    shell.run_cell("%stepwell show {x}")
    assert notebook.calls == [
        ("sql", "select '{x}', '$x' where a = 'b'"),
        ("sql", "select '{x}'"),
        ("show", "{x}"),
    ]


def test_the_answer_can_be_assigned(shell: Any) -> None:
    """`x = %stepwell …` is ordinary IPython."""
    shell.run_cell("answer = %stepwell status")
    assert shell.user_ns["answer"] == "<status>"


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%step", "InvalidUsage: a step needs a name: %%step NAME [options]."),
        ("%%step plan", "InvalidUsage: a step needs code below the %%step line"),
        ("%%step plan\n\n# note\n", "InvalidUsage: a step needs code below the %%step line"),
        ("%%step plan --on x\nx = 1", "NotYetSupported: %%step --on is not in this version"),
        ("%agent writer() --max-depth x", "InvalidUsage: %agent: --max-depth takes a number"),
        ("%stepwell limit plan", "InvalidUsage: say how many: %stepwell limit plan --concurrent"),
        ("%%stepwell sql", "InvalidUsage: there is no query"),
    ],
)
def test_mistakes_are_one_short_message(
    shell: Any, notebook: Any, capsys: pytest.CaptureFixture[str], cell: str, says: str
) -> None:
    """One line with the class and the message; no traceback, and nothing was asked."""
    assert not shell.run_cell(cell).success
    printed = capsys.readouterr()
    assert printed.out.startswith(says)
    assert printed.out.count("\n") == 1
    assert printed.err == ""
    assert notebook.calls == []


def test_our_errors_are_short_and_others_keep_their_traceback(
    shell: Any, notebook: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the notebook raises is shown as what it is."""
    notebook.fails = UnknownStep("plam", " Did you mean 'plan'?")
    shell.run_cell("%stepwell show plam")
    text = "UnknownStep: there is no step 'plam'. Did you mean 'plan'?\n"
    assert capsys.readouterr().out == text
    notebook.fails = ZeroDivisionError("division by zero")
    shell.run_cell("%stepwell show plan")
    assert "Traceback (most recent call last)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cell", "has"),
    [
        ("%%step --help", "--after STEP"),
        ("%%step -h\nx = 1", "--after STEP"),
        ("%stepwell", "  forget STEP"),
        ("%stepwell wait --help", "--timeout 60s"),
    ],
)
def test_help_is_printed(
    shell: Any, notebook: Any, capsys: pytest.CaptureFixture[str], cell: str, has: str
) -> None:
    """Help is text in the cell, and asks the notebook for nothing."""
    assert shell.run_cell(cell).success
    assert has in capsys.readouterr().out
    assert notebook.calls == []


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("%%step", "--transient NAME"),
        ("%%setup", "wherever the flow is rebuilt"),
        ("%stepwell", "  history STEP"),
        ("%%stepwell", "  history STEP"),
        ("%agent", "-> output"),
    ],
)
def test_a_question_mark_explains(shell: Any, name: str, has: str) -> None:
    """`%%step?` shows what `--help` shows."""
    found = shell.object_inspect(name)
    assert found["found"]
    assert has in found["docstring"]


@pytest.mark.parametrize("cell", ["%%step plan", "%%setup", "%%setup\nx = 1"])
def test_a_terminal_lets_people_go_on_typing(shell: Any, cell: str) -> None:
    """A cell magic is complete at an empty line, not before."""
    check = shell.input_transformer_manager.check_complete
    assert check(cell + "\n")[0] == "incomplete"
    assert check(cell + "\n\n")[0] == "complete"
