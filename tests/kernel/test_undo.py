"""Undoing in a real kernel that is killed in the middle of it: each once, the newest first."""

from pathlib import Path

import pytest
from kernels import Kernel
from ledger import Ledger, stored, wait_for

STEPS = {
    "flight": "%%step flight\nnote('done', 'flight')\nflight = 'F1'",
    "pay": (
        "%%step pay --map who=people --after flight --max-parallel 1\n"
        "note('done', who)\npaid = f'receipt of {who}'"
    ),
    "hotel": "%%step hotel --after pay\nnote('done', 'hotel')\nhotel = 'H1'",
}
UNDO = {
    "flight": ("'flight'", "flight == 'F1'"),
    "pay": ("who", "paid == f'receipt of {who}'"),
    "hotel": ("'hotel'", "hotel == 'H1'"),
}
ORDER = ["hotel", "cy", "bob", "ann", "flight"]
ENDS = "select count(*) from attempts where step like 'undo%' and status = 'completed'"


def cells(ledger: Ledger) -> list[str]:
    """What is done, and what undoes it."""
    undo = [
        f"%%step undo_{name} --undo-of {name}\n"
        f"assert {right}\nnote('begin', {what})\nhold({what})\nnote('undone', {what})"
        for name, (what, right) in UNDO.items()
    ]
    return [
        "%load_ext stepwell",
        ledger.cell,
        "people = ['ann', 'bob', 'cy']",
        *STEPS.values(),
        *undo,
    ]


@pytest.mark.parametrize("way", ["run all", "resume"])
def test_each_is_undone_once_however_often_the_kernel_is_killed(tmp_path: Path, way: str) -> None:
    """What was on disk as undone is not undone again; what was cut off is begun again."""
    ledger, kernel = Ledger(tmp_path), Kernel(tmp_path)
    written = cells(ledger)
    ledger.hold(*ORDER)
    with kernel:
        for place, cell in enumerate(written):
            kernel.ok(cell, cell=f"c{place}")
        kernel.ok("%stepwell wait")
        kernel.ok("%stepwell cancel --undo")
        for number, item in enumerate(ORDER):
            ledger.wait_for("begin", item)
            assert [*ledger.count("undone")] == ORDER[:number]
            before = int(stored(kernel, ENDS))
            kernel.kill()
            kernel.start()
            for place, cell in enumerate(written if way == "run all" else written[:2]):
                if place < 3 or "--undo-of" in cell:
                    kernel.ok(cell, cell=f"c{place}")
            if way == "resume":
                kernel.ok("%stepwell resume")
            ledger.let_go(item)
            wait_for(lambda more=before + 1: int(stored(kernel, ENDS)) >= more)
        kernel.ok("%stepwell wait undo_flight")
        kernel.shutdown()
    assert ledger.count("undone") == dict.fromkeys(ORDER, 1)
    assert ledger.count("begin") == dict.fromkeys(ORDER, 2)
    assert ledger.count("done") == dict.fromkeys(["flight", "ann", "bob", "cy", "hotel"], 1)
