"""The run view in JupyterLab: what is seen, and what can be done from there."""

from pathlib import Path

import pytest
from lab import Open, lab_notebook
from playwright.sync_api import expect

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


def test_a_run_is_seen_as_a_graph_a_timeline_and_a_list(folder: Path, open_lab: Open) -> None:
    """`%stepwell view` draws the run over the static table; a step opens beside it."""
    lab = open_lab(lab_notebook(folder, *FLOW))
    lab.run_all()
    lab.expect_done(7)
    view = lab.output(7).get_by_role("region", name="Run")
    expect(view.get_by_role("tab", name="Flow")).to_be_visible()
    view.scroll_into_view_if_needed()
    view.get_by_role("button", name="search: done").click()
    expect(view.get_by_role("region", name="Details")).to_contain_text("searching 3")
    lab.shoot("view-flow")
    view.get_by_role("tab", name="Timeline").click()
    lab.shoot("view-timeline")
    view.get_by_role("tab", name="Steps").click()
    lab.shoot("view-steps")
    view.get_by_role("button", name="publish").click()
    lab.shoot("view-failed")
