"""A real JupyterLab on loopback, and a headless browser to use it as a person does.

Nothing here sleeps and hopes: each action waits for what the page shows or the kernel says.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from shutil import which

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Response,
    WebSocket,
    expect,
    sync_playwright,
)
from written import write_notebook

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

_DATE = re.compile(rb'"date": ?"([^"]+)"')

SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "screenshots"


@contextmanager
def server(folder: Path) -> Generator[str]:
    """The front end's address while it serves this folder. Settings are its own."""
    private = folder / ".jupyter-test"
    # Otherwise JupyterLab asks, above the notebook, whether it may look for news.
    news = private / "settings" / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(private / "config"),
        "JUPYTER_DATA_DIR": str(private / "data"),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(private / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(private / "workspaces"),
        "IPYTHONDIR": str(private / "ipython"),
    }
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--IdentityProvider.token="]
    command += [f"--ServerApp.root_dir={folder}", "--ServerApp.disable_check_xsrf=True"]
    log = folder / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            with suppress(OSError):
                urllib.request.urlopen(found[0] + "/api", timeout=5)
                return found[0]
        time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


@contextmanager
def chromium() -> Generator[Browser]:
    """The browser that STEPWELL_BROWSER names, or Chromium from the PATH; headless."""
    path = os.environ.get("STEPWELL_BROWSER") or which("chromium")
    assert path, "put the path of a Chromium or Chrome into STEPWELL_BROWSER"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


class LabNotebook:
    """One notebook open in JupyterLab. Code cells are counted from 0."""

    def __init__(self, page: Page, address: str, path: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        """What went wrong in the page, in the browser's words."""
        self.heard: list[bytes] = []
        """Every message of a kernel's, as it came."""
        self._url = self._address_of(address, path)
        self._greetings = 0
        page.on("websocket", self._listen)
        page.on("console", self._note)
        page.on("pageerror", self._note_error)
        self._expect_kernel(self._go)

    def _address_of(self, address: str, path: str) -> str:
        return f"{address}/lab/tree/{path}?reset"

    # -- what a person does ---------------------------------------------------------------

    def run(self, number: int) -> None:
        """Shift+Enter in a cell; does not wait for it."""
        self._click_into(number)
        self.page.keyboard.press("Shift+Enter")

    def write(self, number: int, source: str) -> None:
        """Put another text into a cell, without running it."""
        self._click_into(number)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)

    def run_all(self) -> None:
        """Run every cell from the top; does not wait for them."""
        self.menu("Run", "runmenu:run-all")

    def restart(self) -> None:
        """Restart the kernel, and wait until the new one answers."""
        self.menu("Kernel", "kernelmenu:restart")
        self._expect_kernel(self.page.locator(".jp-Dialog .jp-mod-accept").click)

    def interrupt(self) -> None:
        """The button with the square."""
        self.page.locator(".jp-NotebookPanel-toolbar [data-jp-item-name='interrupt']").click()

    def save(self) -> None:
        """Save, and wait until it is on disk."""
        with self.page.expect_response(_is_saved):
            self.menu("File", "docmanager:save")

    def reload(self) -> None:
        """Load the page again, as F5 does. The kernel goes on."""
        self._expect_kernel(self._go)

    def menu(self, name: str, command: str) -> None:
        """Choose an entry of the menu bar, by its command: texts carry shortcuts."""
        self.page.get_by_role("menuitem", name=name, exact=True).click()
        self.page.locator(f".lm-Menu [data-command='{command}']").click()

    def theme(self, name: str) -> None:
        """Choose a theme by its name in the menu."""
        self.page.get_by_role("menuitem", name="Settings", exact=True).click()
        self.page.locator(".lm-Menu-item", has_text="Theme").first.hover()
        self.page.locator(".lm-Menu").last.get_by_role("menuitem", name=name, exact=True).click()
        expect(self.page.locator(f"body[data-jp-theme-name='{name}']")).to_be_attached()
        expect(self.page.locator("#jupyterlab-splash")).not_to_be_attached()

    # -- what a person sees ---------------------------------------------------------------

    def cell(self, number: int) -> Locator:
        """A code cell."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def output(self, number: int) -> Locator:
        """Everything below a code cell."""
        return self.cell(number).locator(".jp-Cell-outputWrapper")

    def card(self, number: int) -> Locator:
        """The card below a step's cell: it comes first."""
        return self.cell(number).locator(".jp-OutputArea-output").first

    def expect_done(self, number: int) -> None:
        """Wait until a cell has been executed (its step may go on)."""
        expect(self.cell(number).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\d"))

    def expect_busy(self, number: int) -> None:
        """See that a cell is being executed, or waits for its turn."""
        expect(self.cell(number).locator(".jp-InputPrompt")).to_have_text("[*]:")

    def expect_status(self, word: str) -> None:
        """Wait for what the status bar says of the kernel: Idle, Busy."""
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text(f"| {word}")

    def expect_usable(self) -> None:
        """See that the page still answers: the kernel is idle and the editor takes text."""
        self.expect_status("Idle")
        last = self.page.locator(".jp-Notebook .jp-CodeCell").count() - 1
        self.write(last, "print(6 * 7)")
        self.run(last)
        expect(self.output(last)).to_have_text("42")

    def busiest_second(self, word: bytes) -> int:
        """How many messages with this word the kernel has sent in any one second, by its clock."""
        dates = [
            datetime.fromisoformat(found[1].decode()).timestamp()
            for said in self.heard
            if word in said and b"comm_msg" in said and (found := _DATE.search(said))
        ]
        return max((sum(at <= other < at + 1 for other in dates) for at in dates), default=0)

    def shoot(self, name: str) -> None:
        """Take a picture of the page, to be looked at: build/screenshots/`name`.png."""
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    # -- inside -----------------------------------------------------------------------------

    def _click_into(self, number: int) -> None:
        self.cell(number).locator(".jp-InputArea-editor").click()

    def _go(self) -> None:
        self.page.goto(self._url, wait_until="domcontentloaded")

    def _expect_kernel(self, act: Callable[[], object]) -> None:
        """Act, and wait until a kernel has said hello on a new connection and is idle.

        Before that, JupyterLab passes over a cell that is run, without a word.
        """
        before = self._greetings
        act()
        end = time.monotonic() + 60
        while self._greetings == before:
            assert time.monotonic() < end, "no kernel has said hello"
            self.page.wait_for_timeout(20)
        self.expect_status("Idle")

    def _listen(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:
            socket.on("framereceived", self._hear)

    def _hear(self, frame: str | bytes) -> None:
        said = frame if isinstance(frame, bytes) else frame.encode()
        self._greetings += b"kernel_info_reply" in said
        self.heard.append(said)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _note_error(self, error: Error) -> None:
        self.complaints.append(str(error))


class Notebook7(LabNotebook):
    """The same in Notebook 7, which has a page for each document and no status bar."""

    def _address_of(self, address: str, path: str) -> str:
        return f"{address}/notebooks/{path}"

    def _note_error(self, error: Error) -> None:
        # Notebook 7 itself raises these when a document is opened.
        own = ("reading 'schema'", "'filebrowser:open-path' not registered")
        if not any(said in str(error) for said in own):
            super()._note_error(error)

    def expect_status(self, word: str) -> None:
        """Wait for what the circle beside the kernel's name says: Idle, Busy."""
        circle = self.page.locator(".jp-Notebook-ExecutionIndicator")
        expect(circle).to_have_attribute("data-status", word.lower())


def _is_saved(response: Response) -> bool:
    return response.request.method == "PUT" and "/api/contents/" in response.url


Open = Callable[[Path], LabNotebook]
"""Opens a notebook of the server's folder, with a kernel."""

OpenNotebook7 = Callable[[Path], Notebook7]
"""The same in Notebook 7."""


def lab_notebook(folder: Path, *cells: str, name: str = "note.ipynb") -> Path:
    """Write a notebook that says what kernel it is for, so that JupyterLab does not ask."""
    notebook = write_notebook(folder, *cells, name=name)
    content = json.loads(notebook.read_text("utf-8"))
    content["metadata"]["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    notebook.write_text(json.dumps(content), "utf-8")
    return notebook
