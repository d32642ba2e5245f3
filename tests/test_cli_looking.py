"""The command line on a store that nobody has open: what it prints, and its exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sessions import Notebook
from written import cell, write_notebook

from stepwell.magics._verbs import VERBS
from stepwell.orchestrator import State, load, runs
from stepwell.place import Place
from stepwell.store import Store, open_store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A notebook whose steps have run, the second one with an older version before."""
    store = tmp_path / ".stepwell" / "note.duckdb"
    store.parent.mkdir()
    notebook = Notebook(tmp_path, None, place=Place(tmp_path / "note.ipynb", store))
    notebook.done("a", "a = [1, 2]")
    notebook.done("b", "b = sum(a)")
    notebook.session.begin_fresh()
    notebook.done("a", "a = [1, 2]")
    notebook.done("b", "b = sum(a) + 1")
    notebook.session.close()
    write_cells(tmp_path, "a = [1, 2]", "b = sum(a) + 1")
    return tmp_path


@pytest.fixture
def held(folder: Path) -> Iterator[Store]:
    """The store, held as a kernel holds it."""
    held = open_store(
        folder / ".stepwell" / "note.duckdb", holder={"notebook": "note.ipynb", "kernel": "k1"}
    )
    yield held
    held.close()


def write_cells(folder: Path, a: str, b: str) -> None:
    """The notebook's file, with these two steps."""
    write_notebook(
        folder, cell("%load_ext stepwell"), f"%%step a\n{a}", f"%%step b\n# sums\n{b}", "b"
    )


def stepwell(*words: str, at: Path) -> "subprocess.CompletedProcess[str]":
    """Call the command in a process of its own."""
    command = [sys.executable, "-m", "stepwell.cli", *words]
    return subprocess.run(
        command, cwd=at, capture_output=True, text=True, check=False, env={**os.environ}
    )


def test_a_run_and_all_runs_are_shown(folder: Path) -> None:
    """By notebook, by store, or by nothing where there is only one; an older run by its id."""
    said = stepwell("runs", "note.ipynb", at=folder)
    assert (said.returncode, said.stderr) == (0, "")
    older, newer = (line.split()[0] for line in said.stdout.splitlines()[2:4])
    for words in (["status"], ["status", "note.ipynb"], ["status", ".stepwell/note.duckdb"]):
        said = stepwell(*words, at=folder)
        assert said.returncode == 0, said.stderr
        assert f"run {newer}" in said.stdout
    assert f"run {older}" in stepwell("status", "--run", older[:5], at=folder).stdout
    assert f"run {older}" in stepwell("show", older, at=folder).stdout
    assert "b = 4" in stepwell("show", "b", at=folder).stdout
    assert "b = 3" in stepwell("show", "b", "--run", older, at=folder).stdout


@pytest.mark.parametrize("words", [("note.ipynb", "b"), ("b", "note.ipynb")])
def test_where_and_what_are_told_apart(folder: Path, words: tuple[str, str]) -> None:
    """As with the other commands the notebook comes first, and nobody has to remember it."""
    assert "b = 4" in stepwell("show", *words, at=folder).stdout


def test_more_than_one_step_is_too_much_to_show(folder: Path) -> None:
    """It is said, with exit code 2."""
    said = stepwell("show", "note.ipynb", "a", "b", at=folder)
    assert said.returncode == 2
    assert "one step or run" in said.stderr


def test_the_plan_compares_the_notebook_with_the_store(folder: Path) -> None:
    """0 when nothing would run; 4 when something would, with the reason and the diff."""
    said = stepwell("plan", "note.ipynb", at=folder)
    assert said.returncode == 0, said.stdout + said.stderr
    write_cells(folder, "a = [1, 2]", "b = sum(a) + 100")
    said = stepwell("plan", "note.ipynb", "--json", at=folder)
    assert said.returncode == 4
    data = json.loads(said.stdout)
    assert [(row["step"], row["action"]) for row in data["steps"]] == [
        ("a", "reuse"),
        ("b", "stale"),
    ]
    assert "+b = sum(a) + 100" in data["steps"][1]["diff"]
    assert data["steps"][1]["expected_seconds"] > 0
    # What is stored is not touched by looking at it.
    assert stepwell("plan", at=folder).returncode == 0


def test_a_notebook_that_never_ran_has_a_plan(tmp_path: Path) -> None:
    """Everything would run; no store is made by looking."""
    write_cells(tmp_path, "a = [1, 2]", "b = sum(a)")
    said = stepwell("plan", "note.ipynb", at=tmp_path)
    assert said.returncode == 4, said.stderr
    assert "2 of 2 steps would run" in said.stdout
    assert not (tmp_path / ".stepwell").exists()
    (tmp_path / "broken.ipynb").write_text(
        '{"cells": [{"cell_type": "code", "source": "%%step a\\n("}]}'
    )
    said = stepwell("plan", "broken.ipynb", at=tmp_path)
    assert said.returncode == 2
    assert "cell 1: step 'a'" in said.stderr


def test_a_script_is_exported(folder: Path) -> None:
    """Beside the notebook; it goes on with the latest run and runs nothing again."""
    said = stepwell("export", "note.ipynb", at=folder)
    assert said.returncode == 0, said.stderr
    done = subprocess.run(
        [sys.executable, "note.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "2 restored" in done.stdout


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("command", ["status", "runs", "show a", "plan", "export"])
def test_a_store_that_a_kernel_has_names_the_holder(folder: Path, command: str) -> None:
    """One message: who has it, since when, and what to do."""
    said = stepwell(*command.split(), at=folder)
    assert said.returncode == 1
    assert said.stdout == ""
    assert f"is in use by process {os.getpid()}, notebook note.ipynb, kernel k1" in said.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("status missing.ipynb", 1, "Running the notebook makes one"),
        ("status missing.duckdb", 1, "there is no store"),
        ("show nonsense", 1, "there is no step 'nonsense'"),
        ("status --run nonsense", 1, "there is no run 'nonsense'"),
        ("plan note.txt", 1, "is not a stepwell store"),
    ],
)
def test_what_cannot_be_shown_is_said(folder: Path, words: str, code: int, says: str) -> None:
    """In one or two lines on standard error."""
    (folder / "note.txt").write_text("no store")
    said = stepwell(*words.split(), at=folder)
    assert (said.returncode, said.stdout) == (code, "")
    assert says in said.stderr


def test_nothing_named_must_mean_one_store(tmp_path: Path) -> None:
    """Of none, and of several, none is guessed."""
    said = stepwell("status", at=tmp_path)
    assert said.returncode == 2
    assert "name a notebook or a store" in said.stderr


def test_what_was_cut_off_is_cancelled_from_a_terminal(folder: Path) -> None:
    """It is not begun again by who resumes; what is done stays; a step may be named."""
    store = folder / ".stepwell" / "note.duckdb"
    notebook = Notebook(folder, None, place=Place(folder / "note.ipynb", store))
    notebook.session.pause()
    notebook.step("c", "c = 1")
    notebook.step("d", "d = c + 1")
    notebook.session.close()
    assert "no step 'x'" in stepwell("cancel", "note.ipynb", "x", at=folder).stderr
    said = stepwell("cancel", "note.ipynb", "d", at=folder)
    assert (said.returncode, said.stderr.split()[-1]) == (0, "cancelled")
    with loaded(folder) as state:
        assert [*state.unfinished] == ["c"]
    assert stepwell("cancel", "note.ipynb", at=folder).returncode == 0
    with loaded(folder) as state:
        assert not state.unfinished
        assert {name for name, step in state.steps.items() if step.cancelled} == {"c", "d"}
        assert state.steps["a"].is_settled


@contextmanager
def loaded(folder: Path) -> Generator[State]:
    """The latest run, as a new process finds it."""
    store = open_store(folder / ".stepwell" / "note.duckdb")
    try:
        yield load(store, [run for run, _, _ in runs(store)][-1])
    finally:
        store.close()


DESIGNED = "run status runs show approve reject respond resume cancel export".split()


def test_the_command_line_has_what_a_notebook_has(tmp_path: Path) -> None:
    """As far as it needs no kernel: by the same names."""
    said = stepwell("--help", at=tmp_path).stdout
    commands = {line.split()[0] for line in said.partition("Commands:")[2].splitlines() if line}
    assert {*DESIGNED, "inbox", "plan"} <= commands
    assert commands <= set(VERBS)
