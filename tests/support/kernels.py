"""A real kernel to run cells in, to look at, and to kill.

Cells are sent as a front end sends them, with a cell id; what comes back is kept by the
cell it belongs to, however late it comes.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

Message = dict[str, Any]
CARD = "application/vnd.stepwell.step+json"


@dataclass
class Answer:
    """What running a cell gave."""

    status: str
    error: str = ""
    ename: str = ""
    traceback: list[str] = field(default_factory=list[str])
    message_id: str = ""


class Kernel:
    """One kernel in one folder; `restart` gives a new process on the same notebook."""

    def __init__(self, folder: Path, *, notebook: str = "nb.ipynb", **environment: str) -> None:
        self.folder = folder
        self.notebook = folder / notebook
        self._environment = {
            **os.environ,
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_DATA_DIR": str(folder / "jupyter-data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "jupyter-runtime"),
            "JUPYTER_CONFIG_DIR": str(folder / "jupyter-config"),
            "JPY_SESSION_NAME": str(self.notebook),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            **environment,
        }
        self.messages: list[Message] = []
        self._manager: KernelManager | None = None
        self._client: BlockingKernelClient | None = None

    # -- life ---------------------------------------------------------------------------

    def start(self) -> "Kernel":
        """Start the process and wait until it answers."""
        self._manager = KernelManager()
        self._manager.start_kernel(cwd=str(self.folder), env=self._environment)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=120)
        return self

    @property
    def client(self) -> BlockingKernelClient:
        """The connection to the running process."""
        assert self._client is not None
        return self._client

    @property
    def pid(self) -> int:
        """The kernel's process id."""
        assert self._manager is not None
        provisioner: Any = self._manager.provisioner
        return int(provisioner.pid)

    def kill(self) -> None:
        """SIGKILL: nothing in the kernel gets to run."""
        os.kill(self.pid, signal.SIGKILL)
        self._let_go(now=True)

    def interrupt(self) -> None:
        """SIGINT, as the front end's ■ sends it."""
        assert self._manager is not None
        self._manager.interrupt_kernel()

    def shutdown(self) -> None:
        """Ask the kernel to end, as the front end does."""
        self._let_go(now=False)

    def _let_go(self, *, now: bool) -> None:
        if self._client is not None:
            self._client.stop_channels()
        if self._manager is not None:
            self._manager.shutdown_kernel(now=now)
            manager: Any = self._manager
            manager.context.destroy()
        self._client = self._manager = None

    def __enter__(self) -> "Kernel":
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._manager is not None:
            self._let_go(now=True)

    # -- cells --------------------------------------------------------------------------

    def send(self, source: str, *, cell: str = "", is_attended: bool = False) -> str:
        """Send a cell without waiting for it; its message id.

        As a person does who can be asked, or as nbclient does.
        """
        message = self.client.session.msg(
            "execute_request",
            {
                "code": source,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": is_attended,
                "stop_on_error": False,
            },
            metadata={"cellId": cell} if cell else {},
        )
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def run(self, source: str, *, cell: str = "", timeout: float = 120) -> Answer:
        """Run a cell and wait for its reply (steps go on in the background)."""
        return self.reply(self.send(source, cell=cell), timeout=timeout)

    def reply(self, message_id: str, *, timeout: float = 120) -> Answer:
        """Wait for the reply to a cell that was sent, and for the output it made itself."""
        end = time.monotonic() + timeout
        while True:
            reply = self.client.get_shell_msg(timeout=max(0.1, end - time.monotonic()))
            if reply["parent_header"].get("msg_id") == message_id:
                break
        self.listen_until(lambda: self._is_idle(message_id), timeout=timeout)
        content = reply["content"]
        return Answer(
            content["status"],
            content.get("evalue", ""),
            content.get("ename", ""),
            content.get("traceback", []),
            message_id,
        )

    def ok(self, source: str, *, cell: str = "", timeout: float = 120) -> Answer:
        """Run a cell that must not fail."""
        answer = self.run(source, cell=cell, timeout=timeout)
        assert answer.status == "ok", f"{answer.ename}: {answer.error}\n" + "\n".join(
            answer.traceback
        )
        return answer

    def value(self, expression: str) -> str:
        """`repr` of an expression, evaluated without running a cell of the notebook's."""
        message_id = self.client.execute(
            "", silent=True, user_expressions={"value": expression}, store_history=False
        )
        while True:
            reply = self.client.get_shell_msg(timeout=120)
            if reply["parent_header"].get("msg_id") == message_id:
                found = reply["content"]["user_expressions"]["value"]
                assert found["status"] == "ok", found
                return str(found["data"]["text/plain"])

    # -- what came back -------------------------------------------------------------------

    def listen(self) -> None:
        """Take what has arrived."""
        with suppress(Empty):
            while True:
                self.messages.append(self.client.get_iopub_msg(timeout=0))

    def listen_until(self, is_there: Callable[[], bool], *, timeout: float = 90) -> None:
        """Take messages until the condition holds."""
        end = time.monotonic() + timeout
        self.listen()
        while not is_there():
            left = end - time.monotonic()
            assert left > 0, "it did not come about in time"
            with suppress(Empty):
                self.messages.append(self.client.get_iopub_msg(timeout=min(left, 0.5)))

    def _is_idle(self, message_id: str) -> bool:
        return any(
            message["msg_type"] == "status"
            and message["content"]["execution_state"] == "idle"
            and message["parent_header"].get("msg_id") == message_id
            for message in self.messages
        )

    def of(self, answer: Answer, kind: str) -> list[Message]:
        """Contents of one kind that belong to a cell."""
        return [
            message["content"]
            for message in self.messages
            if message["msg_type"] == kind
            and message["parent_header"].get("msg_id") == answer.message_id
        ]

    def text(self, answer: Answer, stream: str = "stdout") -> str:
        """What a cell printed."""
        return "".join(
            content["text"] for content in self.of(answer, "stream") if content["name"] == stream
        )

    def cards(self, answer: Answer) -> list[Mapping[str, Any]]:
        """Every state a cell's card has been in."""
        shown = self.of(answer, "display_data") + self.of(answer, "update_display_data")
        return [content["data"][CARD] for content in shown if CARD in content["data"]]
