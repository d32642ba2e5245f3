"""Long runs and shortcuts, in processes that are killed."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, os, pathlib, signal, sys, time
import stepwell
from stepwell.orchestrator import _shortcuts
_shortcuts.EVERY, _shortcuts.AT_THE_END = 60, 30
store, log, what = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
shortcuts = store.with_name(store.name + ".shortcuts")

def body(number):
    reads = f"v{number - 1}" if number else ""
    source = f"def s{number}({reads}):\\n    note({number})\\n    return {reads or 0} + 1\\n"
    names = {"note": note, "__name__": "long"}
    exec(source, names)
    return stepwell.step(out=f"v{number}", defer=True)(names[f"s{number}"])

def note(number):
    with log.open("a") as file:
        file.write(f"{number}\\n")
    if what == "killed" and number == 150:
        until = time.monotonic() + 30
        while not (shortcuts.exists() and any(it.suffix == "" for it in shortcuts.iterdir())):
            assert time.monotonic() < until
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

with stepwell.run(store, steps=[body(number) for number in range(200)]) as run:
    run.wait()
    print(json.dumps(run["v199"]))
"""


def run_it(folder: Path, what: str) -> str:
    """Two hundred steps, each of which reads the one before."""
    command = [sys.executable, "-c", PROGRAM, str(folder / "n.duckdb"), str(folder / "log"), what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == (-9 if what == "killed" else 0), done.stdout + done.stderr
    return done.stdout


def test_a_process_that_was_killed_has_left_a_shortcut(tmp_path: Path) -> None:
    """The next one goes on from it and from what came after, and does nothing twice."""
    run_it(tmp_path, "killed")
    assert json.loads(run_it(tmp_path, "goes on")) == 200
    done = [int(line) for line in (tmp_path / "log").read_text().split()]
    assert done == [*range(151), *range(150, 200)]
    # All is done: the third process finds every result, from the shortcut made at the end.
    assert json.loads(run_it(tmp_path, "looks")) == 200
    assert (tmp_path / "log").read_text().split()[-1] == "199"
    assert len((tmp_path / "log").read_text().split()) == len(done)
