"""Values given from outside the notebook."""

from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from written import cell

from stepwell.errors import InvalidUsage
from stepwell.headless._parameters import inject, parse

FORMAT: Any = nbformat
DECLARED = "topic = 'heat pumps'\ncount: int = 3\nlow, high = 0, 1\n%matplotlib inline\n_ = None"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-1.5e3", -1500.0),
        ("true", True),
        ("True", True),
        ("null", None),
        ("None", None),
        ('{"a": [1, false]}', {"a": [1, False]}),
        ("{'a': (1, 2)}", {"a": (1, 2)}),
        ("'quoted'", "quoted"),
        ('"quoted"', "quoted"),
        ("heat pumps", "heat pumps"),
        ("", ""),
        ("a=b", "a=b"),
        ("NaN", "NaN"),
        ("2026-11-24", "2026-11-24"),
        ("[" * 5000, "[" * 5000),
    ],
)
def test_a_value_is_json_or_a_literal_or_text(text: str, value: object) -> None:
    """What reads as data is data; everything else is the text as it stands."""
    assert parse([f"x={text}"]) == {"x": value}


def test_a_name_given_twice_has_the_last_value() -> None:
    """As command lines do it, so that a script's settings can be overridden."""
    assert parse(["x=1", "y=2", "x=3"]) == {"x": 3, "y": 2}


@pytest.mark.parametrize("setting", ["x", "=1", "1x=1", "a b=1", "class=1", "x.y=1"])
def test_a_setting_of_another_form_is_refused(setting: str) -> None:
    """The error shows what was given."""
    with pytest.raises(InvalidUsage) as caught:
        parse([setting])

    assert repr(setting.partition("=")[0]) in str(caught.value)


def test_values_come_after_the_cell_that_declares_them() -> None:
    """They override its values, in a cell tagged as papermill tags it."""
    made = notebook("import os", cell(DECLARED, "parameters"), "topic")

    warning = inject(made, {"topic": 'it\'s "quoted"\n', "high": [1, None]})

    assert warning == ""
    assert [c.metadata.get("tags") for c in made.cells] == [
        None,
        ["parameters"],
        ["injected-parameters"],
        None,
    ]
    values: dict[str, Any] = {}
    exec(made.cells[2].source, values)
    assert (values["topic"], values["high"]) == ('it\'s "quoted"\n', [1, None])


def test_values_of_an_earlier_execution_are_replaced() -> None:
    """Executing an executed notebook again leaves one injected cell."""
    made = notebook(cell("a = 1", "parameters"), cell("a = 2", "injected-parameters"), "a")

    inject(made, {"a": 3})

    assert [c.source for c in made.cells] == ["a = 1", "# Parameters\na = 3", "a"]


def test_without_declared_parameters_the_values_are_at_the_top() -> None:
    """And there is a warning, since the notebook may assign the names itself."""
    made = notebook("print(a)")

    warning = inject(made, {"a": 1})

    assert [c.source for c in made.cells] == ["# Parameters\na = 1", "print(a)"]
    assert "no cell is tagged `parameters`" in warning


def test_an_undeclared_name_is_refused_with_those_there_are() -> None:
    """A misspelt name must not run the notebook with the wrong values."""
    made = notebook(cell(DECLARED, "parameters"))

    with pytest.raises(InvalidUsage) as caught:
        inject(made, {"topc": 1})

    assert "no parameter 'topc'. Did you mean 'topic'?" in str(caught.value)
    assert "assigns: topic, count, low, high, _" in str(caught.value)
    assert len(made.cells) == 1


@pytest.mark.parametrize("value", [object(), float("inf"), [float("nan")]])
def test_a_value_without_a_spelling_is_refused(value: object) -> None:
    """What Python code cannot say as a literal cannot be put into a cell."""
    with pytest.raises(InvalidUsage, match="parameter 'a'"):
        inject(notebook("a"), {"a": value})


def test_a_notebook_in_another_language_takes_no_parameters() -> None:
    """The injected cell would be Python."""
    made = notebook("x <- 1")
    made.metadata["kernelspec"] = {"name": "ir", "language": "R"}

    with pytest.raises(InvalidUsage, match="this one is R"):
        inject(made, {"x": 1})


def test_an_old_notebook_gets_a_cell_without_an_id() -> None:
    """Formats before 4.5 know no ids of cells."""
    made = notebook("a")
    made["nbformat_minor"] = 4

    inject(made, {"a": 1})

    assert "id" not in made.cells[0]


def notebook(*cells: str | NotebookNode) -> NotebookNode:
    """A notebook in memory."""
    made: NotebookNode = FORMAT.v4.new_notebook()
    made.cells = [cell(one) if isinstance(one, str) else one for one in cells]
    return made
