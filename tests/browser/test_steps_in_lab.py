"""Steps in JupyterLab: what stands below which cell, and what a person can do about it."""

import re
from pathlib import Path

import pytest
from lab import Open, lab_notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# A step, or a cell, that ends when the test says so: by a file.
UNTIL = """
import time
from pathlib import Path
while not Path({0!r}).exists():
    time.sleep(0.02)
"""


def test_a_step_speaks_below_its_own_cell_while_another_cell_runs(
    folder: Path, open_lab: Open
) -> None:
    """Output of a background step never lands in the cell that happens to run."""
    notebook = lab_notebook(
        folder,
        "%load_ext stepwell",
        f"%%step talks{UNTIL.format('go')}print('from the step')\nx = 1",
        f"{UNTIL.format('enough')}print('from the cell')",
    )
    lab = open_lab(notebook)
    lab.run_all()
    lab.expect_done(1)
    lab.expect_busy(2)
    expect(lab.card(1)).to_contain_text("running")
    (folder / "go").touch()
    expect(lab.output(1)).to_contain_text("from the step")
    expect(lab.card(1)).to_contain_text("done")
    lab.expect_busy(2)
    lab.shoot("background")
    (folder / "enough").touch()
    lab.expect_done(2)
    expect(lab.output(2)).to_have_text("from the cell")


def test_a_failure_is_shown_and_mended(folder: Path, open_lab: Open) -> None:
    """Error and line on the card, a short word in the waiting cell, then fix and continue."""
    notebook = lab_notebook(
        folder,
        "%load_ext stepwell",
        "%%step first\nopen('log', 'a').write('first ')\nn = 3",
        "%%step second\nmiddle = n - 3\nratio = n / middle",
        "%%step third\nresult = ratio + 1",
        "print(result)",
    )
    lab = open_lab(notebook)
    lab.run_all()
    card = lab.card(2)
    expect(card).to_contain_text("failed")
    expect(card).to_contain_text("ZeroDivisionError: division by zero")
    expect(card).to_contain_text("line 3 of the cell: ratio = n / middle")
    expect(lab.card(3)).to_contain_text("blocked by second")
    expect(lab.output(4)).to_contain_text("'second' failed: ZeroDivisionError")
    assert lab.output(4).inner_text().count("\n") < 4
    card.get_by_text("traceback and code").click()
    expect(card.get_by_text("Traceback (most recent call last)")).to_be_visible()
    lab.shoot("failure")
    lab.write(2, "%%step second\nmiddle = n - 1\nratio = n / middle")
    lab.run(2)
    expect(lab.card(2)).to_contain_text("done")
    expect(lab.card(3)).to_contain_text("done")
    lab.run(4)
    expect(lab.output(4)).to_have_text("2.5")
    lab.shoot("mended")
    assert (folder / "log").read_text() == "first "


def test_interrupting_stops_the_waiting_and_not_the_step(folder: Path, open_lab: Open) -> None:
    """The button with the square frees the cell that waits; the step goes on."""
    notebook = lab_notebook(
        folder,
        "%load_ext stepwell",
        f"%%step slow{UNTIL.format('go')}x = 41",
        "print(x + 1)",
        "import asyncio\nawait asyncio.sleep(0)\nprint(x + 2)",
    )
    lab = open_lab(notebook)
    lab.run(0)
    lab.run(1)
    lab.expect_done(1)
    for waiting in (2, 3):
        lab.expect_status("Idle")
        lab.run(waiting)
        lab.expect_status("Busy")
        lab.interrupt()
        expect(lab.output(waiting)).to_have_text(
            re.compile(
                r"^(KeyboardInterrupt|CancelledError): stopped waiting for \w+; the run goes on$"
            )
        )
        lab.expect_done(waiting)
        expect(lab.card(1)).to_contain_text("running")
    lab.shoot("interrupted")
    (folder / "go").touch()
    expect(lab.card(1)).to_contain_text("done")
    lab.run(2)
    expect(lab.output(2)).to_have_text("42")
    lab.run(3)
    expect(lab.output(3)).to_have_text("43")


def test_tab_completes_the_options_of_a_step(folder: Path, open_lab: Open) -> None:
    """`%%step plan --a` and Tab: the options are there to choose from."""
    lab = open_lab(lab_notebook(folder, "%load_ext stepwell", ""))
    lab.run(0)
    lab.expect_done(0)
    lab.write(1, "%%step plan --a")
    lab.page.keyboard.press("Tab")
    offered = lab.page.locator(".jp-Completer-item")
    options = ["--after", "--agent", "--always", "--approve", "--approve-timeout"]
    expect(offered.locator(".jp-Completer-match")).to_have_text(options)
    lab.shoot("completion")
    offered.filter(has_text="--always").click()
    expect(lab.cell(1).locator(".cm-content")).to_have_text("%%step plan --always")


def test_what_a_model_writes_is_seen_while_it_writes(folder: Path, open_lab: Open) -> None:
    """Piece by piece on the card, as text; and the whole of it when it is stored."""
    notebook = lab_notebook(
        folder,
        "%load_ext stepwell\nimport asyncio, os, stepwell",
        "@stepwell.durable\n"
        "async def write(topic):\n"
        "    for word in ('Wells', 'keep', '<b>cold</b>', 'water'):\n"
        "        while not os.path.exists(word.strip('</b>')): await asyncio.sleep(0.02)\n"
        "        yield word + ' '\n"
        "    while not os.path.exists('enough'): await asyncio.sleep(0.02)",
        "%%step story\nstory = ''.join([word async for word in write('wells')])",
    )
    lab = open_lab(notebook)
    lab.run_all()
    seen = ""
    for word, shown in (("Wells", "Wells"), ("keep", "keep"), ("cold", "<b>cold</b>")):
        (folder / word).touch()
        seen = f"{seen} {shown}".strip()
        expect(lab.card(2)).to_contain_text(seen)
    expect(lab.card(2)).to_contain_text("write · 3 pieces")
    lab.shoot("streaming")
    for name in ("water", "enough"):
        (folder / name).touch()
    expect(lab.card(2)).to_contain_text("done")
    expect(lab.card(2)).not_to_contain_text("pieces")
