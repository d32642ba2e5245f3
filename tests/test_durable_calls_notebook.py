"""The tutorial on durable calls: it runs, a second run pays nothing, a replay calls nobody."""

import json
import shutil
from pathlib import Path

import pytest

from stepwell.headless import run_notebook

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
QUICK = {"seconds_per_request": 0}


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    """A copy of the notebook, to be run."""
    shutil.copy(NOTEBOOKS / "durable_calls.ipynb", tmp_path)
    return tmp_path / "durable_calls.ipynb"


def shown(notebook: Path, cell: str) -> str:
    """What the last output of a cell says."""
    file = notebook.with_name("durable_calls.executed.ipynb")
    cells = json.loads(file.read_text("utf-8"))["cells"]
    outputs = next(it["outputs"] for it in cells if it["id"] == cell)
    return "".join(outputs[-1]["data"]["text/plain"])


def bill(notebook: Path) -> list[str]:
    """The calls that were really made."""
    return (notebook.parent / "bill.txt").read_text("utf-8").splitlines()


def test_each_call_is_paid_for_once(tutorial: Path) -> None:
    """A longer list pays for one question more; a second run, and a replay, for nothing."""
    cassette = tutorial.with_name("cassette.json")
    result = run_notebook(tutorial, parameters=QUICK, record=cassette)
    assert result.exit_code == 0, result.message
    paid = bill(tutorial)
    assert sum(line.startswith("What is") for line in paid) == 4
    assert shown(tutorial, "bill").startswith("(3,")
    assert shown(tutorial, "bill-again").startswith("(4,")
    assert shown(tutorial, "show-story") == "'once upon a time there was a well'"
    assert shown(tutorial, "show-block") == "('a well', 2)"
    assert '["city"' not in shown(tutorial, "tries")
    assert "0.04" in shown(tutorial, "costs")

    again = run_notebook(tutorial, parameters=QUICK)
    assert again.exit_code == 0, again.message
    replayed = run_notebook(tutorial, parameters=QUICK, replay=cassette)
    assert replayed.exit_code == 0, replayed.message
    assert bill(tutorial) == paid


def test_notebook_is_shipped_clean() -> None:
    """No outputs and no counters: what people see on opening is what they will run."""
    cells = json.loads((NOTEBOOKS / "durable_calls.ipynb").read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in cells}) == len(cells)
