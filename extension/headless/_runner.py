"""Executes one notebook in a fresh kernel, from reading the file to the last word about it.

The order at the end is fixed: what was heard is written before the kernel is asked to
go, so that nothing is lost if that takes long or fails.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import anyio
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from stepwell.errors import InvalidUsage
from stepwell.headless._card import Card
from stepwell.headless._client import Client
from stepwell.headless._marks import Marks
from stepwell.headless._order import Order
from stepwell.headless._parameters import inject
from stepwell.headless._progress import Progress
from stepwell.headless._result import Ending, FailedCell, Result
from stepwell.headless._writing import NotebookFile, read_notebook

__all__ = ["Runner", "execute"]

_IS_LOADED = "'stepwell' in get_ipython().extension_manager.loaded"
_WAIT = "get_ipython().run_line_magic('stepwell', 'wait')"
# As long as any Jupyter server lets a kernel take to go: its exit hooks, and the engine.
_FAREWELL_SECONDS = 2.5
_HURRIED_SECONDS = 2.0
_STOPPING = (signal.SIGINT, signal.SIGTERM)


def execute(order: Order, progress: Progress) -> Result:
    """Execute on an event loop of its own, also where the caller is inside one."""
    runner = Runner(order, progress)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return anyio.run(runner.run)
    with ThreadPoolExecutor(1, thread_name_prefix="stepwell-headless") as thread:
        return thread.submit(anyio.run, runner.run).result()


class Runner:
    """One execution of one notebook. `run` once."""

    def __init__(self, order: Order, progress: Progress) -> None:
        self._order = order
        self._progress = progress
        notebook = read_notebook(order.notebook)
        warning = inject(notebook, order.parameters) if order.parameters else ""
        if warning:
            progress.warn(warning)
        self._marks = Marks(notebook)
        self._file = NotebookFile(order.output, notebook)
        kernel = order.kernel or notebook.metadata.get("kernelspec", {}).get("name", "")
        if kernel:
            _check_kernel(kernel)
        self._client = Client(
            notebook,
            self,
            kernel_name=kernel,
            resources={"metadata": {"path": str(order.notebook.parent)}},
            on_cell_execute=self._cell_about_to_run,
            # Despite its name it is called when the cell has been sent.
            on_cell_complete=self._cell_sent,
            on_cell_executed=self._cell_ended,
        )
        self._steps: dict[str, Card] = {}
        self._executing: int | None = None
        self._failed: FailedCell | None = None
        self._interrupted = False

    async def run(self) -> Result:
        """Execute, write, and say what came of it. Never leaves a kernel behind."""
        begun = time.monotonic()
        self._marks.clear(self._client.skip_cells_with_tag)
        self._file.write()
        self._progress.begin(len(self._client.nb.cells))
        work = anyio.CancelScope()
        if self._order.timeout is not None:
            work.deadline = anyio.current_time() + self._order.timeout
        try:
            with self._stopped_by_signals(work):
                ending, trouble = await self._until_ended(work)
        finally:
            self._progress.end()
        return Result(
            ending=ending,
            output=self._order.output,
            store=self._order.store,
            seconds=time.monotonic() - begun,
            cells=self._marks.count("completed"),
            steps=tuple(self._steps.values()),
            message=self._advice(ending, trouble),
            failed_cell=self._failed,
        )

    async def _until_ended(self, work: anyio.CancelScope) -> tuple[Ending, str]:
        try:
            ending, trouble = await self._within(work)
            await self._settle(ending)
            self._file.write()
        finally:
            with anyio.CancelScope(shield=True):
                hurry = work.cancel_called
                await self._client.dismiss(_HURRIED_SECONDS if hurry else _FAREWELL_SECONDS)
        self._file.write()
        return ending, trouble

    async def _within(self, work: anyio.CancelScope) -> tuple[Ending, str]:
        with work:
            try:
                return await self._execute()
            except CellExecutionError as error:
                return Ending.CELL_FAILED, f"{error.ename}: {error.evalue}"
            except DeadKernelError:
                # nbclient takes a cancelled wait for a dead kernel, too.
                if not work.cancel_called:
                    return Ending.KERNEL_DIED, ""
            except RuntimeError as error:
                if self._client.kc is not None:
                    raise
                return Ending.KERNEL_DIED, str(error)
        return (Ending.INTERRUPTED if self._interrupted else Ending.TIMED_OUT), ""

    async def _execute(self) -> tuple[Ending, str]:
        client = self._client
        await client.start(env=self._environment())
        for index, cell in enumerate(client.nb.cells):
            await client.async_execute_cell(
                cell, index, execution_count=client.code_cells_executed + 1
            )
        self._executing = None
        error = await self._wait_for_steps()
        client.set_widgets_metadata()
        return (Ending.STEP_FAILED, error) if error else (Ending.COMPLETED, "")

    async def _wait_for_steps(self) -> str:
        if not await self._client.evaluates_true(_IS_LOADED):
            return ""
        self._progress.waiting()
        reply = await self._client.execute_aside(_WAIT)
        if reply["status"] != "error":
            return ""
        return f"{reply.get('ename', 'Error')}: {reply.get('evalue', '')}"

    async def _settle(self, ending: Ending) -> None:
        client = self._client
        if client.kc is not None:
            if ending in {Ending.INTERRUPTED, Ending.TIMED_OUT}:
                await client.interrupt(_HURRIED_SECONDS)
            await client.drain()
        if ending is not Ending.COMPLETED:
            self._marks.stopped(ending.value)

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "STEPWELL_NOTEBOOK": str(self._order.notebook),
            "STEPWELL_STORE": str(self._order.store),
            "STEPWELL_RUN": self._order.mode,
        }

    # What the client tells: nbclient's hooks, and the Watcher's.

    def _cell_about_to_run(self, cell: NotebookNode, cell_index: int) -> None:
        self._executing = cell_index
        self._client.say_with_cell(cell)
        self._marks.started(cell_index)
        self._progress.cell(cell_index + 1)

    def _cell_sent(self, cell: NotebookNode, cell_index: int) -> None:
        # Now, while the kernel works: it costs the cell nothing, and the file shows
        # all cells before as they ended and this one as running.
        self._file.write()

    def _cell_ended(
        self, cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any] | None
    ) -> None:
        content: dict[str, Any] = execute_reply["content"] if execute_reply else {}
        failed = content.get("status") == "error"
        expected = "raises-exception" in cell.metadata.get("tags", [])
        self._marks.ended(cell_index, failed=failed and not expected)
        self._executing = None
        if failed:
            self._failed = FailedCell(
                index=cell_index,
                source=cell.source,
                error=f"{content.get('ename', 'Error')}: {content.get('evalue', '')}",
                traceback="\n".join(content.get("traceback") or []),
            )

    def card_shown(self, cell_index: int, card: Card) -> None:
        """Keep what the card says; tell it if the step has come into another phase."""
        before = self._steps.get(card.step)
        self._steps[card.step] = card
        self._marks.step(cell_index, card)
        if before is None or _standing(before) != _standing(card):
            self._progress.step(card)

    def heard(self) -> None:
        """Have the file written soon."""
        self._file.changed()
        self._file.write_if_due()

    def quiet(self) -> None:
        """Write what was put off."""
        self._file.write_if_due()

    # What people are told at the end.

    def _advice(self, ending: Ending, trouble: str) -> str:
        again = "; run the same command with --resume to continue" if self._can_resume() else ""
        match ending:
            case Ending.COMPLETED:
                return ""
            case Ending.CELL_FAILED:
                return f"{self._place()} failed: {trouble}"
            case Ending.STEP_FAILED:
                return trouble.removeprefix("StepFailed: ")
            case Ending.KERNEL_DIED if trouble:
                return f"the kernel did not start: {trouble}"
            case Ending.KERNEL_DIED:
                return f"the kernel died{self._where()}{again}"
            case Ending.INTERRUPTED:
                return f"interrupted{self._where()}{again}"
            case Ending.TIMED_OUT:
                return f"not done after {self._order.timeout:g} s{self._where()}{again}"

    def _can_resume(self) -> bool:
        return bool(self._steps) or self._order.store.exists()

    def _place(self) -> str:
        return f"cell {self._failed.index + 1}" if self._failed else "a cell"

    def _where(self) -> str:
        if self._executing is not None:
            return f" in cell {self._executing + 1}"
        running = [card.step for card in self._steps.values() if card.phase == "running"]
        return f" while {', '.join(running)} ran" if running else ""

    @contextmanager
    def _stopped_by_signals(self, work: anyio.CancelScope) -> Generator[None]:
        def stop() -> None:
            self._interrupted = True
            work.cancel()

        if threading.current_thread() is not threading.main_thread():
            # Signals are the main thread's; whoever runs that decides.
            yield
            return
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in _STOPPING}
        for number in _STOPPING:
            loop.add_signal_handler(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)


def _standing(card: Card) -> tuple[str, int, bool]:
    return card.phase, card.attempt, card.restored


def _check_kernel(name: str) -> None:
    specs = KernelSpecManager()
    try:
        specs.get_kernel_spec(name)
    except NoSuchKernel:
        known = ", ".join(sorted(specs.find_kernel_specs())) or "none"
        raise InvalidUsage(
            f"there is no kernel {name!r} here; installed: {known}. Choose one with --kernel"
        ) from None
