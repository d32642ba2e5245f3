"""One JupyterLab and one browser for all tests; each test opens notebooks of its own."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import LabNotebook, Open, chromium, server
from playwright.sync_api import BrowserContext, expect


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that JupyterLab shows."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def address(root: Path) -> Iterator[str]:
    """A running JupyterLab."""
    with server(root) as found:
        yield found


@pytest.fixture(scope="session")
def window() -> Iterator[BrowserContext]:
    """A browser window. Its cache serves all tests, so that pages load fast."""
    expect.set_options(timeout=30_000)
    with chromium() as browser:
        opened = browser.new_context(viewport={"width": 1280, "height": 1500})
        opened.set_default_timeout(30_000)
        yield opened
        opened.close()


@pytest.fixture
def folder(root: Path, request: pytest.FixtureRequest) -> Path:
    """This test's own folder."""
    made = root / re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:60]
    made.mkdir()
    return made


@pytest.fixture
def open_lab(root: Path, address: str, window: BrowserContext) -> Iterator[Open]:
    """Opens notebooks; sees in the end that no page has complained, and stops their kernels."""
    opened: list[LabNotebook] = []

    def open_notebook(notebook: Path) -> LabNotebook:
        page = window.new_page()
        opened.append(LabNotebook(page, address, notebook.relative_to(root).as_posix()))
        return opened[-1]

    yield open_notebook
    stop_kernels(window, address)
    for lab in opened:
        lab.page.close()
    assert [lab.complaints for lab in opened if lab.complaints] == []


def stop_kernels(window: BrowserContext, address: str) -> None:
    """End every kernel as JupyterLab does when it is asked to; they let go of their stores."""
    for session in window.request.get(f"{address}/api/sessions").json():
        window.request.delete(f"{address}/api/sessions/{session['id']}")
