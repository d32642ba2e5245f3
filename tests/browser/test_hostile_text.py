"""Text that wants to be more than text, in everything that models and users can write, in a
real front end: below the cells, in the run view, in forms, after saving and after a restart.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import HOSTILE, MIXED
from lab import LabNotebook, Open, lab_notebook
from playwright.sync_api import Dialog, Locator, expect

pytestmark = pytest.mark.browser

CELLS = (
    "%load_ext stepwell",
    "%%setup\nimport asyncio, stepwell, sys\nfrom pydantic import BaseModel, Field, create_model\n"
    f"BAD = {MIXED!r}\nEACH = {[text[:3000] for text in HOSTILE]!r}",
    "%%setup\n@stepwell.durable\nasync def tool(text):\n    return [text, {text: text}]\n"
    "@stepwell.durable\nasync def speak(text):\n    for _ in range(3):\n"
    "        yield text\n        await asyncio.sleep(0.05)\n"
    "@stepwell.durable(approve=lambda text: text)\nasync def careful(text):\n    return text\n",
    "%%step says\nimport pandas as pd\nprint(BAD)\nprint('x' * 1_000_000)\nsys.stderr.write(BAD)\n"
    "text, tree = BAD, {BAD: [BAD]}\ntable = pd.DataFrame({BAD[:300]: EACH})\n"
    "long = 'x' * 1_000_000\nstepwell.progress(1, 2, BAD)",
    "%%step fails --retries 1 --backoff 10ms\nraise ConnectionError(BAD)",
    "%%step each --map it=EACH --key it[:200] --keep-going\n"
    "if 'script' in it: raise ValueError(it)\nmade = it",
    "%%step calls\nfound = await tool(BAD)\n"
    "said = ''.join([piece async for piece in speak(BAD)])[:2000]",
    "%%step skips --when \"'<img src=x onerror=window.pwned=1>' == BAD\"\nnothing = BAD",
    "%agent look(topic: str) -> seen",
    "%%step glance --agent look\nprint(topic)\nseen = topic",
    "%%step asks_child\nseen_there = await look(topic=BAD)",
    "%%step asks\nForm = create_model('Form', title=(str, Field(BAD[:500], title=BAD, "
    "description=BAD)))\nwanted = await stepwell.approve(BAD, Form(), schema=Form)",
    "%%step declines\ngiven = await stepwell.approve(BAD, {BAD[:200]: BAD})",
    "%%step careful_call\ndone = await careful(BAD)",
    "%stepwell wait says calls asks_child",
    "%stepwell view",
)
VIEW = len(CELLS) - 1


@pytest.fixture
def lab(folder: Path, open_lab: Open) -> Iterator[LabNotebook]:
    """A notebook full of it. In the end nothing has been executed, loaded or left."""
    made = open_lab(lab_notebook(folder, *CELLS))
    asked_for: list[str] = []
    made.page.on("request", lambda request: asked_for.append(request.url))
    said: list[str] = []

    def hear(dialog: Dialog) -> None:
        # The notebook itself asks before a page is left that is not saved.
        if dialog.type != "beforeunload":
            said.append(dialog.message)
        dialog.accept()

    made.page.on("dialog", hear)
    here = made.page.url.split("?")[0]
    yield made
    assert said == []
    assert [url for url in asked_for if "evil" in url or url.endswith("/x")] == []
    assert made.page.url.split("?")[0] == here


def expect_harmless(place: Locator) -> None:
    """Nothing in it does anything, and nothing in it leads anywhere."""
    page = place.page
    assert page.evaluate("() => window.pwned") is None
    bad = "script, iframe, object, embed, form, style, svg[onload], a[href^='javascript' i]"
    assert place.locator(f":is({bad})").count() == 0
    assert place.locator("xpath=.//@*[starts-with(name(), 'on')]").count() == 0
    assert place.locator("img:not([src^='data:image/'])").count() == 0
    ours = place.locator(":is(.jp-RenderedHTMLCommon, .sw-view, .sw-ask)")
    assert ours.locator("mjx-container").count() == 0
    # What a step prints itself is an output like any other, and the notebook's to show.
    assert "\u202e" not in "".join(ours.all_inner_texts())


def expect_all_harmless(lab: LabNotebook) -> None:
    """What stands below each cell."""
    for number in range(len(CELLS)):
        lab.cell(number).scroll_into_view_if_needed()
        expect_harmless(lab.output(number))


def test_nothing_hostile_is_more_than_text_in_a_notebook(lab: LabNotebook) -> None:
    """Cards, view, details, forms; answered by clicks; saved, reloaded, restarted."""
    for number in range(len(CELLS)):
        lab.run(number)
    lab.expect_done(VIEW)
    view = lab.output(VIEW).get_by_role("region", name="Run", exact=True)
    expect(view.get_by_role("tablist")).to_be_visible()
    details = view.get_by_role("region", name="Details", exact=True)
    for step in ("says", "fails", "each", "calls", "skips", "asks_child", "asks", "declines"):
        view.get_by_role("tab", name="Steps").click()
        view.locator(".sw-step-row", has_text=step).first.click()
        expect(details.locator(".sw-details-body summary").first).to_be_visible()
        for _ in range(3):
            opening = "it => it.querySelectorAll('details').forEach((one) => { one.open = true })"
            details.evaluate(opening)
            lab.page.wait_for_timeout(150)
        expect_harmless(view)
        lab.shoot(f"hostile-{step}")
        view.get_by_role("button", name="Close details").first.click()
    view.get_by_role("tab", name="Timeline").click()
    view.get_by_role("button", name="Items of each").click()
    view.get_by_role("button", name="as a table").click()
    expect_harmless(view)
    view.get_by_role("tab", name="Flow").click()
    decide(lab)
    expect_all_harmless(lab)
    lab.save()
    lab.reload()
    expect_all_harmless(lab)
    lab.restart()
    lab.reload()
    expect_all_harmless(lab)
    lab.output(VIEW).scroll_into_view_if_needed()
    lab.shoot("hostile-restarted")
    lab.expect_usable()


def decide(lab: LabNotebook) -> None:
    """Approve with changes, reject with a reason, and approve a call: each by clicks."""
    asks = lab.output(11).locator(".sw-ask")
    asks.get_by_role("button", name="Edit").click()
    asks.get_by_role("textbox").first.fill(MIXED[:400])
    expect_harmless(asks)
    lab.shoot("hostile-form")
    asks.get_by_role("button", name="Approve changes").click()
    expect(lab.card(11)).to_contain_text("done")
    declines = lab.output(12).locator(".sw-ask")
    declines.get_by_role("button", name="Reject").click()
    declines.get_by_label("Reason").fill(MIXED)
    declines.get_by_role("button", name="Reject").click()
    expect(lab.card(12)).to_contain_text("ApprovalRejected")
    careful = lab.output(13).locator(".sw-ask")
    careful.get_by_role("button", name="Always").click()
    expect(lab.card(13)).to_contain_text("done")
