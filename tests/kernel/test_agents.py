"""Agents in a notebook: declared, called, killed with their kernel, gone on with."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from kernels import Kernel

import stepwell

SETUP = """%%setup
from pathlib import Path
import asyncio, time
def note(what):
    with open("ledger", "a") as file:
        file.write(what + "\\n")
"""
AGENT = "%agent researcher(topic: str, depth: int = 1) -> report"
LOOK = """%%step look --agent researcher
note(f"look {topic}")
await asyncio.sleep(0.05)
hits = [topic] * 2
print("looking at", topic)
"""
READ = """%%step read --agent researcher
note(f"read {topic}")
below = await researcher(topic=topic + "/below", depth=depth - 1) if depth > 1 else ""
await asyncio.sleep(0.05)
report = f"{topic}: {len(hits)} {below}".strip()
"""
SURVEY = """%%step survey
reports = await asyncio.gather(*(researcher(topic=it, depth=2) for it in ("a", "b", "c")))
"""
CELLS = (SETUP, AGENT, LOOK, READ, SURVEY)
EXPECTED = [f"{it}: 2 {it}/below: 2" for it in "abc"]


def ledger(folder: Path) -> Counter[str]:
    """How often each step of each topic has begun."""
    noted = folder / "ledger"
    return Counter(noted.read_text().splitlines() if noted.exists() else [])


def run_all(kernel: Kernel) -> None:
    """Every cell, with the extension loaded first."""
    for cell in ("%load_ext stepwell", *CELLS):
        kernel.ok(cell)


def test_an_agent_is_declared_in_cells_and_called_in_a_step(kernel: Kernel) -> None:
    """Its result comes to the notebook, its own names do not; it speaks in the caller's cell."""
    for cell in CELLS[:-1]:
        kernel.ok(cell)
    survey = kernel.ok(SURVEY)
    kernel.ok("assert reports == " + repr(EXPECTED))
    assert kernel.value("'hits' in globals() or 'report' in globals()") == "False"
    kernel.listen_until(lambda: kernel.text(survey).count("looking at") == 6)
    kernel.listen_until(lambda: kernel.cards(survey)[-1]["phase"] == "done")


def test_a_cell_runs_an_agent_at_the_top(kernel: Kernel) -> None:
    """By `%stepwell run`, by `await`, and the second time from the store."""
    for cell in CELLS[:-1]:
        kernel.ok(cell)
    kernel.ok("%stepwell run researcher topic='solar heat'")
    kernel.ok("%stepwell wait")
    kernel.ok("assert await researcher('solar heat') == 'solar heat: 2'")
    assert ledger(kernel.folder) == {"look solar heat": 1, "read solar heat": 1}
    answer = kernel.run("await researcher(topic=3)")
    assert (answer.ename, answer.status) == ("InvalidArguments", "error")
    assert "'topic' is an int (3), expected str" in answer.error


def test_a_mended_step_of_an_agent_lets_its_caller_go_on(kernel: Kernel) -> None:
    """Running the agent's cell is enough: the same run, and nothing is done twice."""
    for cell in (SETUP, AGENT, LOOK):
        kernel.ok(cell)
    kernel.ok("%%step read --agent researcher\nnote('read')\nreport = hits[5]")
    kernel.ok("%%step one\none = await researcher('a')")
    failed = kernel.run("one")
    assert failed.ename == "StepFailed"
    assert "agent 'researcher' failed at its step 'read': IndexError" in failed.error
    kernel.ok("%%step read --agent researcher\nnote('read')\nreport = hits[1]")
    kernel.ok("assert one == 'a'")
    assert ledger(kernel.folder) == {"look a": 1, "read": 2}


@pytest.fixture(params=[1, 2])
def chance(request: pytest.FixtureRequest) -> Random:
    """Moments to kill at."""
    return Random(f"agents {request.param}")


@pytest.mark.parametrize("way", ["run all", "resume"])
def test_killed_at_any_moment_no_finished_step_of_a_child_runs_again(
    tmp_path: Path, chance: Random, way: str
) -> None:
    """Nor does a call start a second child; what was cut off runs once more at most."""
    kernel, kills = Kernel(tmp_path), 3
    for number in range(kills + 1):
        kernel.messages.clear()
        kernel.start()
        if number and way == "resume":
            kernel.ok("%load_ext stepwell")
            kernel.ok("%stepwell resume")
        else:
            run_all(kernel)
        if number < kills:
            seconds = chance.random() * 0.35
            kernel.run(f"import time; time.sleep({seconds})")
            kernel.kill()
    kernel.ok("%stepwell wait")
    kernel.ok("assert reports == " + repr(EXPECTED))
    kernel.shutdown()
    check_store(tmp_path)
    begun = ledger(tmp_path)
    assert len(begun) == 12
    assert max(begun.values()) <= kills + 1


def check_store(folder: Path) -> None:
    """Six children, every step of each completed once."""
    with stepwell.open(folder / ".stepwell" / "nb.duckdb") as store:
        children = store.sql("select count(*) from runs where parent <> ''").fetchall()
        completed = store.sql(
            "select run, step, count(*) from records where kind = 'attempt_completed' group by all"
        ).fetchall()
    assert children == [(6,)]
    assert len(completed) == 13
    assert {times for _, _, times in completed} == {1}
