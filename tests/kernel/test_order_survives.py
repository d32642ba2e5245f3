"""Pauses, limits and delays in a real kernel that is killed: they hold in the next one."""

import time
from pathlib import Path

import pytest
from kernels import Kernel
from ledger import Ledger, stored, wait_for


def begin(kernel: Kernel, ledger: Ledger, *cells: str) -> None:
    """The notebook, run all."""
    for place, cell in enumerate(("import stepwell\n%load_ext stepwell", ledger.cell, *cells)):
        kernel.ok(cell, cell=f"c{place}")


def restart(kernel: Kernel) -> None:
    """SIGKILL, and a new process."""
    kernel.kill()
    kernel.start()


@pytest.mark.parametrize("way", ["run all", "cells not run"])
def test_a_paused_run_is_paused_after_a_kill(tmp_path: Path, way: str) -> None:
    """Neither what was cut off nor what was to come starts before somebody resumes."""
    ledger = Ledger(tmp_path)
    steps = (
        "%%step a\nnote('begin', 'a')\nhold('a')\na = 1",
        "%%step b\nnote('begin', 'b')\nb = a + 1",
    )
    ledger.hold("a")
    with Kernel(tmp_path) as kernel:
        begin(kernel, ledger, *steps)
        ledger.wait_for("begin", "a")
        kernel.ok("%stepwell pause")
        restart(kernel)
        begin(kernel, ledger, *(steps if way == "run all" else ()))
        if way == "run all":
            answer = kernel.run("b")
            assert answer.ename == "StepNotRun"
            assert "paused" in answer.error
        assert "· paused ·" in kernel.value("repr(stepwell.notebook().view())")
        assert ledger.count("begin") == {"a": 1}
        ledger.let_go("a")
        kernel.ok("%stepwell resume")
        kernel.ok("%stepwell wait")
        assert kernel.value("b") == "2"
    assert ledger.count("begin") == {"a": 2, "b": 1}


def test_a_backoff_goes_on_with_the_time_and_the_attempts_that_remain(tmp_path: Path) -> None:
    """The next attempt is made when it was due, and it is the last."""
    ledger = Ledger(tmp_path)
    step = (
        "%%step a --retries 1 --backoff 6s\nimport time\nnote('try', time.time())\n"
        "raise ConnectionError('no')\na = 1"
    )
    failed = "select count(*) from attempts where step = 'a' and status = 'failed'"
    retry_at = "select cast(body ->> '$.retry_at' as bigint) from records "
    first_failed = "where kind = 'attempt_failed' and step = 'a'"
    with Kernel(tmp_path) as kernel:
        begin(kernel, ledger, step)
        wait_for(lambda: stored(kernel, failed) == "1")
        due = int(stored(kernel, retry_at + first_failed)) / 1e6
        restart(kernel)
        begin(kernel, ledger)
        resumed = time.time()
        kernel.ok("%stepwell resume")
        assert kernel.run("%stepwell wait a").ename == "StepFailed"
        assert stored(kernel, failed) == "2"
    first, second = map(float, ledger.count("try"))
    assert second >= due
    # Had it begun to count anew, it would have been made so much later, on any machine.
    assert second - due < resumed - first


def test_permits_of_a_killed_kernel_are_free_and_no_more_than_there_are(tmp_path: Path) -> None:
    """As many as the limit says are at work again, never more, and every item comes to its end."""
    ledger = Ledger(tmp_path)
    items = [f"i{number}" for number in range(8)]
    cells = (
        "%stepwell limit model --concurrent 2",
        f"import time\nitems = {items}",
        "%%step each --map it=items --limit model\n"
        "note('in', it)\nhold(it)\ntime.sleep(0.05)\nx = it\nnote('out', it)",
    )
    ledger.hold(*items)
    with Kernel(tmp_path) as kernel:
        begin(kernel, ledger, *cells)
        wait_for(lambda: ledger.count("in").total() == 2)
        assert stored(kernel, "select count(*) from attempts where item <> ''") == "2"
        restart(kernel)
        before = len(ledger.lines())
        begin(kernel, ledger, cells[1])
        kernel.ok("%stepwell resume")
        wait_for(lambda: ledger.count("in").total() == 4)
        ledger.let_go(*items)
        kernel.ok("%stepwell wait")
        assert kernel.value("x") == str(items)
    assert most_at_once(ledger.lines()[before:]) == 2
    assert ledger.count("out") == dict.fromkeys(items, 1)


def most_at_once(lines: list[str]) -> int:
    """How many had come in and not gone out."""
    inside = most = 0
    for line in lines:
        inside += 1 if line.startswith("in ") else -1
        most = max(most, inside)
    return most


def test_a_rate_counts_what_a_killed_kernel_has_begun(tmp_path: Path) -> None:
    """Also the attempt that was cut off; what is left of the hour's share is used, and no more."""
    ledger = Ledger(tmp_path)
    cells = (
        "%stepwell limit model --rate 4/h",
        "items = ['p', 'q', 'r']",
        "%%step each --map it=items --limit model --max-parallel 1\n"
        "note('begin', it)\nhold(it)\nx = it",
    )
    ledger.hold("q")
    with Kernel(tmp_path) as kernel:
        begin(kernel, ledger, *cells)
        ledger.wait_for("begin", "p", "q")
        restart(kernel)
        ledger.let_go("q")
        begin(kernel, ledger, *cells[1:])
        kernel.ok("%stepwell wait each")
        assert kernel.value("x") == "['p', 'q', 'r']"
        kernel.ok("%%step other --limit model\nnote('begin', 'other')\nother = 1")
        wait_for(lambda: "limit" in kernel.value("stepwell.notebook().show('other').held"))
    assert ledger.count("begin") == {"p": 1, "q": 2, "r": 1}
