"""The run view in JupyterLab: what is seen, and what can be done from there."""

import re
from pathlib import Path

import pytest
from lab import LabNotebook, Open, lab_notebook
from nbconvert import HTMLExporter
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

FLOW = (
    "%load_ext stepwell",
    "%%step plan\ntopic = 'heat pumps'\nqueries = [topic + w for w in (' cost', ' noise')]",
    "%%step search\nimport pandas as pd\nprint('searching', len(queries))\n"
    "hits = pd.DataFrame({'query': queries, 'hits': [12, 31], 'score': [0.5, 0.9]})",
    "%%step chart\nimport matplotlib.pyplot as plt\nplt.figure(figsize=(4, 2))\n"
    "plt.bar(hits['query'], hits['hits'])\nbest = hits['hits'].max()",
    "%%step draft\nreport = {'topic': topic, 'best': int(best), 'text': 'long ' * 200}",
    "%%step publish\nurl = report['missing']",
    "%stepwell wait chart draft",
    "%stepwell view",
)
VIEW = 7


def view_of(lab: LabNotebook, number: int) -> Locator:
    """The run view below a cell."""
    found = lab.output(number).get_by_role("region", name="Run")
    expect(found.get_by_role("tablist")).to_be_visible()
    found.scroll_into_view_if_needed()
    return found


def open_flow(folder: Path, open_lab: Open) -> tuple[LabNotebook, Locator]:
    """A notebook that has run, with its run in view."""
    lab = open_lab(lab_notebook(folder, *FLOW))
    lab.run_all()
    lab.expect_done(VIEW)
    return lab, view_of(lab, VIEW)


def test_a_run_is_seen_as_a_graph_a_timeline_and_a_list(folder: Path, open_lab: Open) -> None:
    """Each step with its state; one of them close by, with what it made and said."""
    lab, view = open_flow(folder, open_lab)
    details = view.get_by_role("region", name="Details")
    view.get_by_role("button", name="search: done").click()
    expect(details).to_contain_text("searching 2")
    expect(details.get_by_role("columnheader", name="score")).to_be_visible()
    lab.shoot("view-flow")
    view.get_by_role("button", name="chart: done").click()
    expect(details.get_by_role("img")).to_be_visible()
    view.get_by_role("tab", name="Timeline").click()
    expect(view.get_by_role("list", name="Timeline").get_by_role("listitem")).to_have_count(5)
    lab.shoot("view-timeline")
    view.get_by_role("tab", name="Steps").click()
    view.get_by_role("button", name="publish").click()
    expect(details).to_contain_text("KeyError: 'missing'")
    expect(details.locator(".sw-marked")).to_have_text("url = report['missing']")
    expect(details).to_contain_text("Traceback")
    lab.shoot("view-failed")


def test_steps_are_found_by_name_and_by_state(folder: Path, open_lab: Open) -> None:
    """Typing narrows the list; so does the choice of a state."""
    _, view = open_flow(folder, open_lab)
    view.get_by_role("searchbox", name="Find a step").fill("keyerror")
    steps = view.get_by_role("list", name="Steps").get_by_role("listitem")
    expect(steps).to_have_count(1)
    expect(steps).to_contain_text("publish")
    view.get_by_role("searchbox").fill("")
    view.get_by_role("combobox", name="Show only").select_option("done")
    expect(steps).to_have_count(4)


def test_it_is_steered_from_the_view(folder: Path, open_lab: Open) -> None:
    """Run again, cancel and run do what the verbs do, and the view follows."""
    lab = open_lab(
        lab_notebook(
            folder,
            "%load_ext stepwell",
            "%%step a\nopen('log', 'a').write('a')\nx = 1",
            "%%step b --defer\nopen('log', 'a').write('b')\ny = x + 1",
            "%stepwell wait a",
            "%stepwell view",
        )
    )
    lab.run_all()
    lab.expect_done(4)
    view = view_of(lab, 4)
    view.get_by_role("button", name="a: done").click()
    view.get_by_role("button", name="Run again").click()
    expect(view.get_by_role("status").first).to_contain_text("a runs again")
    view.get_by_role("button", name="Run", exact=True).click()
    expect(view.get_by_role("button", name="b: done")).to_be_visible()
    assert (folder / "log").read_text() == "aab"
    view.get_by_role("button", name="Pause").click()
    expect(view).to_contain_text("paused")
    view.get_by_role("button", name="Continue").click()
    expect(view.get_by_role("button", name="Pause")).to_be_visible()
    expect(view).to_contain_text("2 of 2 steps done")


def test_dark_and_narrow(folder: Path, open_lab: Open) -> None:
    """Colours follow the theme; where there is little room, one thing stands below the other."""
    lab, view = open_flow(folder, open_lab)
    view.get_by_role("button", name="search: done").click()
    details = view.get_by_role("region", name="Details")
    expect(details).to_contain_text("searching 2")
    wide, panel = details.bounding_box(), view.get_by_role("tabpanel").bounding_box()
    assert wide is not None
    assert panel is not None
    assert wide["x"] >= panel["x"] + panel["width"] - 1
    light = view.evaluate("it => getComputedStyle(it).backgroundColor")
    lab.theme("JupyterLab Dark")
    view = view_of(lab, VIEW)
    assert light == "rgb(255, 255, 255)"
    assert view.evaluate("it => getComputedStyle(it).backgroundColor") != light
    lab.shoot("view-dark")
    lab.page.set_viewport_size({"width": 780, "height": 1100})
    view.scroll_into_view_if_needed()
    narrow, panel = details.bounding_box(), view.get_by_role("tabpanel").bounding_box()
    assert narrow is not None
    assert panel is not None
    assert narrow["y"] >= panel["y"] + panel["height"] - 1
    lab.shoot("view-narrow")
    lab.page.set_viewport_size({"width": 1280, "height": 1500})
    lab.theme("JupyterLab Light")


def test_the_keyboard_is_enough(folder: Path, open_lab: Open) -> None:
    """Tabs by arrows, steps by Enter, and back to where one was."""
    lab, view = open_flow(folder, open_lab)
    keyboard = lab.page.keyboard
    view.get_by_role("tab", name="Flow").focus()
    keyboard.press("ArrowRight")
    expect(view.get_by_role("tab", name="Timeline")).to_be_focused()
    keyboard.press("ArrowLeft")
    view.get_by_role("button", name="plan: done").focus()
    keyboard.press("Tab")
    expect(view.get_by_role("button", name="search: done")).to_be_focused()
    keyboard.press("Enter")
    details = view.get_by_role("region", name="Details")
    expect(details).to_contain_text("searching 2")
    view.get_by_role("button", name="Close details").focus()
    keyboard.press("Enter")
    expect(details).to_be_hidden()
    expect(view.get_by_role("button", name="search: done")).to_be_focused()


def test_ten_thousand_items_are_one_bar_that_opens(folder: Path, open_lab: Open) -> None:
    """A mapped step is told at most ten times a second, however many items are done."""
    lab = open_lab(
        lab_notebook(
            folder,
            "%load_ext stepwell",
            "%%step numbers\nns = list(range(10_000))",
            "%stepwell wait numbers",
            "%stepwell view",
            "%%step squares --map n=ns\nsquared = n * n",
            "%stepwell wait",
        )
    )
    for number in range(4):
        lab.run(number)
        lab.expect_done(number)
    view = view_of(lab, 3)
    lab.heard.clear()
    for number in (4, 5):
        lab.run(number)
    lab.expect_done(5)
    expect(view.get_by_role("button", name="squares: done, 10,000 items")).to_be_visible()
    rate = lab.busiest_second(b"changes")
    print(f"messages of the live view in its busiest second: {rate}")
    assert 1 <= rate <= 12
    view.get_by_role("tab", name="Timeline").click()
    view.get_by_role("button", name="Items of squares").click()
    expect(view.locator(".sw-item").first).to_be_visible()
    assert view.locator(".sw-row").count() < 60
    lab.shoot("view-items")


def test_after_a_restart_and_a_reload_what_was_seen_can_still_be_read(
    folder: Path, open_lab: Open
) -> None:
    """No dead widget stays; `%stepwell view` brings every view of the run back to life."""
    lab, view = open_flow(folder, open_lab)
    lab.save()
    lab.reload()
    view = view_of(lab, VIEW)
    view.get_by_role("button", name="search: done").click()
    expect(view.get_by_role("region", name="Details")).to_contain_text("searching 2")
    lab.restart()
    output = lab.output(VIEW)
    expect(output.get_by_role("region", name="Run")).to_have_count(0)
    expect(output.get_by_role("table")).to_contain_text("publish")
    lab.reload()
    expect(output.get_by_role("table")).to_contain_text("publish")
    expect(output).to_contain_text("%stepwell view shows it live")
    expect(lab.page.locator("body")).not_to_contain_text("model not found")
    output.scroll_into_view_if_needed()
    lab.shoot("view-restarted")
    lab.run(0)
    lab.expect_done(0)
    lab.write(6, "%stepwell view")
    lab.run(6)
    expect(view_of(lab, 6).get_by_role("button", name="search")).to_be_visible()
    expect(view_of(lab, VIEW).get_by_role("button", name="search")).to_be_visible()


def test_a_killed_kernel_leaves_no_dead_widget(folder: Path, open_lab: Open) -> None:
    """Even where nothing could be said before the end, the static view comes back."""
    lab, _ = open_flow(folder, open_lab)
    lab.save()
    lab.write(6, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    lab.run(6)
    dialog = lab.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("Kernel Restarting")
    dialog.get_by_role("button", name="Ok").click()
    output = lab.output(VIEW)
    expect(output.get_by_role("region", name="Run")).to_have_count(0)
    expect(output.get_by_role("table")).to_contain_text("publish")
    lab.reload()
    expect(output.get_by_role("table")).to_contain_text("publish")
    expect(lab.page.locator("body")).not_to_contain_text("model not found")


def test_an_export_is_read_without_a_kernel(folder: Path, open_lab: Open) -> None:
    """As HTML by nbconvert: what stood in the cells is there, and no widget is asked for."""
    lab, _ = open_flow(folder, open_lab)
    lab.save()
    exported, _ = HTMLExporter().from_filename(str(folder / "note.ipynb"))
    assert "application/vnd.jupyter.widget-view+json" not in exported
    page = lab.page.context.new_page()
    page.route(re.compile("^https?://"), lambda route: route.abort())
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.set_content(exported)
    table = page.get_by_role("table").filter(has=page.get_by_role("columnheader", name="state"))
    expect(table).to_contain_text("publish")
    expect(page.get_by_text("KeyError: 'missing'").first).to_be_visible()
    page.screenshot(path="build/screenshots/export.png")
    page.close()
    assert broken == []
