"""Going back in plain Python, and the tutorial that shows it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import stepwell
from stepwell.errors import UnknownRun, UnknownStep
from stepwell.headless import run_notebook

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "going_back.ipynb"

growth = 2


def readings(years: int = 3) -> list[int]:
    """A step's function."""
    return list(range(years))


def forecast(values: list[int], growth: int) -> int:
    """Another one, which reads a name of this module."""
    return sum(values) * growth


@pytest.fixture
def steps() -> list[Any]:
    """The two as steps."""
    return [
        stepwell.step(name="readings", out="values", defer=True)(readings),
        stepwell.step(name="forecast", out="total", defer=True)(forecast),
    ]


def test_a_script_can_fork_a_run(tmp_path: Path, steps: list[Any]) -> None:
    """The fork has the other value, the first run its own; what they share ran once."""
    store = tmp_path / "n.duckdb"
    with stepwell.run(store, steps=steps) as run:
        first = run.id
        assert run["total"] == 6
    with stepwell.fork(store, first[:5], given={"growth": 10}, steps=steps) as run:
        second = run.id
        assert run["total"] == 30
    with stepwell.fork(store, given={"values": [7]}, steps=steps, start="") as run:
        assert run["total"] == 14
    with pytest.raises(UnknownRun):
        stepwell.fork(store, "nonsense", steps=steps)
    with stepwell.open(store) as reader:
        counted = reader.sql("select step, count(*) from attempts group by step").fetchall()
        assert dict(counted) == {"readings": 1, "forecast": 3}
        assert reader.outputs(first)["total"] == 6
        by_step = {it.step: it for it in reader.diff(first, second)}
        assert by_step["readings"].is_same
        assert [it.summary for it in by_step["forecast"].changes] == ["growth: 2 → 10"]
        assert by_step["forecast"].outputs == {"total": ("6", "30")}
        assert [it.outcome for it in reader.history("readings")] == ["done", "shared", "given"]
        then: Any = reader.restore("forecast", second)
        assert (then.total, then.values, then.growth) == (30, [0, 1, 2], 10)
        with pytest.raises(UnknownStep, match="there is no step 'forecst'"):
            reader.restore("forecst")


# -- the tutorial -----------------------------------------------------------------------------


def cells(notebook: Path) -> list[dict[str, Any]]:
    """A notebook's cells as they stand in the file."""
    return json.loads(notebook.read_text("utf-8"))["cells"]


def shown(notebook: Path) -> dict[str, str]:
    """By a cell's id, what it shows as text."""
    return {
        cell["id"]: "".join(
            "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))
            for output in cell.get("outputs", [])
        )
        for cell in cells(notebook)
    }


def test_notebook_is_shipped_clean() -> None:
    """No outputs and no counters: what people see on opening is what they will run."""
    code = [cell for cell in cells(NOTEBOOK) if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in cells(NOTEBOOK)}) == len(cells(NOTEBOOK))


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    """Each verb it shows answers as its text says; the script it writes runs nothing again."""
    notebook = tmp_path / "going_back.ipynb"
    shutil.copy(NOTEBOOK, notebook)
    result = run_notebook(notebook)
    executed = notebook.with_name("going_back.executed.ipynb")
    said = shown(executed)
    assert result.exit_code == 0, result.message
    assert "0 of 4 steps would run" in said["plan"]
    assert "growth: 1.05 → 1.1" in said["plan-again"]
    assert said["plan-json"].startswith("['forecast'")
    assert "2 attempts" in said["history"]
    assert "growth is now 1.25" in said["fork"]
    assert said["fork-wait"] != said["show-report-2"] != said["show-report"]
    assert "2 of 4 steps differ" in said["diff"]
    assert said["fork-output-wait"].startswith("'next year: 1,200 kWh")
    assert said["then"].startswith("1.25 1.25 ·")
    assert said["fork-wait"].strip("'") in said["then"]
    assert "as they were written" in said["check"]
    assert "2 runs" in said["runs"]
    with stepwell.open(tmp_path / ".stepwell" / "going_back.duckdb") as store:
        before = store.sql("select count(*) from attempts").fetchall()
    done = subprocess.run(
        [sys.executable, "going_back.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with stepwell.open(tmp_path / ".stepwell" / "going_back.duckdb") as store:
        assert store.sql("select count(*) from attempts").fetchall() == before
    assert run_notebook(notebook).exit_code == 0
