"""Executes one notebook in a fresh kernel, from reading the file to the last word about it.

The order at the end is fixed: what was heard is written before the kernel is asked to
go, so that nothing is lost if that takes long or fails.
"""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryFile
from typing import IO

import anyio
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from stepwell.errors import InvalidUsage, StepwellError
from stepwell.headless._client import Client, KernelNotStarted
from stepwell.headless._order import Order
from stepwell.headless._parameters import inject
from stepwell.headless._progress import Progress
from stepwell.headless._record import Record
from stepwell.headless._result import Ending, Result, advice
from stepwell.headless._signals import stopping_on_signals
from stepwell.headless._writing import NotebookFile, read_notebook

__all__ = ["Runner", "execute"]

_IS_LOADED = "'stepwell' in get_ipython().extension_manager.loaded"
_WAIT = "get_ipython().run_line_magic('stepwell', 'wait')"
# As long as any Jupyter server lets a kernel take to go: its exit hooks, and the engine.
_FAREWELL_SECONDS = 2.5
_HURRIED_SECONDS = 2.0
_LOG_LINES = 20

_Ended = tuple[Ending, str]


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
    """One execution of one notebook: `run` it once."""

    def __init__(self, order: Order, progress: Progress) -> None:
        self._order = order
        self._progress = progress
        notebook = read_notebook(order.notebook)
        if order.parameters and (warning := inject(notebook, order.parameters)):
            progress.warn(warning)
        self._file = NotebookFile(order.output, notebook)
        self._record = Record(notebook, self._file, progress)
        self._client = Client(
            notebook,
            self._record,
            kernel_name=_kernel_name(order, notebook),
            resources={"metadata": {"path": str(order.notebook.parent)}},
            on_cell_execute=self._record.cell_starts,
            # Despite its name it is called when the cell has been sent.
            on_cell_complete=self._record.cell_sent,
            on_cell_executed=self._record.cell_ended,
        )
        self._interrupted = False
        # Not COMPLETED when something outside the notebook has ended the work.
        self._cut_off = Ending.COMPLETED

    async def run(self) -> Result:
        """Execute, write, and say what came of it. Never leaves a kernel behind."""
        begun = time.monotonic()
        self._record.marks.clear(self._client.skip_cells_with_tag)
        try:
            self._file.write()
        except StepwellError as error:
            raise InvalidUsage(str(error)) from error
        self._progress.begin(len(self._client.nb.cells))
        with TemporaryFile() as log:
            try:
                ended = await self._until_written(log)
            finally:
                self._progress.end()
            died = ended[0] is Ending.KERNEL_DIED
            return self._result(ended, time.monotonic() - begun, _last_lines(log) if died else "")

    async def _until_written(self, log: IO[bytes]) -> _Ended:
        work = anyio.CancelScope()
        if self._order.timeout is not None:
            work.deadline = anyio.current_time() + self._order.timeout
        with stopping_on_signals(lambda: self._interrupt(work)):
            try:
                ended = await self._within(work, log)
                await self._settle()
            finally:
                hurry = work.cancel_called
                with anyio.CancelScope(shield=True):
                    await self._client.dismiss(_HURRIED_SECONDS if hurry else _FAREWELL_SECONDS)
            self._file.write_anew()
        return ended

    def _interrupt(self, work: anyio.CancelScope) -> None:
        self._interrupted = True
        work.cancel()

    async def _within(self, work: anyio.CancelScope, log: IO[bytes]) -> _Ended:
        ended: _Ended | None = None
        with work:
            try:
                ended = await self._execute(log)
                await self._let_steps_end()
            except KernelNotStarted as error:
                self._cut_off, ended = Ending.KERNEL_DIED, (Ending.KERNEL_DIED, str(error))
            except DeadKernelError:
                self._cut_off = Ending.KERNEL_DIED
        # nbclient takes a cancelled wait for a dead kernel, too.
        if work.cancel_called:
            self._cut_off = Ending.INTERRUPTED if self._interrupted else Ending.TIMED_OUT
        return ended or (self._cut_off, "")

    async def _execute(self, log: IO[bytes]) -> _Ended:
        client = self._client
        await client.start(env=self._environment(), log=log)
        try:
            for index, cell in enumerate(client.nb.cells):
                await client.async_execute_cell(
                    cell, index, execution_count=client.code_cells_executed + 1
                )
        except CellExecutionError as error:
            if error.ename == "NeedsPerson":
                return Ending.NEEDS_PERSON, error.evalue
            return Ending.CELL_FAILED, f"{error.ename}: {error.evalue}"
        trouble = await self._wait_for_steps()
        client.set_widgets_metadata()
        if trouble.startswith("NeedsPerson: "):
            return Ending.NEEDS_PERSON, trouble
        return (Ending.STEP_FAILED, trouble) if trouble else (Ending.COMPLETED, "")

    async def _let_steps_end(self) -> None:
        """After a failure: what other steps have begun is paid for, and is kept when they end."""
        if self._record.has_unfinished_steps():
            self._progress.waiting()
            await self._client.listen_while(self._record.has_running_steps)

    async def _wait_for_steps(self) -> str:
        if not await self._client.evaluates_true(_IS_LOADED):
            return ""
        self._progress.waiting()
        reply = await self._client.execute_aside(_WAIT)
        if reply["status"] != "error":
            return ""
        return f"{reply.get('ename', 'Error')}: {reply.get('evalue', '')}"

    async def _settle(self) -> None:
        """Hear the end of what the kernel was doing, and write how everything stands."""
        if self._client.kc is not None:
            if self._cut_off in {Ending.INTERRUPTED, Ending.TIMED_OUT}:
                await self._client.interrupt(_HURRIED_SECONDS)
            await self._client.drain()
        if self._cut_off is not Ending.COMPLETED:
            self._record.marks.stopped(self._cut_off.value)
        self._file.write()

    def _environment(self) -> dict[str, str]:
        order = self._order
        environment = {
            **os.environ,
            "STEPWELL_NOTEBOOK": str(order.notebook),
            "STEPWELL_STORE": str(order.store),
            "STEPWELL_RUN": order.mode,
        }
        for name, file in (("STEPWELL_RECORD", order.record), ("STEPWELL_REPLAY", order.replay)):
            # One that is set around us is not meant for this notebook.
            environment.pop(name, None)
            if file is not None:
                environment[name] = str(file)
        return environment

    def _result(self, ended: _Ended, seconds: float, kernel_said: str) -> Result:
        record, store = self._record, self._order.store
        steps = tuple(record.steps.values())
        return Result(
            ending=ended[0],
            output=self._order.output,
            store=store,
            seconds=seconds,
            cells=record.marks.count("completed"),
            steps=steps,
            message=advice(
                *ended,
                failed=record.failed_cell,
                executing=record.executing,
                steps=steps,
                can_resume=bool(steps) or store.exists(),
                store=store,
            ),
            failed_cell=record.failed_cell if ended[0] is Ending.CELL_FAILED else None,
            kernel_said=kernel_said,
        )


def _last_lines(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").rstrip().splitlines()
    return "\n".join(lines[-_LOG_LINES:])


def _kernel_name(order: Order, notebook: NotebookNode) -> str:
    name: str = order.kernel or notebook.metadata.get("kernelspec", {}).get("name", "")
    specs = KernelSpecManager()
    try:
        if name:
            specs.get_kernel_spec(name)
    except NoSuchKernel:
        known = ", ".join(sorted(specs.find_kernel_specs())) or "none"
        raise InvalidUsage(
            f"there is no kernel {name!r} here; installed: {known}. Choose one with --kernel"
        ) from None
    return name
