"""The tutorial on people and time: it runs, and a second run asks nobody anything."""

import json
import shutil
from pathlib import Path

import stepwell
from stepwell.headless import run_notebook

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "people_and_time.ipynb"


def said(notebook: Path, cell: str) -> str:
    """What the outputs of a cell say."""
    cells = json.loads(notebook.with_suffix(".executed.ipynb").read_text("utf-8"))["cells"]
    outputs = next(it["outputs"] for it in cells if it["id"] == cell)
    texts = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in outputs]
    return "".join("".join(text) for text in texts)


def test_it_asks_waits_and_receives(tmp_path: Path) -> None:
    """Edited, answered, received, and timed out by the clock of a test."""
    notebook = Path(shutil.copy(NOTEBOOK, tmp_path))
    result = run_notebook(notebook)
    assert result.exit_code == 0, result.message
    assert "Publish Heat pumps in winter?" in said(notebook, "inbox")
    assert "title: Input should be a valid string" in said(notebook, "wrong")
    assert "https://example.org/heat-pumps,-tested" in said(notebook, "url")
    assert "Test them in Freiburg." in said(notebook, "plan")
    assert said(notebook, "power") == "6"
    assert "['colder', 'warmer']" in said(notebook, "read")
    assert "approved by time 2026-01-04" in said(notebook, "test")
    with stepwell.open(tmp_path / ".stepwell" / "people_and_time.duckdb") as store:
        rows = store.sql("select step, status, channel from approvals order by step").fetchall()
    assert rows == [
        ("choose", "answered", "magic"),
        ("publish", "edited", "magic"),
        ("size", "answered", "magic"),
    ]
