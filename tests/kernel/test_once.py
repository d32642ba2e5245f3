"""`--once` in a real kernel that is killed in the middle: it asks, and nothing happens twice."""

from pathlib import Path

from kernels import Kernel
from ledger import Ledger, stored, wait_for

DONE = "select count(*) from attempts where item <> '' and status = 'completed'"


def begin(kernel: Kernel, ledger: Ledger) -> None:
    """What the steps find around them."""
    kernel.ok("%load_ext stepwell")
    kernel.ok(ledger.cell)
    kernel.ok("people = ['ann', 'bob', 'cy', 'dee']")


def test_an_attempt_that_was_killed_asks_and_is_not_made_again(tmp_path: Path) -> None:
    """The new kernel says so where somebody waits; the answer is the step's result."""
    ledger = Ledger(tmp_path)
    step = "%%step pay --once\nnote('begin', 'it')\nhold('it')\npaid = 'here'"
    ledger.hold("it")
    with Kernel(tmp_path) as kernel:
        begin(kernel, ledger)
        kernel.send(step, cell="pay")
        ledger.wait_for("begin", "it")
        kernel.kill()
        ledger.let_go("it")
        kernel.start()
        begin(kernel, ledger)
        kernel.ok(step, cell="pay")
        answer = kernel.run("paid")
        assert answer.ename == "NeedsPerson"
        assert "may have happened" in answer.error
        assert "%stepwell respond pay RESULT (or approve pay, or reject pay)" in answer.error
        kernel.ok('%stepwell respond pay "receipt 7"')
        kernel.ok("paid")
        assert kernel.value("paid") == "'receipt 7'"
    assert ledger.count("begin") == {"it": 1}


def test_of_a_mapped_step_only_the_items_that_were_killed_ask(tmp_path: Path) -> None:
    """What was done is done, what had not begun goes on; each is answered by its name."""
    ledger = Ledger(tmp_path)
    step = (
        "%%step pay --map who=people --max-parallel 2 --once\n"
        "note('begin', who)\nhold(who)\npaid = who.upper()\nnote('end', who)"
    )
    ledger.hold("bob", "cy")
    with Kernel(tmp_path) as kernel:
        begin(kernel, ledger)
        kernel.send(step, cell="pay")
        ledger.wait_for("begin", "bob", "cy")
        wait_for(lambda: stored(kernel, DONE) == "1")
        kernel.kill()
        ledger.let_go("bob", "cy")
        kernel.start()
        begin(kernel, ledger)
        kernel.ok("%stepwell resume")
        ledger.wait_for("end", "ann", "dee")
        inbox = kernel.of(kernel.ok("%stepwell inbox"), "execute_result")[0]["data"]["text/plain"]
        assert "pay[bob]" in inbox
        assert "pay[cy]" in inbox
        assert "pay[ann]" not in inbox
        kernel.ok('%stepwell respond pay[bob] "receipt 8"')
        kernel.ok("%stepwell approve pay[cy]")
        kernel.ok("%stepwell wait")
        assert kernel.value("paid") == "['ANN', 'receipt 8', 'CY', 'DEE']"
    assert ledger.count("begin") == {"ann": 1, "bob": 1, "cy": 2, "dee": 1}
