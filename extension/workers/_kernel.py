"""The worker that runs steps in this very process.

Threads. `start` and `cancel` may be called from any thread and return at once. A step
without `await` runs on a thread of the pool; one with `await` runs on a loop of its own
thread, beside other such steps. Neither is the kernel's main thread, nor the
orchestrator's. Inputs are decoded and outputs encoded on pool threads.
"""

import threading
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol, cast

import anyio
import anyio.from_thread
import msgspec
from msgspec.structs import replace

from stepwell.errors import AttemptGivenUp, StoreError, ValueProblem
from stepwell.flow import Step
from stepwell.inside import Inside, Pulse, Tape, Transaction, failure_of, given_up
from stepwell.orchestrator import (
    COURTESY,
    SKIPPED,
    Attempt,
    AttemptId,
    Failed,
    Finished,
    Link,
    Output,
    Report,
    Skipped,
    Stopped,
)
from stepwell.store import Blob, Tables
from stepwell.workers._body import Body, prepare
from stepwell.workers._code import compile_code, describe_error, evaluate_condition
from stepwell.workers._gate import asked_about, asks_first, permission, replaced
from stepwell.workers._mapped import Mapped
from stepwell.workers._output import Recorder, recording
from stepwell.workers._pool import ThreadPool
from stepwell.workers._values import Values

__all__ = ["KernelWorker", "Surroundings"]

THREADS = 256
CLOSE_SECONDS = 1.0


class Surroundings(Protocol):
    """What the worker needs of the notebook it works for."""

    def namespace(
        self,
        definition: Step,
        environment: str,
        inputs: Mapping[str, object],
        without: Collection[str] = (),
    ) -> dict[str, object]:
        """A namespace of its own for one attempt, without these names of the notebook."""
        ...

    def environment_without(self, environment: str, names: Collection[str]) -> str:
        """The digest of an environment in which these names do not count."""
        ...

    def function(self, definition: Step) -> Callable[..., object]:
        """The function of a step that was defined by one."""
        ...

    def recorder(self, attempt: AttemptId) -> Recorder:
        """Where the attempt's outputs go."""
        ...

    def enter(self, attempt: Attempt) -> None:
        """Called in the context in which the attempt's code is about to run."""
        ...

    def before_thread(self) -> None:
        """Called on each new thread that will run steps."""
        ...

    def after_body(self) -> None:
        """Called where the step ran, when its code has ended (figures left open are shown)."""
        ...


class _Task(msgspec.Struct, eq=False):
    attempt: Attempt
    link: Link
    recorder: Recorder
    inside: Inside
    began: float = 0.0
    is_cancelled: bool = False
    changed: Mapping[str, object] | None = None
    """Inputs that whoever approved the step has changed."""
    future: "Future[Any] | None" = None


class KernelWorker:
    """Runs attempts in this process."""

    def __init__(
        self,
        surroundings: Surroundings,
        values: Values,
        begin: Callable[[], Tables] | None = None,
    ) -> None:
        """`begin` begins a transaction on the user's tables, in a store that has them."""
        self._surroundings = surroundings
        self._begin_tables = begin
        self._values = values
        self._mapped = Mapped(surroundings, values)
        self._pool = ThreadPool(THREADS, "stepwell-step", aside=COURTESY.aside)
        self._prepared = threading.local()
        self._lock = threading.Lock()
        self._tasks: dict[AttemptId, _Task] = {}
        self._portal: anyio.from_thread.BlockingPortal | None = None
        self._portal_manager: Any = None
        self._is_loop_prepared = False
        self._is_closed = False
        self.tape: Tape | None = None
        """Where calls of attempts that begin from now on are recorded, or answered from."""

    def start(self, attempt: Attempt, link: Link) -> None:
        """Run the attempt; `link` hears of its end once."""
        deadlines = attempt.definition.deadlines
        pulse = Pulse(deadlines.stall if deadlines is not None else 0.0)
        transaction = Transaction(self._begin_tables)
        inside = Inside(
            attempt, link, self._values, pulse=pulse, transaction=transaction, tape=self.tape
        )
        task = _Task(attempt, link, self._surroundings.recorder(attempt.id), inside)
        self._tasks[attempt.id] = task
        self._pool.submit(partial(self._begin, task))

    def recorder(self, run: str, step: str, item: str) -> Recorder | None:
        """What the newest attempt at this that is under way says; None where none is."""
        found: Recorder | None = None
        for task in list(self._tasks.values()):
            mine = task.attempt.id
            if (mine.run, mine.step, mine.item) == (run, step, item):
                found = task.recorder
        return found

    def cancel(self, attempt: AttemptId) -> None:
        """Stop it if it waits or awaits; code without `await` runs to its end."""
        task = self._tasks.get(attempt)
        if task is None:
            return
        task.is_cancelled = True
        # At once: what its code does when it is stopped is not what it does by itself.
        task.inside.pulse.is_given_up = True
        # Not here: it may have to wait for a statement that is under way.
        blocks = task.future is None or task.future.done()
        self._pool.submit(partial(task.inside.give_up, blocks=blocks))
        if task.future is not None:
            task.future.cancel()

    def execute(self, name: str, code: str, namespace: MutableMapping[str, object]) -> None:
        """Run code that is no step in this very namespace, here and now.

        On the calling thread; code that awaits goes to the loop of the async steps, and is
        waited for. Raises what the code raises.
        """
        compiled = compile_code(f"setup {name}", code)
        result = eval(compiled.code, cast("dict[str, Any]", namespace))
        if compiled.is_async:
            self._loop().start_task_soon(_awaited, result).result()

    def close(self) -> None:
        """Start nothing more; stop what can be stopped, and wait for nothing that cannot be."""
        self._pool.close()
        with self._lock:
            self._is_closed = True
            manager, self._portal_manager, self._portal = self._portal_manager, None, None
        for task in list(self._tasks.values()):
            self.cancel(task.attempt.id)
        if manager is not None:
            # It waits for every task, and a task may not listen.
            ending = threading.Thread(target=manager.__exit__, args=(None, None, None), daemon=True)
            ending.start()
            ending.join(CLOSE_SECONDS)

    # -- on a pool thread ---------------------------------------------------------------

    def _begin(self, task: _Task) -> None:
        task.began = time.perf_counter()
        try:
            self._prepare_thread()
            if task.is_cancelled:
                self._end(task, Stopped(task.attempt.id))
                return
            if task.attempt.is_whole and not self._applies(task):
                return
            if asks_first(task.attempt):
                self._ask(task)
                return
        except BaseException as error:
            self._end(task, self._failed(task, error, is_user_code=False))
            return
        self._go_on(task)

    def _ask(self, task: _Task) -> None:
        """Wait for a person, on the loop: no thread is held meanwhile."""
        namespace = self._namespace(task.attempt)
        names = {name: namespace[name] for name in asked_about(task.attempt) if name in namespace}
        self._run_on_loop(task, self._wait_for_permission, names)

    def _go_on(self, task: _Task) -> None:
        try:
            if task.attempt.definition.map is not None and task.attempt.item is None:
                self._end(task, self._around_items(task.attempt))
                return
            body = self._prepare(task)
        except BaseException as error:
            self._end(task, self._failed(task, error, is_user_code=False))
            return
        if body.is_async:
            self._run_async(task, body)
        else:
            self._run_sync(task, body)

    def _applies(self, task: _Task) -> bool:
        """Whether the code is to be run. If not, the attempt has ended."""
        attempt = task.attempt
        definition = attempt.definition
        if not definition.when:
            return True
        inputs = self._inputs(attempt)
        namespace = self._surroundings.namespace(definition, attempt.environment, inputs)
        context = copy_context()
        context.run(self._enter, task)
        try:
            if context.run(evaluate_condition, definition, namespace):
                return True
        except BaseException as error:
            self._end(task, self._ended(task, error))
            return False
        self._end(task, Skipped(attempt.id, f"{definition.when} is not true"))
        return False

    def _prepare_thread(self) -> None:
        if not getattr(self._prepared, "done", False):
            self._surroundings.before_thread()
            self._prepared.done = True

    def _around_items(self, attempt: Attempt) -> Report:
        """What a mapped step does itself: find its items, and put together what they made."""
        if attempt.gathered is None:
            return self._mapped.expand(attempt)
        return self._mapped.gather(attempt)

    def _prepare(self, task: _Task) -> Body:
        definition = task.attempt.definition
        if task.changed:
            task.attempt = self._with_changes(task.attempt, task.changed)
        namespace = self._namespace(task.attempt, task.changed)
        if definition.kind == "function":
            return prepare(definition, namespace, self._surroundings.function(definition))
        return prepare(definition, namespace)

    def _namespace(
        self, attempt: Attempt, changed: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        definition = attempt.definition
        if definition.map is not None and attempt.item is not None:
            inputs, without = self._mapped.inputs(attempt), definition.map.apart
        else:
            inputs, without = self._inputs(attempt), ()
        inputs.update(changed or {})
        return self._surroundings.namespace(definition, attempt.environment, inputs, without)

    def _with_changes(self, attempt: Attempt, changed: Mapping[str, object]) -> Attempt:
        """The attempt with transient outputs that go by what they are made from now."""
        if not attempt.derived:
            return attempt
        encode = partial(self._values.encode, attempt.id.step)
        digests = {name: encode(name, value)[0].digest for name, value in changed.items()}
        derived = {name: replaced(digest, digests) for name, digest in attempt.derived.items()}
        return replace(attempt, derived=derived)

    def _inputs(self, attempt: Attempt) -> dict[str, object]:
        return {
            name: None if digest == SKIPPED else self._input(name, digest)
            for name, digest in attempt.inputs.items()
        }

    def _input(self, name: str, digest: str) -> object:
        try:
            return self._values.load(digest)
        except ValueProblem as problem:
            raise problem.said_of(f"its input {name!r}") from problem

    def _run_sync(self, task: _Task, body: Body) -> None:
        try:
            result = copy_context().run(self._perform, task, body)
        except BaseException as error:
            self._end(task, self._ended(task, error))
            return
        self._finish(task, body, result)

    def _perform(self, task: _Task, body: Body) -> object:
        self._enter(task)
        result = body.run()
        self._surroundings.after_body()
        return result

    def _enter(self, task: _Task) -> None:
        recording.set(task.recorder)
        task.inside.enter()
        self._surroundings.enter(task.attempt)

    def _finish(self, task: _Task, body: Body, result: object) -> None:
        seconds = time.perf_counter() - task.began
        try:
            objects = body.collect(result)
        except BaseException as error:
            self._end(task, self._failed(task, error))
            return
        try:
            outputs, blobs = self._encode(task.attempt, objects)
            log = self._log(task)
        except BaseException as error:
            is_ours = isinstance(error, ValueProblem | StoreError)
            self._end(task, self._failed(task, error, is_user_code=not is_ours))
            return
        if task.attempt.item is not None:
            self._mapped.keep(task.attempt, outputs, objects)
            objects = {}  # nobody is given an item's by itself
        tables = task.inside.transaction.seal()
        self._end(task, Finished(task.attempt.id, outputs, blobs, objects, seconds, log, tables))

    def _encode(
        self, attempt: Attempt, objects: Mapping[str, object]
    ) -> tuple[dict[str, Output], list[Blob]]:
        outputs: dict[str, Output] = {}
        blobs: list[Blob] = []
        for name, value in objects.items():
            if name in attempt.derived:
                step = attempt.id.step
                digest, item = attempt.derived[name], attempt.id.item
                outputs[name] = self._values.keep_live(step, name, digest, value, item=item)
                continue
            outputs[name], blob = self._values.encode(attempt.id.step, name, value)
            blobs.append(blob)
        return outputs, blobs

    def _log(self, task: _Task) -> Blob | None:
        entries = task.recorder.finish()
        if not entries:
            return None
        return self._values.encode(task.attempt.id.step, "its output", entries)[1]

    def _ended(self, task: _Task, error: BaseException) -> Report:
        """What the code's error means. One that was given up has not failed: it has stopped."""
        mine = task.attempt.id
        if isinstance(error, AttemptGivenUp) and error.facts == given_up(mine).facts:
            return Stopped(mine)
        return self._failed(task, error)

    def _failed(self, task: _Task, error: BaseException, *, is_user_code: bool = True) -> Failed:
        seconds = time.perf_counter() - task.began
        info = describe_error(error, is_user_code=is_user_code)
        try:
            log = self._log(task)
        except (ValueProblem, StoreError):
            log = None
        failure = failure_of(error, is_user_code=is_user_code)
        return Failed(task.attempt.id, info, seconds, log, failure)

    def _end(self, task: _Task, report: Report) -> None:
        # Whoever takes it out reports: a task that is cancelled may end in two places at once.
        # What the end of the process stops was not cancelled by anybody: nothing is said, and
        # the next process finds it under way.
        is_told = not (self._is_closed and isinstance(report, Stopped))
        if self._tasks.pop(task.attempt.id, None) is not None:
            if not isinstance(report, Finished):
                task.inside.fail()
            if is_told:
                task.link.report(report)

    # -- on the loop for steps with `await` ---------------------------------------------

    def _run_async(self, task: _Task, body: Body) -> None:
        self._run_on_loop(task, self._await, body)

    def _run_on_loop(
        self, task: _Task, work: Callable[[_Task, Any], Awaitable[None]], given: object
    ) -> None:
        try:
            task.future = self._loop().start_task_soon(work, task, given)
        except Exception as error:
            self._end(task, self._failed(task, error, is_user_code=False))
            return
        task.future.add_done_callback(partial(self._after_future, task))
        if task.is_cancelled:
            task.future.cancel()

    def _after_future(self, task: _Task, future: "Future[Any]") -> None:
        # A cancelled task that never got to run has nobody else to report it.
        if future.cancelled():
            self._end(task, Stopped(task.attempt.id))

    async def _wait_for_permission(self, task: _Task, names: Mapping[str, object]) -> None:
        self._enter(task)
        try:
            task.changed = await permission(task.attempt, names)
        except anyio.get_cancelled_exc_class():
            self._end(task, Stopped(task.attempt.id))
            raise
        except BaseException as error:
            self._end(task, self._ended(task, error))
            return
        task.began = time.perf_counter()
        self._pool.submit(partial(self._go_on, task))

    async def _await(self, task: _Task, body: Body) -> None:
        self._enter(task)
        try:
            result = await cast("Awaitable[object]", body.run())
            self._surroundings.after_body()
        except anyio.get_cancelled_exc_class() as error:
            if task.is_cancelled:
                self._end(task, Stopped(task.attempt.id))
                raise
            self._end(task, self._ended(task, error))
            return
        except BaseException as error:
            self._end(task, self._ended(task, error))
            return
        self._pool.submit(partial(self._finish, task, body, result))

    def _loop(self) -> anyio.from_thread.BlockingPortal:
        with self._lock:
            if self._is_closed:
                raise RuntimeError("stepwell has been stopped; nothing more is started")
            if self._portal is None:
                manager = anyio.from_thread.start_blocking_portal(name="stepwell-async")
                self._portal_manager, self._portal = manager, manager.__enter__()
            portal = self._portal
        if not self._is_loop_prepared:
            portal.call(self._surroundings.before_thread)
            self._is_loop_prepared = True
        return portal


async def _awaited(coroutine: Awaitable[object]) -> None:
    await coroutine
