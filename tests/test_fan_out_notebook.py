"""The tutorial on fan-out: it runs, and a second run repeats nothing."""

import json
import shutil
from pathlib import Path

import pytest

import stepwell
from stepwell.headless import run_notebook

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    """A copy of the notebook with its library, to be run."""
    shutil.copytree(NOTEBOOKS / "quickstart", tmp_path / "quickstart")
    shutil.copy(NOTEBOOKS / "fan_out.ipynb", tmp_path)
    return tmp_path / "fan_out.ipynb"


def counts(notebook: Path) -> dict[str, list[int]]:
    """Per mapped step how often each of its items was tried, in the order they began."""
    with stepwell.open(notebook.parent / ".stepwell" / "fan_out.duckdb") as reader:
        rows = reader.sql(
            "select step, count(*) from attempts where item <> '' "
            "group by step, item order by min(started), item"
        ).fetchall()
    found: dict[str, list[int]] = {}
    for step, count in rows:
        found.setdefault(step, []).append(count)
    return found


def shown(notebook: Path, cell: str) -> str:
    """What the last output of a cell says."""
    cells = json.loads(notebook.with_name("fan_out.executed.ipynb").read_text("utf-8"))["cells"]
    outputs = next(it["outputs"] for it in cells if it["id"] == cell)
    return "".join(outputs[-1]["data"]["text/plain"])


def test_every_question_is_asked_once_and_only_what_failed_is_tried_again(tutorial: Path) -> None:
    """New questions are paid for and old ones are not; the one that failed comes out at last."""
    for again in (False, True):
        result = run_notebook(tutorial, parameters={"seconds_per_request": 0})
        assert result.exit_code == 0, result.message
        found = counts(tutorial)
        assert found["answer"] == found["check"] == [1] * 6
        assert found["weather"] == [2, 1, 1, 1]
        assert shown(tutorial, "show-again").startswith("{'Bergen': 9.9, 'Oslo': 10.0")
        if not again:
            assert shown(tutorial, "show-weather") == "[None, 10.0, 16.3, 15.0]"
            assert "ConnectionError: no answer for Bergen" in shown(tutorial, "list-items")


def test_notebook_is_shipped_clean() -> None:
    """No outputs and no counters: what people see on opening is what they will run."""
    cells = json.loads((NOTEBOOKS / "fan_out.ipynb").read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in cells}) == len(cells)
