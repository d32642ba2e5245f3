"""The command line: what it refuses, what it prints, and the codes it exits with."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from written import cell, read_notebook, texts, write_notebook

from stepwell import cli

SUPPORT = str(Path(write_notebook.__code__.co_filename).parent)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jupyter's folders in the test's own, and the stand-in engine for kernels."""
    for folder in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        monkeypatch.setenv(f"JUPYTER_{folder}", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", SUPPORT)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("run missing.ipynb", "there is no notebook"),
        ("run", "Missing argument"),
        ("run note.ipynb --nonsense", "No such option"),
        ("run note.ipynb --timeout soon", "Invalid value"),
        ("run note.ipynb --timeout 0", "more than 0 seconds"),
        ("run note.ipynb --fresh --resume", "choose"),
        ("run note.ipynb --resume", "nothing to resume"),
        ("run note.ipynb -p topic", "has no value"),
        ("run note.ipynb -p nonsense=1", "no parameter 'nonsense'"),
        ("run note.ipynb --kernel cobol", "no kernel 'cobol'"),
        ("run note.ipynb --output .", "is a folder"),
        ("run wrong.ipynb", "is not a notebook"),
        ("walk", "No such command"),
    ],
)
def test_what_cannot_be_meant_exits_with_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    says: str,
) -> None:
    """One or two lines on standard error, and no notebook is executed."""
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path, cell("topic = 1", "parameters"))
    Path("wrong.ipynb").write_text("{}")

    code, said = call(words, monkeypatch, capsys)

    assert code == 2
    assert says in said
    assert said.startswith("stepwell: ")
    assert len(said.splitlines()) <= 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["note.ipynb", "wrong.ipynb"]


def test_help_and_version_are_no_failures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They exit with 0; without a command the help is shown as the way out of a mistake."""
    assert call("--version", monkeypatch, capsys) == (0, "")
    assert call("run --help", monkeypatch, capsys) == (0, "")
    code, said = call("", monkeypatch, capsys)
    assert code == 2
    assert "Commands:" in said


def test_the_command_line_loads_nothing_heavy_before_it_must() -> None:
    """Asking for help is answered without Jupyter."""
    heavy = "{'nbclient', 'jupyter_client', 'IPython', 'duckdb', 'rich', 'nbformat'}"
    code = f"import sys, stepwell.cli; print({heavy} & {{*sys.modules}})"

    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert said == "set()\n"


@pytest.mark.usefixtures("environment")
def test_a_run_is_logged_and_summed_up(tmp_path: Path) -> None:
    """Standard error has a line per change of a step and the summary; the code is 0."""
    path = write_notebook(
        tmp_path,
        cell("topic = 'none'", "parameters"),
        "%load_ext standin",
        "%%step plan restored=4.0\npass",
        "%%step search\nsay(topic)",
    )

    done = stepwell("run", path.name, "-p", "topic=heat pumps", "--output", "o.ipynb", at=tmp_path)

    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (0, "")
    assert [line for line in lines if line.startswith("plan")] == [
        "plan  waiting",
        "plan  running",
        "plan  restored  saved 4.0 s",
    ]
    assert lines[-1].startswith("2 steps: 1 run, 1 restored, 0 failed, saved 4.0 s · ")
    assert lines[-1].endswith(" · notebook o.ipynb")
    executed = read_notebook(tmp_path / "o.ipynb")
    assert texts(executed.cells[4])[1] == "heat pumps"
    assert not (tmp_path / "note.executed.ipynb").exists()


@pytest.mark.usefixtures("environment")
def test_a_failing_cell_is_shown_with_its_traceback(tmp_path: Path) -> None:
    """Without colours in a log; the code is 1."""
    path = write_notebook(tmp_path, "def f():\n    return 1 / 0", "f()", "'never'")

    done = stepwell("run", path.name, at=tmp_path)

    assert done.returncode == 1
    assert "\x1b" not in done.stderr
    assert "----> 2     return 1 / 0" in done.stderr or "return 1 / 0" in done.stderr
    assert done.stderr.splitlines()[-2:] == [
        "stepwell: cell 2 (f()) failed: ZeroDivisionError: division by zero",
        done.stderr.splitlines()[-1],
    ]


@pytest.mark.usefixtures("environment")
def test_a_terminal_shows_it_live_and_honours_no_color(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same words, on a screen that is redrawn; NO_COLOR leaves out the colours."""
    path = write_notebook(
        tmp_path, "%load_ext standin", "%%step draft\nraise ValueError('no words')"
    )
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    ours, theirs = pty.openpty()

    done = subprocess.Popen(
        [sys.executable, "-m", "stepwell.cli", "run", str(path)], stderr=theirs, cwd=tmp_path
    )
    os.close(theirs)
    said = read_all(ours)

    assert done.wait() == 1
    assert "draft  failed  ValueError: no words" in said.replace("\x1b[1m", "").replace(
        "\x1b[0m", ""
    )
    assert "stepwell: step 'draft' failed: ValueError: no words" in said
    assert "\x1b[31m" not in said


def call(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Call the command in this process; answers its exit code and what it says on stderr."""
    monkeypatch.setattr(sys, "argv", ["stepwell", *words.split()])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert isinstance(caught.value.code, int)
    return caught.value.code, capsys.readouterr().err


def stepwell(*words: str, at: Path) -> "subprocess.CompletedProcess[str]":
    """Call the command in a process of its own."""
    command = [sys.executable, "-m", "stepwell.cli", *words]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)


def read_all(terminal: int) -> str:
    """Everything that is written to a terminal until its other side is closed."""
    said = b""
    while True:
        try:
            part = os.read(terminal, 10_000)
        except OSError:
            # How Linux says that nobody has the other side open any more.
            part = b""
        if not part:
            os.close(terminal)
            return said.decode()
        said += part
