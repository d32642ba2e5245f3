"""Executions that end before their time: what is written, and what is said."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbformat import NotebookNode
from written import Write, read_notebook, statuses, texts

from stepwell.headless import report, run_notebook

# A step that goes on until its kernel is gone.
ENDLESS = "%%step endless\nimport time\nwhile True: time.sleep(0.01)"


def test_a_kernel_that_dies_is_reported_soon_and_the_notebook_is_written(write: Write) -> None:
    """The cell that was running is marked, those after it have not run, and nothing hangs."""
    path = write(
        "%load_ext standin\nimport os, time",
        ENDLESS,
        # What a process has not sent when it is killed nobody can hear.
        "print('last words', flush=True)\n"
        "while 'last words\\\\n' not in open('note.executed.ipynb').read(): time.sleep(0.01)\n"
        "died = time.time()\n"
        "open('died', 'w').write(str(died)); os.kill(os.getpid(), 9)",
        "'never'",
    )

    result = run_notebook(path)

    took = time.time() - float((path.parent / "died").read_text())
    done = read_notebook(result.output)
    assert took < 2
    assert result.exit_code == 1
    assert result.message == (
        "the kernel died in cell 3; run the same command with --resume to continue"
    )
    assert statuses(done) == ["completed", "running", "running", "not run"]
    assert done.cells[2].metadata.stepwell.reason == "the kernel died"
    assert texts(done.cells[2]) == ["last words\n"]
    assert untouched(done.cells[3])


def test_a_kernel_that_dies_in_the_final_wait_is_reported(write: Write) -> None:
    """The message names the steps that were running."""
    path = write(
        "%load_ext standin",
        "%%step fatal\nimport os, time\ntime.sleep(0.5); os.kill(os.getpid(), 9)",
    )

    result = run_notebook(path)

    assert result.exit_code == 1
    assert result.message.startswith("the kernel died while fatal ran; run the same command")
    assert statuses(read_notebook(result.output)) == ["completed", "running"]


def test_a_kernel_that_does_not_start_is_reported(write: Write, jupyter_home: Path) -> None:
    """With what its process had to say; the notebook says that nothing has run."""
    spec = jupyter_home / "data_dir" / "kernels" / "broken" / "kernel.json"
    spec.parent.mkdir(parents=True)
    code = "raise SystemExit('no such luck')"
    argv = [sys.executable, "-c", code, "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Broken", "language": "python"}))

    result = run_notebook(write("1"), kernel="broken")

    assert result.exit_code == 1
    assert result.message.startswith("the kernel did not start: ")
    assert "no such luck" in report(result)
    assert statuses(read_notebook(result.output)) == ["not run"]


def test_the_time_is_for_cells_and_waiting_together(write: Write) -> None:
    """At its end the cell is interrupted, the notebook written, and the run has failed."""
    path = write("print('begun', flush=True)\nimport time; time.sleep(60)", "'never'")

    begun = time.monotonic()
    result = run_notebook(path, timeout=2.5)

    done = read_notebook(result.output)
    assert time.monotonic() - begun < 50
    assert (result.exit_code, result.message) == (1, "timed out in cell 1")
    assert texts(done.cells[0]) == ["begun\n", "KeyboardInterrupt: "]
    assert statuses(done) == ["running", "not run"]
    assert done.cells[0].metadata.stepwell.reason == "timed out"


def test_the_time_ends_the_final_wait(write: Write) -> None:
    """An endless step does not outlast the time."""
    path = write("%load_ext standin", ENDLESS)

    result = run_notebook(path, timeout=5)

    assert result.exit_code == 1
    assert result.message.startswith("timed out while endless ran; run the same command with")
    assert statuses(read_notebook(result.output)) == ["completed", "running"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_the_notebook_written(write: Write, number: int) -> None:
    """The kernel is gone, too; the message says how to go on."""
    path = write(
        "%load_ext standin\nimport os, time",
        ENDLESS,
        "open('pid', 'w').write(str(os.getpid())); os.rename('pid', 'kernel'); time.sleep(60)",
    )
    runner = subprocess.Popen(
        [sys.executable, "-m", "stepwell.cli", "run", str(path)],
        stderr=subprocess.PIPE,
        text=True,
    )
    kernel = int(read_when_there(path.parent / "kernel"))

    runner.send_signal(number)
    _, said = runner.communicate(timeout=120)

    assert runner.returncode == 1
    assert "interrupted in cell 3; run the same command with --resume to continue" in said
    assert "Traceback" not in said
    done = read_notebook(path.with_name("note.executed.ipynb"))
    assert statuses(done) == ["completed", "running", "running"]
    assert not is_alive(kernel)


def test_a_killed_runner_leaves_a_true_notebook_and_no_kernel(write: Write) -> None:
    """What was written last says which cell was running; the kernel ends by itself."""
    path = write(
        "print('done')",
        "import os, time\n"
        "open('pid', 'w').write(str(os.getpid())); os.rename('pid', 'kernel'); time.sleep(60)",
    )
    runner = subprocess.Popen([sys.executable, "-m", "stepwell.cli", "run", str(path)])
    kernel = int(read_when_there(path.parent / "kernel"))

    runner.kill()
    runner.wait()

    done = read_notebook(path.with_name("note.executed.ipynb"))
    assert statuses(done) == ["completed", "running"]
    assert texts(done.cells[0]) == ["done\n"]
    wait_until_gone(kernel)


def untouched(cell: NotebookNode) -> bool:
    """Whether the cell looks as if it had never been executed."""
    return cell.outputs == [] and cell.execution_count is None


def read_when_there(path: Path) -> str:
    """The text of a file that somebody is about to write."""
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"{path} was never written"
        time.sleep(0.02)
    return path.read_text()


def wait_until_gone(pid: int) -> None:
    """Return when the process has ended."""
    until = time.monotonic() + 60
    while is_alive(pid):
        assert time.monotonic() < until, f"{pid} is still there"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether the process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # An ended process that nobody has waited for is as good as gone.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or ") Z " not in stat.read_text()
