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
    done = stepwell(tmp_path, "resume", "n.ipynb")
    assert done.returncode == 0, done.stderr
    executed = read_notebook(tmp_path / "n.executed.ipynb")
    assert texts(executed.cells[3]) == ["https://example.org/3\n"]
    assert "nothing waits for a person" in stepwell(tmp_path, "inbox", "n.ipynb").stdout


AGENT = (
    "%load_ext stepwell",
    "%%setup\nimport stepwell, asyncio",
    "%agent publisher(text: str) -> url",
    "%%step check --agent publisher\nawait stepwell.approve('Publish?', text)\nchecked = text",
    "%%step put --agent publisher\nurl = f'https://example.org/{checked}'",
    "%agent editor(text: str) -> spot",
    "%%step edit --agent editor\nspot = await publisher(text)",
    "%%step a\na = await editor('ice')",
    "print(a)",
)


def test_a_question_of_an_agents_agent_ends_it_too(tmp_path: Path) -> None:
    """The steps above only wait, so nothing is to be waited for; answered, all goes on."""
    write_notebook(tmp_path, *AGENT, name="n.ipynb")
    done = stepwell(tmp_path, "run", "n.ipynb")
    assert done.returncode == 3, done.stderr
    assert "step 'a' needs a person: Publish?" in done.stderr
    status = stepwell(tmp_path, "status", "n.ipynb")
    assert (status.returncode, "needs a person" in status.stdout) == (3, True)
    decided = stepwell(tmp_path, "approve", "n.ipynb", "publisher/check")
    assert decided.returncode == 0, decided.stderr
    done = stepwell(tmp_path, "run", "n.ipynb", "--resume")
    assert done.returncode == 0, done.stderr
    assert texts(read_notebook(tmp_path / "n.executed.ipynb").cells[-1]) == [
        "https://example.org/ice\n"
    ]


def test_a_run_whose_time_is_over_ends_it_too(tmp_path: Path) -> None:
    """Its agents' next steps wait for more; with that, the same run goes on."""
    slow = (
        "%agent slow(n: float) -> out",
        "%%step one --agent slow\nawait asyncio.sleep(n)\nhalf = n",
        "%%step two --agent slow\nout = half",
        "%%step a\na = await slow(1.0)",
        "print(a)",
    )
    write_notebook(tmp_path, *AGENT[:2], "%stepwell budget --time 500ms", *slow, name="n.ipynb")
    done = stepwell(tmp_path, "run", "n.ipynb")
    assert done.returncode == 3, done.stderr
    assert "needs a person: 0.5 s are over" in done.stderr
    write_notebook(tmp_path, *AGENT[:2], "%stepwell budget --off", *slow, name="n.ipynb")
    done = stepwell(tmp_path, "run", "n.ipynb", "--resume")
    assert done.returncode == 0, done.stderr
    assert texts(read_notebook(tmp_path / "n.executed.ipynb").cells[-1]) == ["1.0\n"]
