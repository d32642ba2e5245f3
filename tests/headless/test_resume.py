"""With the real engine: killed at any point, the same command continues."""

import subprocess
import sys
import time
from pathlib import Path

from written import Write, cell, read_notebook, statuses, texts

from stepwell.headless import run_notebook
from stepwell.place import find_place


def test_a_killed_kernel_is_followed_by_a_resume(write: Write, tmp_path: Path) -> None:
    """What was done is restored, what was in flight runs again, and the rest runs."""
    path = write(
        "%load_ext stepwell",
        "%%step first\nopen('log', 'a').write('first\\n')\na = 20",
        "%%step second\nimport os\nopen('log', 'a').write('second\\n')\n"
        "if not os.path.exists('again'):\n    open('again', 'w').close(); os.kill(os.getpid(), 9)\n"
        "b = a + 1",
        "b * 2",
    )

    died = run_notebook(path)
    assert died.exit_code == 1
    assert died.message.startswith("the kernel died ")
    assert died.message.endswith("; run the same command with --resume to continue")

    done = run_notebook(path, mode="resume")

    notebook = read_notebook(done.output)
    assert (done.exit_code, done.message) == (0, "")
    assert texts(notebook.cells[3]) == ["42"]
    assert statuses(notebook) == ["completed"] * 4
    assert [card.step for card in done.restored] == ["first"]
    assert [card.step for card in done.run] == ["second"]
    assert (tmp_path / "log").read_text().split() == ["first", "second", "second"]


def test_a_killed_runner_is_followed_by_a_resume(write: Write, tmp_path: Path) -> None:
    """At once, too: the kernel that was left behind gives the store up by itself."""
    path = write(
        "%load_ext stepwell",
        "%%step first\nopen('log', 'a').write('first\\n')\na = 20",
        "%%step second\nimport os, time\nopen('log', 'a').write('second\\n')\n"
        "while not os.path.exists('go'): time.sleep(0.01)\nb = a + 1",
    )
    runner = subprocess.Popen([sys.executable, "-m", "stepwell.cli", "run", str(path)])
    wait_for(tmp_path / "log", "second")

    runner.kill()
    runner.wait()
    (tmp_path / "go").touch()
    done = run_notebook(path, mode="resume")

    assert (done.exit_code, done.message) == (0, "")
    assert (tmp_path / "log").read_text().split().count("first") == 1
    assert [card.phase for card in done.steps] == ["done", "done"]


def test_parameters_make_stale_what_depends_on_them(write: Write) -> None:
    """And nothing else: the other step is restored."""
    path = write(
        cell("topic = 'heat'", "parameters"),
        "%load_ext stepwell",
        "%%step about\ntitle = topic.upper()",
        "%%step other\nn = 1",
    )
    run_notebook(path)

    changed = run_notebook(path, parameters={"topic": "cold"})

    assert [card.step for card in changed.run] == ["about"]
    assert [card.step for card in changed.restored] == ["other"]


def test_runner_and_kernel_mean_the_same_store(write: Write) -> None:
    """A notebook executed by hand and from the command line has one store."""
    path = write("%load_ext stepwell", "%%step a\nb = 1")

    result = run_notebook(path)

    assert result.store.exists()
    assert result.store == find_place({"__session__": str(path)}).store


def wait_for(file: Path, word: str) -> None:
    """Return when the file has the word in it."""
    until = time.monotonic() + 60
    while not (file.exists() and word in file.read_text()):
        assert time.monotonic() < until, f"{word} never came"
        time.sleep(0.02)
