"""The tutorials on failing, and on conditions and limits, run as they are shipped."""

import json
import shutil
from pathlib import Path

import pytest

from stepwell.headless import run_notebook

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
NAMES = ("when_things_go_wrong", "conditions_and_limits")


def shown(notebook: Path, cell: str) -> str:
    """What the last output of a cell says."""
    file = notebook.with_name(f"{notebook.stem}.executed.ipynb")
    cells = json.loads(file.read_text("utf-8"))["cells"]
    outputs = next(it["outputs"] for it in cells if it["id"] == cell)
    return "".join(outputs[-1]["data"]["text/plain"])


def tutorial(name: str, folder: Path) -> Path:
    """A copy of the notebook, executed."""
    path = Path(shutil.copy(NOTEBOOKS / f"{name}.ipynb", folder))
    result = run_notebook(path)
    assert result.exit_code == 0, result.message
    return path


def test_what_goes_wrong_is_told_and_mended(tmp_path: Path) -> None:
    """Each step comes to its end in the way that its options say."""
    path = tutorial("when_things_go_wrong", tmp_path)
    assert shown(path, "show-weather") == "'sunny'"
    assert "second time" in shown(path, "show-slow")
    # Page 2 was read, and kept as read, before the error: nothing is read twice.
    assert shown(path, "show-pages") == "(5, [1, 1, 1, 1, 1])"
    assert shown(path, "show-nights") == "5"
    ledger = (tmp_path / "ledger.txt").read_text("utf-8").splitlines()
    assert ledger.count("paid") == 1
    assert [line for line in ledger if ":" in line] == [
        "cancelled: room 12, paid for 5 nights",
        "refunded: paid for 5 nights",
    ]


def test_conditions_and_limits_hold(tmp_path: Path) -> None:
    """What does not apply is skipped, what shares a limit takes turns."""
    path = tutorial("conditions_and_limits", tmp_path)
    assert shown(path, "show-report") == "'all is well'"
    assert "skipped" in shown(path, "status")
    assert int(shown(path, "show-most")) <= 2
    assert shown(path, "show-later") == "6"


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_shipped_clean(name: str) -> None:
    """No outputs and no counters: what people see on opening is what they will run."""
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in cells}) == len(cells)
