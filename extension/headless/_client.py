"""A notebook client that also hears what cells say after they have ended.

nbclient reads the kernel's messages only while a cell executes and drops those of
other cells. This client changes that one thing; whatever it can leave to nbclient
it leaves, so that a notebook without steps behaves as it does there.

All of it runs on one asyncio loop; messages are read by whoever waits at the
moment, and by nobody else, so no two readers compete for them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from typing import IO, Any, Protocol

import anyio
import zmq
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, DeadKernelError
from nbclient.util import ensure_async
from nbformat import NotebookNode

from stepwell.headless._card import Card, card_in
from stepwell.headless._routing import Router, is_idle, join_streams, parent_of

__all__ = ["Client", "KernelNotStarted", "Watcher"]

_MOMENT_SECONDS = 0.25
_CALM_SECONDS = 0.75


class Watcher(Protocol):
    """Who is told what the client hears beyond what nbclient's hooks tell."""

    def card_shown(self, cell_index: int, card: Card) -> None:
        """A card was shown or changed in a cell."""
        ...

    def heard(self, cell_index: int) -> None:
        """A message has changed what a cell shows."""
        ...

    def quiet(self) -> None:
        """Nothing was said for a moment."""
        ...


class KernelNotStarted(Exception):
    """The kernel did not come up; the message says why."""


class Client(NotebookClient):
    """Executes cells; outputs go to the cell they belong to, whenever they come."""

    def __init__(self, nb: NotebookNode, watcher: Watcher, **options: Any) -> None:
        super().__init__(nb, **options)
        self._watcher = watcher
        self._router = Router()
        self._executing: str = ""

    # nbclient awaits this for each cell until the cell is done.
    async def _async_poll_output_msg(
        self, parent_msg_id: str, cell: NotebookNode, cell_index: int
    ) -> None:
        self._router.expect(parent_msg_id, cell_index)
        self._executing = parent_msg_id
        while not await self._hear(parent_msg_id, _MOMENT_SECONDS):
            pass

    # nbclient looks once a second; a dead kernel should be reported sooner.
    async def _async_poll_kernel_alive(self) -> None:
        while self.kc is not None and await self._is_alive():  # noqa: ASYNC110 - a process
            await anyio.sleep(_MOMENT_SECONDS)
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    def create_kernel_manager(self) -> KernelManager:
        """Make a manager whose kernel encrypts what it says, if it can."""
        manager = super().create_kernel_manager()
        if manager.has_trait("transport_encryption") and zmq.has("curve"):
            manager.set_trait("transport_encryption", "auto")
        return manager

    async def start(self, *, env: dict[str, str], log: IO[bytes]) -> None:
        """Start the kernel with these environment variables and learn its language.

        What its process writes by itself goes to `log`. Raises KernelNotStarted when it does
        not come up.
        """
        self.km = self.create_kernel_manager()
        try:
            await self.async_start_new_kernel(env=env, stdout=log, stderr=log)
            await self.async_start_new_kernel_client()
            client: Any = self.kc
            info = await self.async_wait_for_reply(await ensure_async(client.kernel_info()))
        except (RuntimeError, OSError) as error:
            raise KernelNotStarted(str(error)) from error
        if info is None or "language_info" not in info["content"]:
            raise KernelNotStarted("it does not say what its language is")
        self.nb.metadata["language_info"] = info["content"]["language_info"]

    async def async_execute_cell(
        self,
        cell: NotebookNode,
        cell_index: int,
        execution_count: int | None = None,
        store_history: bool = True,
    ) -> NotebookNode:
        """Execute a cell as nbclient does, sending its id and tags along as JupyterLab does."""
        assert self.kc is not None
        said: dict[str, Any] = {"tags": list(cell.metadata.get("tags", []))}
        if "id" in cell:
            said["cellId"] = cell.id
        self.kc.session.metadata = said
        return await super().async_execute_cell(cell, cell_index, execution_count, store_history)

    async def evaluates_true(self, expression: str) -> bool:
        """Whether a Python kernel takes the expression for true; no other kernel does."""
        if self.nb.metadata["language_info"].get("name") != "python":
            return False
        reply = await self.execute_aside("", silent=True, expressions={"answer": expression})
        answer = reply.get("user_expressions", {}).get("answer", {})
        return bool(answer.get("data", {}).get("text/plain") == "True")

    async def interrupt(self, seconds: float) -> None:
        """Interrupt what executes, and hear for at most so long how it ends."""
        if self._executing and await self._is_alive():
            manager: Any = self.km
            await ensure_async(manager.interrupt_kernel())
            await self.listen(seconds)

    async def execute_aside(
        self, code: str, *, silent: bool = False, expressions: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Execute code that is no cell of the notebook; answers the reply's content.

        Raises DeadKernelError when the kernel dies over it.
        """
        assert self.kc is not None
        self.kc.session.metadata = {}
        request = self.kc.execute(
            code, silent=silent, store_history=False, user_expressions=expressions
        )
        self._executing = request
        while not await self._hear(request, _MOMENT_SECONDS):
            await self._check_alive()
        while True:
            try:
                reply = await ensure_async(self.kc.shell_channel.get_msg(timeout=_MOMENT_SECONDS))
            except Empty:
                await self._check_alive()
            else:
                if parent_of(reply) == request:
                    content: dict[str, Any] = reply["content"]
                    return content

    async def dismiss(self, seconds: float) -> None:
        """Ask the kernel to go and hear its last words; after so many seconds, end it."""
        if self.km is None:
            return
        if self.kc is not None and await self._is_alive():
            until = anyio.current_time() + seconds
            manager: Any = self.km
            await ensure_async(manager.request_shutdown())
            while await self._is_alive() and anyio.current_time() < until:
                await self._hear("", 0.05)
            await self.drain()
        self.shutdown_kernel = "immediate"
        await self._async_cleanup_kernel()

    async def listen(self, seconds: float) -> None:
        """Hear what is still said, until the executing code is done or the time is over."""
        until = anyio.current_time() + seconds
        while (left := until - anyio.current_time()) > 0:
            if await self._hear(self._executing, min(left, 0.05)):
                return

    async def listen_while(self, goes_on: Callable[[], bool]) -> None:
        """Hear what is said until `goes_on` has been false for a moment.

        A moment, because a step that ends may let another begin, and the cards that say so
        do not come at once. Raises DeadKernelError when the kernel dies meanwhile.
        """
        calm_since = anyio.current_time()
        while anyio.current_time() - calm_since < _CALM_SECONDS:
            if await self._hear("", _MOMENT_SECONDS) is None:
                await self._check_alive()
            if goes_on():
                calm_since = anyio.current_time()

    async def drain(self) -> None:
        """Hear what has already been said, without waiting for more."""
        while await self._hear("", 0) is not None:
            pass

    async def _is_alive(self) -> bool:
        # The client's class is the asynchronous one; nbclient's annotation says otherwise.
        client: Any = self.kc
        return bool(await ensure_async(client.is_alive()))

    async def _check_alive(self) -> None:
        if not await self._is_alive():
            raise DeadKernelError("Kernel died")

    async def _hear(self, request: str, seconds: float) -> bool | None:
        """Take in one message: True when it ends `request`, None when there was none."""
        assert self.kc is not None
        try:
            message = await ensure_async(self.kc.iopub_channel.get_msg(timeout=seconds))
        except Empty:
            self._watcher.quiet()
            return None
        cell_index = self._router.cell_of(message)
        if cell_index is not None:
            self._take(message, cell_index)
        elif parent_of(message) == request:
            self._take_aside(message)
        return is_idle(message) and parent_of(message) == request

    def _take(self, message: dict[str, Any], cell_index: int) -> None:
        card = card_in(message)
        is_late = parent_of(message) != self._executing
        if card is not None or is_late:
            self._router.speaks_late(cell_index)
        # nbclient has one such flag, for the cell that executes; here each cell has its own.
        self.clear_before_next_output = self._router.is_clearing(cell_index)
        with suppress(CellExecutionComplete):
            self.process_message(message, self.nb.cells[cell_index], cell_index)
        self._router.set_clearing(cell_index, self.clear_before_next_output)
        if card is not None:
            self._watcher.card_shown(cell_index, card)
        self._watcher.heard(cell_index)

    def _take_aside(self, message: dict[str, Any]) -> None:
        # Code that is no cell has nowhere to show an output of its own, but it may
        # change what other cells show, and the state of widgets.
        match message["msg_type"]:
            case "update_display_data":
                transient: dict[str, str] | None = message["content"].get("transient")
                self._update_display_id((transient or {}).get("display_id", ""), message)
            case "comm_open" | "comm_msg":
                self.handle_comm_msg([], message, -1)
            case _:
                pass

    def _update_display_id(self, display_id: str, msg: dict[str, Any]) -> None:
        super()._update_display_id(display_id, msg)
        for cell_index in self._display_id_map.get(display_id, {}):
            self._watcher.heard(cell_index)

    def output(
        self,
        outs: list[NotebookNode],
        msg: dict[str, Any],
        display_id: str | None,
        cell_index: int,
    ) -> NotebookNode | None:
        """Add an output as nbclient does; a background step's text becomes one output."""
        out = super().output(outs, msg, display_id, cell_index)
        if out is not None and self._router.joins_streams(cell_index):
            join_streams(outs)
            return outs[-1]
        return out
