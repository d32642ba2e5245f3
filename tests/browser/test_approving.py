"""Questions to a person, in JupyterLab: seen, answered below the card, and decided once."""

import re
from pathlib import Path

import pytest
from lab import LabNotebook, Open, lab_notebook
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

# The question is put by hand, as a step that waits would put it.
ASK = """
import time
from stepwell.loading import current_notebook
from stepwell.orchestrator import ApprovalRequested
engine = current_notebook().session.engine
report = {"title": "Heat pumps", "pages": 12, "text": "one\\ntwo\\nthree"}
output, blob = engine.values.encode("publish", "payload", report)
event = ApprovalRequested("q1", "", "Publish this report?", payload=output, edit=("payload",))
record = engine.orchestrator.record
engine.orchestrator.call(lambda: record(engine.run, event, step="publish", blobs=(blob,)))
"""
CELLS = ("%load_ext stepwell", "%%step publish --defer\nurl = 1", ASK)
STEP = 1
BUSY = "from pathlib import Path\nwhile not Path('enough').exists():\n    pass"
DECIDED = "%stepwell sql select status, note, epoch_ms(decided) as ms from approvals"


def asked(lab: LabNotebook, number: int = STEP) -> Locator:
    """The form below a step's card."""
    form = lab.output(number).get_by_role("region", name="Publish this report?")
    expect(form.get_by_role("button", name="Edit")).to_be_enabled()
    return form


def opened(folder: Path, open_lab: Open, *cells: str) -> LabNotebook:
    """A notebook that has asked; the cells given have not been run."""
    lab = open_lab(lab_notebook(folder, *CELLS, *cells))
    for number in range(len(CELLS)):
        lab.run(number)
        lab.expect_done(number)
    return lab


def decision(lab: LabNotebook, number: int) -> str:
    """What the store says, asked for in a cell."""
    lab.run(number)
    lab.expect_done(number)
    expect(lab.output(number)).to_contain_text("ms")
    return lab.output(number).inner_text()


def test_approved_by_a_click(folder: Path, open_lab: Open) -> None:
    """It says so when the store does; the form goes, and the view tells who decided."""
    lab = opened(folder, open_lab, "%stepwell view", DECIDED)
    form = asked(lab)
    expect(form).to_contain_text("Heat pumps")
    lab.run(3)
    view = lab.output(3).get_by_role("region", name="Run", exact=True)
    expect(view.get_by_role("button", name="Approve")).to_be_visible()
    lab.shoot("approve-asked")
    form.get_by_role("button", name="Approve").click()
    expect(form).to_have_count(0)
    expect(view).to_contain_text("✓ approved")
    lab.shoot("approve-done")
    assert "approved" in decision(lab, 4)


def test_approved_with_changes(folder: Path, open_lab: Open) -> None:
    """Edit opens a form; what is changed is shown, and is what is kept."""
    lab = opened(folder, open_lab, DECIDED)
    form = asked(lab)
    form.get_by_role("button", name="Edit").click()
    expect(form.get_by_label("title")).to_be_focused()
    form.get_by_label("title").fill("Heat pumps today")
    form.get_by_label("text").fill("one\n2\nthree")
    expect(form.get_by_label("What you change")).to_contain_text("+Heat pumps today")
    lab.shoot("approve-edit")
    form.get_by_role("button", name="Approve changes").click()
    expect(form).to_have_count(0)
    assert "edited" in decision(lab, 3)


def test_rejected_by_keyboard_alone(folder: Path, open_lab: Open) -> None:
    """Tab, Enter, Escape and a reason: no mouse is needed, and the reason is kept."""
    lab = opened(folder, open_lab, DECIDED)
    form = asked(lab)
    keyboard = lab.page.keyboard
    form.get_by_role("button", name="Approve").focus()
    keyboard.press("Tab")
    keyboard.press("Tab")
    expect(form.get_by_role("button", name="Reject")).to_be_focused()
    keyboard.press("Enter")
    expect(form.get_by_label("Reason")).to_be_focused()
    # Single keys are commands of the notebook's: dd deletes cells, b makes one.
    keyboard.type("Not dd a b yet")
    keyboard.press("Escape")
    expect(form.get_by_role("button", name="Reject")).to_be_focused()
    keyboard.press("Enter")
    keyboard.type("Too early")
    lab.shoot("reject-reason")
    keyboard.press("Control+Enter")
    expect(form).to_have_count(0)
    assert lab.page.locator(".jp-Notebook .jp-CodeCell").count() == 4
    said = decision(lab, 3)
    assert "rejected" in said
    assert "Too early" in said


def test_approved_while_a_cell_computes(folder: Path, open_lab: Open) -> None:
    """A busy kernel takes the click at once: it is stored while the cell still runs."""
    lab = opened(folder, open_lab, BUSY, DECIDED)
    form = asked(lab)
    lab.run(3)
    lab.expect_busy(3)
    button = form.get_by_role("button", name="Approve")
    button.evaluate("it => it.addEventListener('click', () => { window.clicked = Date.now() })")
    button.click()
    expect(form).to_have_count(0)
    lab.expect_busy(3)
    clicked = lab.page.evaluate("() => window.clicked")
    (folder / "enough").touch()
    lab.expect_done(3)
    [stored] = re.findall(r"\b1\d{12}\b", decision(lab, 4))
    print(f"click to decision stored, beside a computing cell: {int(stored) - clicked} ms")
    assert 0 <= int(stored) - clicked < 2000


def test_two_tabs_decide_once(folder: Path, open_lab: Open) -> None:
    """Whoever comes second is told how it was decided, and nothing else happens."""
    lab = opened(folder, open_lab, "%stepwell view", DECIDED)
    lab.run(3)
    asked(lab)
    lab.save()
    other = open_lab(folder / "note.ipynb")
    first, second = asked(lab), asked(other)
    second.get_by_role("button", name="Reject").click()
    second.get_by_label("Reason").fill("I was late")
    first.get_by_role("button", name="Approve").click()
    expect(first).to_have_count(0)
    closed = other.output(3).get_by_role("region", name="Publish this report?")
    expect(closed).to_contain_text("✓ approved")
    expect(closed).to_contain_text("(widget)")
    said = decision(lab, 4)
    assert "approved" in said
    assert "late" not in said


def test_a_restart_leaves_a_question_that_can_be_answered(folder: Path, open_lab: Open) -> None:
    """The saved notebook names another way; the next kernel brings the form back."""
    lab = opened(folder, open_lab, DECIDED)
    asked(lab)
    lab.save()
    lab.restart()
    lab.reload()
    expect(lab.output(STEP)).to_contain_text("Publish this report?")
    expect(lab.output(STEP)).to_contain_text("%stepwell approve publish")
    for number in (0, 1):
        lab.run(number)
    asked(lab).get_by_role("button", name="Approve").click()
    expect(lab.output(STEP)).not_to_contain_text("needs a person")
    assert "approved" in decision(lab, 3)


def test_a_step_runs_when_its_question_is_approved(folder: Path, open_lab: Open) -> None:
    """From the click to what the step does with the changed value."""
    notebook = lab_notebook(
        folder,
        "%load_ext stepwell",
        "%%step draft\nreport = {'title': 'Heat pumps', 'pages': 12}",
        "%%step publish --approve 'Publish this report?' --edit report\n"
        "open('log', 'a').write(report['title'] + '.')\nurl = 'https://example.org'",
    )
    lab = open_lab(notebook)
    lab.run_all()
    form = asked(lab, 2)
    expect(form).to_contain_text("Heat pumps")
    assert not (folder / "log").exists()
    lab.shoot("approve-step")
    form.get_by_role("button", name="Edit").click()
    form.get_by_label("title").fill("Heat pumps today")
    form.get_by_role("button", name="Approve changes").click()
    expect(lab.card(2)).to_contain_text("done")
    assert (folder / "log").read_text() == "Heat pumps today."


def test_a_question_wants_a_value(folder: Path, open_lab: Open) -> None:
    """`stepwell.ask` is answered in a form made from the type it asks for."""
    notebook = lab_notebook(
        folder,
        "%load_ext stepwell",
        "%%setup\nfrom typing import Literal\nimport stepwell\n"
        "from pydantic import BaseModel, Field",
        "%%setup\nclass Order(BaseModel):\n    kind: Literal['small', 'large']\n"
        "    pieces: int = Field(ge=1)\n",
        "%%step order\nwanted = await stepwell.ask('What shall be ordered?', schema=Order)\n"
        "text = f'{wanted.pieces} {wanted.kind}'",
        "print(text)",
    )
    lab = open_lab(notebook)
    for number in range(4):
        lab.run(number)
        lab.expect_done(number)
    form = lab.output(3).get_by_role("region", name="What shall be ordered?")
    form.get_by_label("Kind").select_option("large")
    form.get_by_label("Pieces").fill("0")
    form.get_by_role("button", name="Answer").click()
    expect(form.get_by_label("Pieces")).to_have_accessible_description("is less than 1")
    lab.shoot("ask")
    form.get_by_label("Pieces").fill("3")
    form.get_by_role("button", name="Answer").click()
    expect(lab.card(3)).to_contain_text("done")
    lab.run(4)
    expect(lab.output(4)).to_have_text("3 large")


def test_a_page_that_is_loaded_while_a_cell_computes_has_its_forms(
    folder: Path, open_lab: Open
) -> None:
    """The kernel cannot answer what the page asks, so it tells the page; the click is stored."""
    lab = opened(folder, open_lab, f"{BUSY}\nPath('ended').touch()", DECIDED)
    asked(lab)
    lab.save()
    lab.run(3)
    lab.expect_busy(3)
    lab.page.goto(lab.page.url, wait_until="domcontentloaded")
    form = lab.output(STEP).get_by_role("region", name="Publish this report?")
    expect(form.get_by_role("button", name="Approve")).to_be_enabled(timeout=60_000)
    form.get_by_role("button", name="Approve").click()
    expect(form).to_contain_text("approved")
    assert not (folder / "ended").exists()
    lab.shoot("loaded-while-busy")
    (folder / "enough").touch()
    lab.expect_status("Idle")
    assert "approved" in decision(lab, 4)
    # The page is told, too, that the widget is gone which it never had.
    lab.complaints[:] = [it for it in lab.complaints if "Comm not found" not in it]
