"""What people do by clicks and keys, in JupyterLab: each button, and each kind of field."""

import re
from pathlib import Path

import pytest
from lab import LabNotebook, Open, lab_notebook
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

TOOLS = """%%setup
import asyncio, stepwell
from datetime import date
from typing import Literal
from pydantic import BaseModel, Field
@stepwell.durable(approve="Send it?")
async def send(to):
    open('sent', 'a').write(to)
    return len(to)
"""
FORMS = """%%setup
class Address(BaseModel):
    city: str = Field(min_length=2)
    number: int = Field(ge=1)
class Order(BaseModel):
    kind: Literal['small', 'large']
    day: date
    tags: list[str] = Field(min_length=1)
    to: Address
    urgent: bool = False
"""


def opened(folder: Path, open_lab: Open, *cells: str) -> LabNotebook:
    """A notebook whose cells have been run, the last of which shows the run."""
    lab = open_lab(lab_notebook(folder, "%load_ext stepwell", TOOLS, *cells, "%stepwell view"))
    for number in range(len(cells) + 3):
        lab.run(number)
        lab.expect_done(number)
    return lab


def view_in(lab: LabNotebook, number: int) -> Locator:
    """The run view below a cell."""
    found = lab.output(number).get_by_role("region", name="Run", exact=True)
    expect(found.get_by_role("tablist")).to_be_visible()
    return found


def test_a_question_whose_time_is_up_says_so(folder: Path, open_lab: Open) -> None:
    """While somebody fills in its form; a click that comes too late changes nothing."""
    asks = (
        "%%step asks\ngiven = await stepwell.approve('Publish?', {'n': 1}, edit=True, timeout='6s')"
    )
    lab = opened(folder, open_lab, asks)
    form = view_in(lab, 3).get_by_role("region", name="Publish?")
    expect(form).to_contain_text("left, then it is rejected")
    form.get_by_role("button", name="Edit").click()
    form.get_by_label("n", exact=True).fill("2")
    button = form.get_by_role("button", name="Approve changes").element_handle()
    lab.shoot("expiring")
    expect(form).to_contain_text("rejected")
    expect(form).to_contain_text("its time was up")
    expect(form).to_contain_text("What was begun here was not sent")
    expect(form.get_by_role("button")).to_have_count(0)
    button.evaluate("it => it.click()")
    lab.shoot("expired")
    expect(lab.card(2)).to_contain_text("ApprovalRejected")
    expect(form).to_contain_text("its time was up")


def test_always_asks_no_more_for_the_same_tool(folder: Path, open_lab: Open) -> None:
    """One click for all calls of the run; the second is made without a question."""
    lab = opened(folder, open_lab, "%%step mails\na = await send('ana')\nb = await send('bo')")
    form = lab.output(2).get_by_role("region", name="Send it?")
    form.get_by_role("button", name="Always").click()
    expect(lab.card(2)).to_contain_text("done")
    assert (folder / "sent").read_text() == "anabo"
    view = view_in(lab, 3)
    view.get_by_role("button", name="mails: done").click()
    details = view.get_by_role("region", name="Details", exact=True)
    details.get_by_text("Approvals").click()
    expect(details).to_contain_text("Send it?")
    lab.shoot("always")


def test_a_run_is_forked_from_a_step_by_a_click(folder: Path, open_lab: Open) -> None:
    """A run of its own from there on, which is then the one in view."""
    cells = (
        "%%step a\nopen('log', 'a').write('a')\nx = 1",
        "%%step b\nopen('log', 'a').write('b')\ny = x",
    )
    lab = opened(folder, open_lab, *cells)
    view = view_in(lab, 4)
    expect(view.get_by_role("button", name="b: done")).to_be_visible()
    before = view.locator(".sw-name code").inner_text()
    view.get_by_role("button", name="b: done").click()
    view.get_by_role("button", name="Fork from here").click()
    view = view_in(lab, 4)
    expect(view.locator(".sw-name code")).not_to_have_text(before)
    expect(view).to_contain_text("2 of 2 steps done")
    assert (folder / "log").read_text() == "abb"
    lab.shoot("forked")


def test_a_step_and_a_run_are_cancelled_by_a_click(folder: Path, open_lab: Open) -> None:
    """What is under way ends, what waits for it says so; run again, it goes on."""
    waits = (
        "%%step waits\nimport os\nwhile not os.path.exists('go'): await asyncio.sleep(0.01)\nx = 1"
    )
    lab = opened(
        folder, open_lab, waits, "%%step after\ny = x", "%%step other\nawait asyncio.sleep(60)"
    )
    view = view_in(lab, 5)
    view.get_by_role("button", name="waits: running").click()
    details = view.get_by_role("region", name="Details", exact=True)
    details.get_by_role("button", name="Cancel").click()
    expect(view.get_by_role("button", name="waits: cancelled")).to_be_visible()
    expect(lab.card(2)).to_contain_text("cancelled")
    expect(view.get_by_role("button", name="after: waiting")).to_contain_text("blocked by waits")
    view.locator(".sw-head").get_by_role("button", name="Cancel").click()
    expect(view.get_by_role("button", name="other: cancelled")).to_be_visible()
    lab.shoot("cancelled")
    (folder / "go").touch()
    details.get_by_role("button", name="Run again").click()
    expect(view.get_by_role("button", name="waits: done")).to_be_visible()


def test_a_run_that_is_paused_goes_on_by_a_click(folder: Path, open_lab: Open) -> None:
    """Nothing starts in between, and the cards say why."""
    until = "import os\nwhile not os.path.exists('go'): await asyncio.sleep(0.01)"
    lab = opened(folder, open_lab, f"%%step first\n{until}\nx = 1", "%%step second\ny = x")
    view = view_in(lab, 4)
    view.get_by_role("button", name="Pause").click()
    expect(view).to_contain_text("paused")
    (folder / "go").touch()
    expect(view.get_by_role("button", name="first: done")).to_be_visible()
    expect(lab.card(3)).to_contain_text("the run is paused")
    lab.shoot("paused")
    view.get_by_role("button", name="Continue").click()
    expect(view.get_by_role("button", name="second: done")).to_be_visible()


def test_nested_values_are_filled_in_by_keyboard(folder: Path, open_lab: Open) -> None:
    """Choice, date, list, nested, yes or no; what is wrong stands beside its field."""
    lab = opened(
        folder,
        open_lab,
        FORMS,
        "%%step order\nwanted = await stepwell.ask('What shall be ordered?', Order)\n"
        "text = f'{wanted.kind} {wanted.day} {wanted.tags} {wanted.to.city} {wanted.urgent}'",
    )
    form = lab.output(3).get_by_role("region", name="What shall be ordered?")
    keyboard = lab.page.keyboard
    form.get_by_label("Kind").focus()
    keyboard.press("ArrowDown")
    keyboard.press("Tab")
    keyboard.type("11282026")
    # Within the field there is a button for a calendar.
    for key in ("Tab", "Tab", "Enter"):
        keyboard.press(key)
    expect(form.get_by_label("Tags 1", exact=True)).to_be_focused()
    keyboard.type("green")
    for key in ("Tab", "Tab", "Tab"):
        keyboard.press(key)
    expect(form.get_by_label("City")).to_be_focused()
    keyboard.type("B")
    keyboard.press("Tab")
    keyboard.type("0")
    keyboard.press("Control+Enter")
    expect(form.get_by_label("City")).to_have_accessible_description(re.compile("shorter than 2"))
    expect(form.get_by_label("Number")).to_have_accessible_description(re.compile("less than 1"))
    expect(form.get_by_label("City")).to_be_focused()
    lab.shoot("nested-problems")
    keyboard.press("Control+a")
    keyboard.type("Bern")
    keyboard.press("Tab")
    keyboard.press("Control+a")
    keyboard.type("7")
    keyboard.press("Tab")
    keyboard.press("Space")
    lab.shoot("nested")
    keyboard.press("Control+Enter")
    expect(lab.card(3)).to_contain_text("done")
    lab.write(5, "print(text)")
    lab.run(5)
    expect(lab.output(5)).to_have_text("large 2026-11-28 ['green'] Bern True")


def test_questions_of_other_runs_are_reached_from_the_view(folder: Path, open_lab: Open) -> None:
    """Of runs that nobody advances here: which run asks is said, and the answer is kept for it."""
    asks = "%%step publish --approve 'Publish this?'\nurl = 'https://example.org'"
    lab = opened(folder, open_lab, "%%step draft\nreport = 1", asks)
    expect(view_in(lab, 4).get_by_role("button", name="Approve")).to_be_visible()
    old = view_in(lab, 4).locator(".sw-name code").first.inner_text()
    lab.write(5, f"%stepwell fork {old} --from draft")
    lab.run(5)
    lab.expect_done(5)
    lab.restart()
    lab.run(0)
    lab.expect_done(0)
    lab.run(4)
    view = view_in(lab, 4)
    view.get_by_text("1 open question in other runs of this store").click()
    other = view.locator(".sw-elsewhere").get_by_role("region", name="Publish this?")
    expect(other).to_contain_text(f"run {old} of note.ipynb")
    lab.shoot("elsewhere")
    other.get_by_role("button", name="Approve").click()
    expect(other).to_contain_text("approved")
    expect(other).to_contain_text(f"%stepwell resume {old}")
    lab.write(5, f"%stepwell sql select status from approvals where run = '{old}'")
    lab.run(5)
    expect(lab.output(5)).to_contain_text("approved")
