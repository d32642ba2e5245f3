"""The magics in a real kernel, over the wire: what a front end receives."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

COLOURS = re.compile("\x1b\\[[0-9;]*m")

NOTEBOOK = """
from stepwell.errors import UnknownStep
from stepwell.magics import register

class Fake:
    def show(self, name):
        raise UnknownStep(name, " Did you mean 'plan'?")
    def history(self, name):
        raise ZeroDivisionError("a mistake of ours")
    def setup(self, source):
        self.source = source
    def step_names(self):
        return ["plan", "search"]
    def run_ids(self):
        return ["brave-otter"]
    def agent_step_names(self):
        return []

    def output_names(self):
        return ["queries"]

fake = Fake()
unregister = register(get_ipython(), fake)
"""


class Kernel:
    """One kernel, asked one thing at a time."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client

    def run(self, code: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The reply, and the outputs with their message type in `kind`."""
        outputs: list[dict[str, Any]] = []

        def hear(message: dict[str, Any]) -> None:
            outputs.append({"kind": message["msg_type"], **message["content"]})

        reply = self._client.execute_interactive(
            code, timeout=90, output_hook=hear, allow_stdin=False, stop_on_error=False
        )
        return reply["content"], outputs

    def ask(self, message_id: str) -> dict[str, Any]:
        """The content of the reply to a request."""
        while True:
            reply: dict[str, Any] = self._client.get_shell_msg(timeout=90)
            if reply["parent_header"].get("msg_id") == message_id:
                return reply["content"]

    def complete(self, code: str) -> dict[str, Any]:
        """What the front end would offer at the end of `code`."""
        return self.ask(self._client.complete(code))

    def inspect(self, code: str) -> str:
        """What the front end would show for the name at the end of `code`."""
        return str(self.ask(self._client.inspect(code))["data"].get("text/plain", ""))


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with the magics of a notebook that knows two steps."""
    folder: Path = tmp_path_factory.mktemp("kernel")
    manager = KernelManager()
    environment = {
        **os.environ,
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    manager.start_kernel(cwd=str(folder), env=environment)
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=120)
        kernel = Kernel(client)
        assert kernel.run(NOTEBOOK)[0]["status"] == "ok"
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.mark.parametrize(
    ("code", "ename", "text"),
    [
        ("%stepwell show plam", "UnknownStep", "there is no step 'plam'. Did you mean 'plan'?"),
        ("%%step plan", "InvalidUsage", "a step needs code below the %%step line"),
        ("%%setup x\n1", "InvalidUsage", "%%setup stands alone on its line; take 'x' away"),
    ],
)
def test_our_errors_arrive_as_one_short_message(
    kernel: Kernel, code: str, ename: str, text: str
) -> None:
    """The error has the class as its name and one line as its traceback."""
    reply, outputs = kernel.run(code)
    assert reply["status"] == "error"
    (error,) = [output for output in outputs if output["kind"] == "error"]
    assert (error["ename"], error["evalue"]) == (ename, text)
    assert error["traceback"] == [f"{ename}: {text}"]
    assert [output for output in outputs if output["kind"] == "stream"] == []


def test_other_errors_keep_their_traceback(kernel: Kernel) -> None:
    """A mistake of ours can be found."""
    _, outputs = kernel.run("%stepwell history plan")
    (error,) = [output for output in outputs if output["kind"] == "error"]
    assert error["ename"] == "ZeroDivisionError"
    assert "_verbs.py" in "".join(error["traceback"])


def test_a_setup_cell_runs_as_a_cell(kernel: Kernel) -> None:
    """It may await, its last expression is shown, and its errors point at its lines."""
    _, outputs = kernel.run("%%setup\nimport asyncio\nawait asyncio.sleep(0, 'slept')")
    (shown,) = [output for output in outputs if output["kind"] == "execute_result"]
    assert shown["data"]["text/plain"] == "'slept'"
    _, outputs = kernel.run("fake.source")
    (shown,) = [output for output in outputs if output["kind"] == "execute_result"]
    assert "asyncio.sleep(0, 'slept')" in shown["data"]["text/plain"]
    _, outputs = kernel.run("%%setup\nx = 1\nawait asyncio.sleep(0)\nundefined")
    (error,) = [output for output in outputs if output["kind"] == "error"]
    traceback = COLOURS.sub("", "\n".join(error["traceback"]))
    assert "----> 4 undefined" in traceback
    assert "      3 await asyncio.sleep(0)" in traceback
    assert "      1 # %%setup" in traceback


@pytest.mark.parametrize(
    ("code", "matches"),
    [
        ("%%step plan --a", ["--after", "--always", "--agent", "--approve", "--approve-timeout"]),
        ("%%step new --after se", ["search"]),
        ("%stepwell show ", ["plan", "search", "brave-otter"]),
        ("%%step plan\nfake.hist", ["history"]),
    ],
)
def test_tab_works_over_the_wire(kernel: Kernel, code: str, matches: list[str]) -> None:
    """The front end receives our words, and Python's in the body."""
    reply = kernel.complete(code)
    start = reply["cursor_start"]
    assert [each.removeprefix("fake.") for each in reply["matches"]] == matches
    assert reply["cursor_end"] == len(code)
    assert all(code[start:].lstrip(".") in each for each in reply["matches"])


def test_inspection_explains(kernel: Kernel) -> None:
    """Shift-Tab and `?` show the help text."""
    assert "--transient NAME" in kernel.inspect("%%step")
    reply, _ = kernel.run("%stepwell?")
    assert "take a step out of the flow" in reply["payload"][0]["data"]["text/plain"]
