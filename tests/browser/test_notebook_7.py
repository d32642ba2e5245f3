"""The classic, document-centred front end: what JupyterLab has, seen and clicked there."""

from pathlib import Path

import pytest
from lab import Notebook7, OpenNotebook7, lab_notebook
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

CELLS = (
    "%load_ext stepwell",
    "%%step draft\nprint('writing')\nreport = {'title': 'Heat pumps', 'pages': 12}",
    "%%step publish --approve 'Publish this report?' --edit report\n"
    "url = f\"https://example.org/{report['title']}\"",
    "%stepwell view",
    "",
)
VIEW = 3


def view_of(notebook: Notebook7, number: int = VIEW) -> Locator:
    """The run view below a cell."""
    found = notebook.output(number).get_by_role("region", name="Run", exact=True)
    expect(found.get_by_role("tablist")).to_be_visible()
    found.scroll_into_view_if_needed()
    return found


def test_a_run_is_seen_as_a_graph_and_a_timeline(
    folder: Path, open_notebook_7: OpenNotebook7
) -> None:
    """Each step from close by, and when it ran and waited."""
    notebook = open_notebook_7(lab_notebook(folder, *CELLS))
    notebook.run_all()
    notebook.expect_done(VIEW)
    view = view_of(notebook)
    view.get_by_role("button", name="draft: done").click()
    details = view.get_by_role("region", name="Details", exact=True)
    expect(details).to_contain_text("writing")
    expect(details).to_contain_text("Heat pumps")
    notebook.shoot("notebook-7-flow")
    view.get_by_role("tab", name="Timeline").click()
    expect(view.get_by_role("list", name="Legend")).to_contain_text("asks a person")
    notebook.shoot("notebook-7-timeline")


def test_a_question_is_answered_by_clicks(folder: Path, open_notebook_7: OpenNotebook7) -> None:
    """With a change, below its card; the step goes on with it."""
    notebook = open_notebook_7(lab_notebook(folder, *CELLS))
    notebook.run_all()
    notebook.expect_done(VIEW)
    form = notebook.output(2).get_by_role("region", name="Publish this report?")
    form.get_by_role("button", name="Edit").click()
    form.get_by_label("title").fill("Heat pumps today")
    notebook.shoot("notebook-7-edit")
    form.get_by_role("button", name="Approve changes").click()
    expect(notebook.card(2)).to_contain_text("done")
    expect(view_of(notebook)).to_contain_text("approved with changes")
    notebook.write(4, "print(url)")
    notebook.run(4)
    expect(notebook.output(4)).to_have_text("https://example.org/Heat pumps today")


def test_after_a_restart_and_a_reload_it_is_read_and_brought_back(
    folder: Path, open_notebook_7: OpenNotebook7
) -> None:
    """No dead widget; the question stands in the page, and running the cells asks it again."""
    notebook = open_notebook_7(lab_notebook(folder, *CELLS))
    notebook.run_all()
    notebook.expect_done(VIEW)
    view_of(notebook)
    notebook.save()
    notebook.restart()
    expect(notebook.output(VIEW).get_by_role("region", name="Run")).to_have_count(0)
    notebook.save()
    notebook.reload()
    expect(notebook.output(VIEW).get_by_role("table")).to_contain_text("publish")
    expect(notebook.output(2)).to_contain_text("%stepwell approve publish")
    expect(notebook.page.locator("body")).not_to_contain_text("model not found")
    notebook.output(VIEW).scroll_into_view_if_needed()
    notebook.shoot("notebook-7-restarted")
    notebook.run_all()
    expect(notebook.card(1)).to_contain_text("restored")
    form = notebook.output(2).get_by_role("region", name="Publish this report?")
    form.get_by_role("button", name="Approve").click()
    expect(notebook.card(2)).to_contain_text("done")
    view = view_of(notebook)
    view.get_by_role("tab", name="Timeline").click()
    notebook.shoot("notebook-7-back")
    expect(view.get_by_role("list", name="Legend")).to_contain_text("restored")
