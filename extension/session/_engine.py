"""The working parts around one store: opened together, closed together."""

import getpass
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from stepwell.errors import UnknownRun, near_misses
from stepwell.frontend import watch_requests
from stepwell.orchestrator import (
    COURTESY,
    ApprovalDecided,
    AttemptCompleted,
    AttemptId,
    Clock,
    Happened,
    LimitSet,
    Listener,
    Orchestrator,
    RunStarted,
    Shortcuts,
    SignListener,
    State,
    StepReused,
    begun_since,
    counted_on,
    decode,
    interrupted,
    load,
    runs,
)
from stepwell.place import Place
from stepwell.secrecy import mark_secrets_of
from stepwell.session._desk import Desk
from stepwell.session._nursery import StepNursery
from stepwell.session._outputs import Outputs
from stepwell.session._surroundings import Alike, Surroundings
from stepwell.store import Store, open_store
from stepwell.store.values import Resolve, Signer, Trust
from stepwell.workers import KernelWorker, Values
from stepwell.workers.namespace import Captured

__all__ = ["Engine", "open_engine", "resolve_run", "user_name"]

ANSWER_SECONDS = 0.003
"""So long the kernel needs to get an answer on its way that it has given."""


@dataclass(slots=True)
class Engine:
    """An open store, what runs on it, and the run that is being advanced."""

    place: Place
    surroundings: Surroundings
    store: Store
    values: Values
    worker: KernelWorker
    orchestrator: Orchestrator
    outputs: Outputs
    desk: Desk
    shortcuts: Shortcuts
    watch_no_more: Callable[[], None]
    """Ends looking out for what the kernel is asked for, to make way for its answers."""
    run: str = ""

    @property
    def state(self) -> State:
        """The current run. Read it on the main thread; change it on the orchestrator's."""
        return self.orchestrator.state(self.run)

    def is_durable(self, step: str) -> bool:
        """Whether all that the current run's state says of the step is on disk."""
        return self.orchestrator.is_durable(self.run, step)

    def capture(self, name: str, *, alike: Alike | None = None) -> tuple[str, Captured]:
        """The environment a step would find now, and its digest. See `Surroundings.capture`."""
        state = self.state
        step = state.steps.get(name)
        result = step.checkpoint if step is not None else None
        known = state.environments.get(result.environment) if result is not None else None
        last = known.bindings if known is not None else None
        return self.surroundings.capture(state.flow[name], last, alike=alike)

    def publish(self, happened: Sequence[Happened]) -> None:
        """Put what these steps have made into the namespace. On the orchestrator's thread."""
        for what in happened:
            if what.run != self.run or what.item:
                continue
            match what.event:
                case AttemptCompleted(outputs=outputs):
                    self.outputs.publish(what.step, outputs, what.objects)
                case StepReused():
                    self.bring_back(what.step)
                case ApprovalDecided(outputs=outputs) if outputs:
                    self.bring_back(what.step)
                case _:
                    pass

    def bring_back(self, name: str) -> None:
        """Put a restored step's outputs into the namespace."""
        step = self.state.steps.get(name)
        if step is not None and step.checkpoint is not None:
            self.outputs.restore(name, step.checkpoint.outputs)

    def environments_in_use(self) -> set[str]:
        """Environments that an attempt runs in, or is going to. On the orchestrator's thread."""
        return {
            environment
            for state in self.orchestrator.states()
            for step in state.steps.values()
            if step.owed or step.running is not None
            for environment in (step.environment, step.running and step.running.environment)
            if environment
        }

    def caller(self, attempt: AttemptId) -> str:
        """The step of the run at the top on whose behalf the attempt runs. Any thread.

        Of a run that a cell has called it is that run.
        """
        run, step = attempt.run, attempt.step
        while (state := self.orchestrator.find(run)) is not None:
            started = state.started
            if started is None or not started.call:
                break
            if not started.step:
                return run
            run, step = started.parent, started.step
        return step

    def is_running(self, attempt: AttemptId) -> bool:
        """Whether the attempt is under way, in whichever run. Any thread."""
        state = self.orchestrator.find(attempt.run)
        return state is not None and bool(state.tried(attempt.step, attempt.item, attempt.attempt))

    def choose_run(self) -> None:
        """Go on with the notebook's latest run; begin one if there is none or it is asked for."""
        known = [run for run, _, event in runs(self.store) if not event.parent]
        if self.place.mode == "fresh" or (not known and self.place.mode != "resume"):
            self.begin()
        elif known:
            self.switch(known[-1])
        else:
            raise UnknownRun("(the latest)", str(self.store.path or "memory"))

    def begin(
        self, *, forked_from: str = "", fill: Callable[[str], None] = lambda run: None
    ) -> None:
        """A new run, in which nothing has happened yet but what `fill` records.

        All of it is on disk, or none.
        """
        run = secrets.token_hex(4)
        event = RunStarted(
            notebook=str(self.place.notebook or ""),
            user=user_name(),
            host=socket.gethostname(),
            forked_from=forked_from,
        )

        def work() -> None:
            self.orchestrator.adopt(State(run))
            self.orchestrator.record(run, event)
            fill(run)
            # Here, and not when the call returns: whoever hears of this looks at the run.
            self.run = run
            self.orchestrator.release_idle(but=run)

        self.orchestrator.call(work)

    def switch(self, run: str) -> None:
        """Go on with this run as its events leave it. Raises `UnknownRun`; never begins anew."""
        run = self.resolve(run)
        if self.orchestrator.is_advancing(run):
            # It has gone on all the while.
            self.run = run
            return
        state = load(self.store, run)
        mark_secrets_of(state)
        self.shortcuts.look(run)

        last = self._last_of(run) if state.budget is not None else 0

        def work() -> None:
            self.orchestrator.adopt(state)
            for step, item, attempt, event in interrupted(state):
                self.orchestrator.record(state.run, event, step=step, item=item, attempt=attempt)
            if last and (counts_on := counted_on(state, self.orchestrator.now() - last)):
                self.orchestrator.record(state.run, counts_on)
            self.run = state.run
            self.orchestrator.release_idle(but=state.run)

        self.orchestrator.call(work)

    def _last_of(self, run: str) -> int:
        """When anything was last written of the run or one below it, microseconds UTC."""
        family = [run, *(below for below, _, event in runs(self.store) if event.root == run)]
        query = "SELECT epoch_us(max(time)) FROM records WHERE list_contains($1, run)"
        return int(self.store.sql(query, [family]).fetchall()[0][0])

    def top(self, run: str) -> str:
        """The run that nobody called, below which this one is; itself, where it is that."""
        roots = {name: event.root for name, _, event in runs(self.store)}
        return roots.get(run, "") or run

    def find(self, run: str) -> State | None:
        """A run that is being advanced. On any thread."""
        return self.orchestrator.find(run)

    def resolve(self, run: str) -> str:
        """The run that an id, or the unambiguous beginning of one, means; or `current`, or
        `previous`: the run it was forked from, or else the one begun before it.
        """
        if run == "current":
            return self.run
        return resolve_run(self.store, self._previous() if run == "previous" else run)

    def _previous(self) -> str:
        origin = self.state.started.forked_from if self.state.started else ""
        known = [run for run, _, event in runs(self.store) if not event.parent]
        before = known[: known.index(self.run)] if self.run in known else known
        return origin or (before or ["previous"])[-1]

    def close(self) -> None:
        """Stop taking part, write everything out, let go of the store."""
        self.watch_no_more()
        self.worker.close()
        self.outputs.close()
        self.orchestrator.stop()
        self.shortcuts.close()
        self.store.close()


def resolve_run(store: Store, run: str) -> str:
    """The run that an id or the unambiguous beginning of one means. Raises `UnknownRun`."""
    known = [name for name, _, _ in runs(store)]
    matches = [name for name in known if name.startswith(run)] if run else []
    if run in known:
        return run
    if len(matches) != 1:
        near = f" It could be {', '.join(matches)}." if matches else near_misses(run, known)
        raise UnknownRun(run, str(store.path or "memory"), near)
    return matches[0]


def open_engine(
    place: Place,
    surroundings: Surroundings,
    publisher: Listener,
    listener: Listener,
    sign_listener: SignListener,
    *,
    resolve: Resolve,
    store: Store | None = None,
    clock: Clock | None = None,
    unreadable: Callable[[str], None] = lambda step: None,
) -> Engine:
    """Open the store and start the orchestrator on it. Raises what the store raises.

    `publisher` hears what is on disk before `listener`, and before anybody can know it.
    `unreadable` hears of steps one of whose stored values could not be read back.
    """
    opened = store or open_store(place.store, holder=_holder(place), patience=place.patience)
    shortcuts = Shortcuts(opened)
    orchestrator = None
    answered = partial(COURTESY.go_on, ANSWER_SECONDS)
    watch_no_more = watch_requests(COURTESY.give_way, answered)
    try:
        values = Values(opened, Signer.of_user(), Trust.of_user(opened), resolve=resolve)
        worker = KernelWorker(surroundings, values, opened.begin)
        orchestrator = Orchestrator(opened, worker, clock=clock)
        outputs = Outputs(surroundings.namespace_of_notebook, values, tell=unreadable)
        orchestrator.listen(publisher, first=True)
        orchestrator.listen(listener)
        orchestrator.listen(shortcuts.follow)
        orchestrator.watch_signs(sign_listener)
        _recall_limits(orchestrator, opened)
        orchestrator.start()
        desk = Desk(orchestrator, opened, values, user=user_name())
        engine = Engine(
            place,
            surroundings,
            opened,
            values,
            worker,
            orchestrator,
            outputs,
            desk,
            shortcuts,
            watch_no_more,
        )
        surroundings.caller = engine.caller
        surroundings.nursery_of = lambda attempt: StepNursery(
            surroundings, attempt.environment, attempt.inputs
        )
        engine.choose_run()
    except BaseException:
        watch_no_more()
        if orchestrator is not None:
            orchestrator.stop()
        shortcuts.close(0.0)
        opened.close()
        raise
    return engine


def _recall_limits(orchestrator: Orchestrator, opened: Store) -> None:
    """The rules that were set, and what began under them lately."""
    limits = orchestrator.limits
    for row in opened.rows(kinds=["limit_set"]):
        rule = decode(row)
        if isinstance(rule, LimitSet):
            limits.rules[rule.name] = rule
    if limits.longest:
        since = orchestrator.now() - round(limits.longest * 1e6)
        limits.recall(begun_since(opened, since))


def _holder(place: Place) -> dict[str, str]:
    return {"notebook": str(place.notebook or ""), "user": user_name(), "pid": str(os.getpid())}


def user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry for this user id, as in some containers
        return str(os.getuid())
