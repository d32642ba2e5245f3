"""The tutorials on agents: they run, and a second run asks nothing twice."""

import json
import shutil
from pathlib import Path

import pytest

import stepwell
from stepwell.headless import run_notebook

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
NAMES = ("child_agents", "agents_together")


def copied(folder: Path, name: str) -> Path:
    """The notebook with its library, to be run."""
    shutil.copytree(NOTEBOOKS / "quickstart", folder / "quickstart")
    shutil.copy(NOTEBOOKS / f"{name}.ipynb", folder)
    return folder / f"{name}.ipynb"


def shown(notebook: Path, cell: str) -> str:
    """All that the cell shows as text."""
    executed = notebook.with_name(f"{notebook.stem}.executed.ipynb")
    cells = json.loads(executed.read_text("utf-8"))["cells"]
    outputs = next(it["outputs"] for it in cells if it["id"] == cell)
    texts = [
        it.get("text") or it.get("evalue") or it.get("data", {}).get("text/plain", "")
        for it in outputs
    ]
    return "".join("".join(text) for text in texts)


def completed(notebook: Path) -> dict[tuple[str, str], int]:
    """How often each step of each flow has completed, in all runs together."""
    with stepwell.open(notebook.parent / ".stepwell" / f"{notebook.stem}.duckdb") as reader:
        rows = reader.sql(
            "select flow, step, count(*) from attempts join runs using (run) "
            "where attempts.status = 'completed' group by all"
        ).fetchall()
    return {(flow, step): count for flow, step, count in rows}


def test_child_agents(tmp_path: Path) -> None:
    """Six researchers and one from a cell; the grader is mended, and only what failed is redone."""
    notebook = copied(tmp_path, "child_agents")
    first: dict[tuple[str, str], int] = {}
    for again in (False, True):
        result = run_notebook(notebook, parameters={"seconds_per_request": 0})
        assert result.exit_code == 0, result.message
        found = completed(notebook)
        if not again:
            first = found
            said = shown(notebook, "grade-wait")
            assert "agent 'grader' failed at its step 'judge': ZeroDivisionError" in said
        assert found["researcher", "answer"] == 3 * 2 + 1
        assert found["grader", "count"] == 1
        assert shown(notebook, "grade").isdecimal()
        assert shown(notebook, "summary")
        assert shown(notebook, "show-fetched") == "'what https://example.org/boilers says'"
        assert (found["fetcher", "address"], found["fetcher", "fetch"]) == (1, 1)
        assert "fetch" in shown(notebook, "show-run")
        assert shown(notebook, "history").count("ConnectionError") == 1
        assert "nobody waits for that any more" in shown(notebook, "show-hurry")
        assert "cancelled" in shown(notebook, "show-hurry")
    assert _paid_for(found) == _paid_for(first)


def _paid_for(found: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Without what is made again by intention, or because the notebook edits it."""
    return {key: count for key, count in found.items() if key[1] not in ("index", "judge")}


def test_agents_together(tmp_path: Path) -> None:
    """Each pattern comes to its end; nothing is done twice."""
    notebook = copied(tmp_path, "agents_together")
    for _ in range(2):
        result = run_notebook(notebook)
        assert result.exit_code == 0, result.message
        assert "Is it so? Heat pumps do not work in winter" in shown(notebook, "show-flow")
        assert "(3, True)" in shown(notebook, "show-improved")
        assert "Source: field trials." in shown(notebook, "show-edited")
        assert "listener: 2 lines, first 'user: snow'" in shown(notebook, "show-evening")
        assert shown(notebook, "show-talks").count("sceptic:") == 4
        assert "engineer: that is about right: from reception" in shown(notebook, "show-desk")
        assert shown(notebook, "show-poem").count("critic: I liked verse") == 2
        found = completed(notebook)
        assert (found["poet", "compose"], found["critic", "remark"]) == (3, 2)


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_shipped_clean(name: str) -> None:
    """No outputs and no counters: what people see on opening is what they will run."""
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in cells}) == len(cells)
