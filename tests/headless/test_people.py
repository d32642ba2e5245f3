"""A notebook without a person, whose steps ask one."""

import os
import subprocess
import sys
from pathlib import Path

from written import read_notebook, texts, write_notebook

CELLS = (
    "%load_ext stepwell",
    "%%step other\nimport time\ntime.sleep(0.3)\nother = 2",
    "%%step publish --approve 'Publish {other}?' --edit other\nurl = f'https://example.org/{other}'",
    "print(url)",
)


def stepwell(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, ended."""
    return subprocess.run(
        [sys.executable, "-m", "stepwell.cli", *arguments],
        cwd=folder,
        env=os.environ | {"JUPYTER_PLATFORM_DIRS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_pending_approval_has_an_exit_code_of_its_own_and_a_store_to_go_on_with(
    tmp_path: Path,
) -> None:
    """It says what is asked and how to answer; decided in a terminal, the run goes on."""
    write_notebook(tmp_path, *CELLS, name="n.ipynb")
    done = stepwell(tmp_path, "run", "n.ipynb")
    assert done.returncode == 3, done.stderr
    assert "step 'publish' needs a person: Publish 2?" in done.stderr
    assert "stepwell approve" in done.stderr
    assert "--resume" in done.stderr
    for words in (["status"], ["runs"]):
        said = stepwell(tmp_path, *words, "n.ipynb")
        assert "needs a person" in said.stdout
        assert said.returncode == (3 if words == ["status"] else 0)
    listed = stepwell(tmp_path, "inbox", "n.ipynb")
    assert "Publish 2?" in listed.stdout
    wrong = stepwell(tmp_path, "approve", "n.ipynb", "publish", "--set", "other='x'")
    assert wrong.returncode == 1
    assert "other" in wrong.stderr
    decided = stepwell(tmp_path, "approve", "n.ipynb", "publish", "--set", "other=3")
    assert decided.returncode == 0, decided.stderr
    assert "Publish 2?: edited by" in decided.stderr
    again = stepwell(tmp_path, "reject", "n.ipynb", "publish", "too", "late")
    assert again.returncode == 1
    done = stepwell(tmp_path, "run", "n.ipynb", "--resume")
    assert done.returncode == 0, done.stderr
    executed = read_notebook(tmp_path / "n.executed.ipynb")
    assert texts(executed.cells[3]) == ["https://example.org/3\n"]
    assert "nothing waits for a person" in stepwell(tmp_path, "inbox", "n.ipynb").stdout
