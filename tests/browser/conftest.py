"""One JupyterLab and one browser for all tests; each test opens notebooks of its own."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from lab import LabNotebook, Notebook7, Open, OpenNotebook7, chromium, server
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


Front = TypeVar("Front", bound=LabNotebook)


@pytest.fixture
def open_lab(root: Path, address: str, window: BrowserContext) -> Iterator[Open]:
    """Opens notebooks; sees in the end that no page has complained, and stops their kernels."""
    yield from opener(LabNotebook, root, address, window)


@pytest.fixture
def open_notebook_7(root: Path, address: str, window: BrowserContext) -> Iterator[OpenNotebook7]:
    """The same in Notebook 7."""
    yield from opener(Notebook7, root, address, window)


def opener(
    kind: type[Front], root: Path, address: str, window: BrowserContext
) -> Iterator[Callable[[Path], Front]]:
    """Opens pages of one kind, until the test is over."""
    opened: list[Front] = []

    def open_notebook(notebook: Path) -> Front:
        page = window.new_page()
        opened.append(kind(page, address, notebook.relative_to(root).as_posix()))
        return opened[-1]

    yield open_notebook
    stop_kernels(window, address)
    for front in opened:
        front.page.close()
    assert [front.complaints for front in opened if front.complaints] == []


def stop_kernels(window: BrowserContext, address: str) -> None:
    """End every kernel as JupyterLab does when it is asked to; they let go of their stores."""
    for session in window.request.get(f"{address}/api/sessions").json():
        window.request.delete(f"{address}/api/sessions/{session['id']}")
