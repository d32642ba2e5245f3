"""`stepwell run` when the runner or its kernel is killed: the same command continues."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from thirty import NAMES, begun, expected, notebook, read_ledger
from written import read_notebook, statuses, texts, write_notebook

import stepwell
from stepwell.store import open_store

# The second step waits for a file, so that whoever kills has all the time in the world.
_STEPS = """
def note(word, name):
    with open("ledger", "a") as file:
        file.write(f"{word} {name} {os.getpid()}\\n")
"""
CELLS = (
    "%load_ext stepwell\nimport os, time",
    _STEPS,
    "%%step a\nnote('begin', 'a')\nfirst = 1",
    "%%step b\nnote('begin', 'b')\nwhile not os.path.exists('gate'): time.sleep(0.01)\n"
    "second = first + 1",
    "%%step c\nnote('begin', 'c')\nthird = second + 1",
    "print(third)",
)


class Command:
    """`stepwell run` on one notebook, as often as needed."""

    def __init__(self, notebook: Path) -> None:
        self.notebook = notebook
        self.folder = notebook.parent
        self.ledger = self.folder / "ledger"
        self.store = self.folder / ".stepwell" / f"{notebook.stem}.duckdb"
        self._runner: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> "subprocess.Popen[str]":
        """Begin; what it says is kept."""
        self._runner = subprocess.Popen(
            [sys.executable, "-m", "stepwell.cli", "run", str(self.notebook), *options],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self._runner

    def finish(self, *options: str) -> tuple[int, str]:
        """Run to the end: exit code, and what was said."""
        runner = self.start(*options)
        _, said = runner.communicate(timeout=120)
        return runner.returncode, said

    def close(self) -> None:
        """Leave nothing behind, whatever the test has come to."""
        if self._runner is not None and self._runner.poll() is None:
            self._runner.kill()
            self._runner.communicate()
        for process in self.kernels():
            if is_alive(process):
                os.kill(process, signal.SIGKILL)

    def kernels(self) -> set[int]:
        """Process ids of the kernels that have begun a step."""
        return {line.process for line in read_ledger(self.ledger)}

    def executed(self) -> list[str]:
        """What the cells of the executed notebook say of themselves."""
        return statuses(read_notebook(self.folder / "nb.executed.ipynb"))

    def has_begun(self, name: str) -> bool:
        """Whether a step's code has been entered."""
        return begun(read_ledger(self.ledger))[name] > 0


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """The command on a notebook whose second step waits for a file `gate`."""
    made = Command(write_notebook(tmp_path, *CELLS, name="nb.ipynb"))
    yield made
    made.close()


def kill_the_runner(command: Command, runner: "subprocess.Popen[str]") -> None:
    """SIGKILL, to the runner alone."""
    runner.kill()


def kill_the_kernel(command: Command, runner: "subprocess.Popen[str]") -> None:
    """SIGKILL, to the kernel alone."""
    (kernel,) = command.kernels()
    os.kill(kernel, signal.SIGKILL)


def terminate(command: Command, runner: "subprocess.Popen[str]") -> None:
    """SIGTERM, as a job scheduler sends it."""
    runner.terminate()


def interrupt(command: Command, runner: "subprocess.Popen[str]") -> None:
    """SIGINT, as Ctrl-C sends it."""
    runner.send_signal(signal.SIGINT)


ENDS = (kill_the_runner, kill_the_kernel, terminate, interrupt)


@pytest.mark.parametrize("end", ENDS)
def test_the_same_command_with_resume_continues(
    command: Command, end: Callable[[Command, "subprocess.Popen[str]"], None]
) -> None:
    """Whoever was killed: what was done is not done again, and the exit code is 0 in the end."""
    runner = command.start()
    wait_for(lambda: command.has_begun("b"))
    # What a killed runner has heard and not written yet nobody writes any more.
    wait_for(lambda: command.executed()[2:4] == ["completed", "running"])
    end(command, runner)
    _, said = runner.communicate(timeout=120)
    assert runner.returncode == (-signal.SIGKILL if end is kill_the_runner else 1)
    assert "Traceback" not in said
    assert end is kill_the_runner or "--resume" in said
    # What had been done says so; what had not does not.
    assert command.executed()[2:4] == ["completed", "running"]
    assert set(command.executed()[4:]) <= {"running", "not run"}

    (command.folder / "gate").touch()
    code, said = command.finish("--resume")
    assert code == 0, said
    done = read_notebook(command.folder / "nb.executed.ipynb")
    assert statuses(done) == ["completed"] * len(CELLS)
    assert texts(done.cells[-1]) == ["3\n"]
    starts = begun(read_ledger(command.ledger))
    # The kernel of a killed runner lives on for a moment, and may have finished the step.
    assert starts == {"a": 1, "b": 2, "c": 1} or (end is kill_the_runner and starts["b"] == 1)


def test_the_kernel_of_a_killed_runner_ends_by_itself(command: Command) -> None:
    """Nobody has to look for it: it lets go of the store within seconds, though a step runs."""
    runner = command.start()
    wait_for(lambda: command.has_begun("b"))
    (kernel,) = command.kernels()
    runner.kill()
    runner.communicate()
    wait_for(lambda: not is_alive(kernel), seconds=10)
    # Its last threads may still be on their way out.
    open_store(command.store, patience=10).close()
    with stepwell.open(command.store) as reader:
        found = reader.sql("select step, status from attempts order by step").fetchall()
    assert found == [("a", "completed"), ("b", "started")]


def test_nothing_is_lost_however_often_the_runner_is_killed(tmp_path: Path) -> None:
    """At random moments of thirty steps: each finished step is paid for once, in one run."""
    ledger = tmp_path / "ledger"
    command = Command(write_notebook(tmp_path, *notebook(ledger), name="nb.ipynb"))
    choice = Random(7)
    try:
        for number in range(4):
            runner = command.start(*(["--resume"] if command.store.exists() else []))
            goal = len(begun(read_ledger(ledger))) + choice.randint(1, 6)
            wait_for(lambda goal=goal: len(begun(read_ledger(ledger))) >= goal)
            print(f"kill {number} when {goal} steps had begun")
            runner.kill()
            runner.communicate()
        code, said = command.finish("--resume")
        assert code == 0, said
        with stepwell.open(command.store) as reader:
            assert len(reader.runs()) == 1
            assert reader.outputs() == expected(ledger)
            found = reader.sql(
                "select step, count(*), count(*) filter (status = 'completed') from attempts "
                "group by step"
            ).fetchall()
        starts = begun(read_ledger(ledger))
        assert {name for name, *_ in found} == set(NAMES)
        for name, attempts, completed in found:
            assert completed == 1
            assert starts[name] <= attempts
    finally:
        command.close()


def is_alive(process: int) -> bool:
    """Whether the process is there and has not ended."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return ") Z " not in stat


def wait_for(is_there: Callable[[], bool], *, seconds: float = 90) -> None:
    """Return as soon as the condition holds."""
    until = time.monotonic() + seconds
    while not is_there():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.005)
