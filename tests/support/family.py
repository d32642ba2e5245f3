"""Runs that call runs, in memory, one deterministic move at a time, with crashes anywhere.

As `simulation`, for more than one run: steps whose code calls agents and waits for them, and
asks people, who take their time: a call of `?` is a question. What was begun takes
microseconds, so that no clock goes off that counts only work. Nothing here knows how a child
begins or ends: the orchestrator's own `Children` does that.
"""

import dataclasses
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec.structs import replace

from stepwell.flow import Step
from stepwell.orchestrator import (
    ApprovalDecided,
    ApprovalRequested,
    AttemptCompleted,
    AttemptFailed,
    AttemptId,
    AttemptInterrupted,
    AttemptStarted,
    Birth,
    Budget,
    BudgetSet,
    Call,
    CancelAttempt,
    ChildLeft,
    Children,
    Decision,
    DropWaiting,
    ErrorInfo,
    Event,
    Failure,
    Hold,
    Output,
    Release,
    Reuse,
    RunCancelled,
    RunSettled,
    RunStarted,
    Settle,
    StartAttempt,
    State,
    StepReused,
    StepsDefined,
    TimeOut,
    Void,
    WaitResumed,
    apply,
    closing,
    counted_on,
    decide,
    interrupted,
    recover,
    request,
    retry_at,
    running_attempts,
    time_events,
)
from stepwell.orchestrator._purse import Purse
from stepwell.store import Blob
from tests.support.simulation import digest

Entry = tuple[str, str, str, int, int, Event]
ROOT = "r"
PERSON = "?"
DAY = 86_400_000_000
Kind = TypeVar("Kind", bound=Event)


@dataclass(frozen=True)
class Agent:
    """Steps, and which agents each of them calls, all at once, `?` for a person; an edit changes
    the version."""

    name: str
    steps: tuple[Step, ...]
    calls: Mapping[str, Sequence[str]]
    version: str = "1"

    def birth(self) -> Birth:
        """What the orchestrator is given."""
        written = tuple(name for step in self.steps for name in step.writes)
        return Birth(
            RunStarted(flow=self.name, outputs=written),
            self.version,
            self.steps,
            {step.name: "env" for step in self.steps},
        )


def agent(name: str, version: str = "1", **calls: Sequence[str]) -> Agent:
    """A chain of steps; each calls the agents given for it."""
    steps: list[Step] = []
    for step in calls:
        reads = (steps[-1].name,) if steps else ()
        steps.append(
            Step(
                name=step,
                source=version,
                code=version,
                digest=digest(name, step, version),
                flow="" if name == "main" else name,
                reads=reads,
                writes=(step,),
            )
        )
    return Agent(name, tuple(steps), calls, version)


def changed(agent: Agent, step: str, **fields: Any) -> Agent:
    """The agent with one of its steps defined otherwise."""
    steps = (replace(it, **fields) if it.name == step else it for it in agent.steps)
    return dataclasses.replace(agent, steps=tuple(steps))


@dataclass
class World:
    """The disk, what happened outside, and at most one process at a time."""

    agents: dict[str, Agent]
    fails: Callable[[str, str, int], bool] = lambda agent, step, execution: False
    disk: list[Entry] = field(default_factory=list[Entry])
    executions: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """Times the code of each agent's step ran to its end, crashes included."""
    failure: Callable[[str], Failure] = lambda agent: Failure()
    """What is known of an error in a step of this agent."""
    timeouts: int = 0
    word: Decision = "approved"
    """What people say."""
    process: "Process | None" = None
    clock: int = 0

    def boot(self) -> "Process":
        """A new process reads the disk, of which it needs the root run."""
        process = self.process = Process(self)
        if any(entry[0] == ROOT for entry in self.disk):
            state = process.load(ROOT)
            process.adopt(state)
            for step, item, attempt, event in interrupted(state):
                process.record(ROOT, event, step=step, item=item, attempt=attempt)
            gone = self.clock - max(at for *_, at, _ in self.disk)
            if (event := counted_on(state, gone)) is not None:
                process.record(ROOT, event)
        else:
            process.adopt(State(ROOT))
            process.record(ROOT, RunStarted())
        return process

    def crash(self, *, batch_arrived: bool) -> None:
        """The process is gone; the batch that was on its way may have made it."""
        assert self.process is not None
        if batch_arrived:
            self.disk += self.process.batch
        if self.process.states[ROOT].budget is not None:
            self.clock += DAY
        self.process = None

    def events(self, kind: type[Kind]) -> list[tuple[str, str, Kind]]:
        """Run, step and event, of one kind, as the disk has them."""
        return [
            (run, step, event) for run, step, _, _, _, event in self.disk if isinstance(event, kind)
        ]

    def result(self) -> dict[str, str]:
        """What the root's steps came to."""
        state = Process(self).load(ROOT)
        return {
            name: output.digest
            for step in state.steps.values()
            if step.checkpoint is not None
            for name, output in step.checkpoint.outputs.items()
        }


@dataclass
class Attempt:
    """What runs: it has calls to make, and waits for those it has made."""

    command: StartAttempt
    to_call: list[tuple[str, str]]
    waits: list[str] = field(default_factory=list[str])


@dataclass
class Process:
    """One process's memory; its runs are `Runs` to `Children`."""

    world: World
    states: dict[str, State] = field(default_factory=dict[str, State])
    batch: list[Entry] = field(default_factory=list[Entry])
    effects: list[tuple[str, StartAttempt]] = field(default_factory=list[tuple[str, StartAttempt]])
    running: dict[tuple[str, str], Attempt] = field(default_factory=dict[tuple[str, str], Attempt])

    def __post_init__(self) -> None:
        self.children = Children(self, self.load)
        self.purse = Purse(Family(self))

    # -- runs, as `Children` wants them ---------------------------------------------------

    def load(self, run: str) -> State:
        """As the disk has it, for a new process."""
        state = State(run, is_replayed=True)
        for of, step, item, attempt, at, event in self.world.disk:
            if of == run:
                state = apply(state, event, step=step, item=item, attempt=attempt, at=at)
        state.is_replayed = False
        assert state.started is not None, f"{run} was asked for and is not on the disk"
        return recover(state)

    def is_advancing(self, run: str) -> bool:
        """Whether it was adopted."""
        return run in self.states

    def state(self, run: str) -> State:
        """Of an adopted run."""
        return self.states[run]

    def adopt(self, state: State) -> None:
        """Advance it."""
        self.states[state.run] = state

    def interrupt(self, run: str, step: str) -> None:
        """Somebody has said so."""
        for item, attempt in running_attempts(self.states[run].steps[step]):
            event = AttemptInterrupted("cancelled")
            self.record(run, event, step=step, item=item, attempt=attempt)
        self.running.pop((run, step), None)

    def record(
        self,
        run: str,
        event: Event,
        *,
        step: str = "",
        item: str = "",
        attempt: int = 0,
        blobs: Sequence[Blob] = (),
    ) -> None:
        """Apply, put on the next batch, let the others know."""
        self.world.clock += 1
        state, at = self.states[run], self.world.clock
        apply(state, event, step=step, item=item, attempt=attempt, at=at)
        self.batch.append((run, step, item, attempt, at, event))
        self.children.follow(state, event, step, item)
        self.purse.follow(state, event, AttemptId(run, step, attempt, item), at)

    # -- what people do ---------------------------------------------------------------------

    def ask(self, main: Agent, *, resume: bool = False) -> None:
        """Run the root's cells, or resume what was cut off."""
        state = self.states[ROOT]
        if not resume:
            changed = [step for step in main.steps if state.flow.get(step.name) != step]
            self.record(ROOT, StepsDefined(tuple(changed)))
        names = [*state.unfinished] if resume else [step.name for step in main.steps]
        environments = {step.name: "env" for step in state.flow}
        self.record(ROOT, request(state, names, environments, by="resume" if resume else "cell"))
        self.advance()

    def want(self, names: Sequence[str], **how: Any) -> None:
        """As a verb asks for steps of the root's."""
        state = self.states[ROOT]
        environments = {step.name: "env" for step in state.flow}
        self.record(ROOT, request(state, names, environments, by="rerun", **how))
        self.advance()

    def cancel(self) -> None:
        """`%stepwell cancel`."""
        for name in list(self.states[ROOT].running):
            self.interrupt(ROOT, name)
        self.record(ROOT, RunCancelled())
        self.advance()

    # -- moves --------------------------------------------------------------------------------

    def advance(self) -> None:
        """Decide, for every run, until there is nothing to decide."""
        while any(self._advance(run) for run in list(self.states)):
            pass

    def _advance(self, run: str) -> bool:
        state = self.states[run]
        commands = decide(state, slots=5, now=self.world.clock)
        for command in commands:
            match command:
                case StartAttempt():
                    assert not self.is_over_time(), f"{command.step} starts when time is over"
                    event = AttemptStarted(
                        key=command.key,
                        code=command.code,
                        inputs=command.inputs,
                        environment=command.environment,
                    )
                    self.record(run, event, step=command.step, attempt=command.attempt)
                    self.effects.append((run, command))
                case Reuse():
                    self.record(run, StepReused(), step=command.step)
                case CancelAttempt():
                    state.superseded.pop(command.step)
                case Settle():
                    self.record(run, RunSettled(command.status))
                case Void():
                    event, step, item, attempt = closing(state, command)
                    self.record(run, event, step=step, item=item, attempt=attempt)
                case Hold() | Release():
                    for each in time_events(state, command):
                        self.record(run, each)
                case DropWaiting():
                    self.record(run, RunCancelled(command.steps))
                case TimeOut():
                    if state.tried(command.step, command.item, command.attempt) is None:
                        continue
                    self.world.timeouts += 1
                    self.running.pop((run, command.step), None)
                    event = AttemptFailed(ErrorInfo("StepTimedOut"))
                    self.record(run, event, step=command.step, attempt=command.attempt)
                case _:
                    raise AssertionError(command)
        return bool(commands)

    def commit(self) -> None:
        """The batch reaches the disk, and what waited for it is done."""
        self.world.disk += self.batch
        self.batch = []
        effects, self.effects = self.effects, []
        for run, command in effects:
            running = self.states[run].steps[command.step].running if run in self.states else None
            if running is not None and running.attempt == command.attempt:
                called = self._agent_of(run).calls[command.step]
                to_call = [(name, f"{name}#{nth}") for nth, name in enumerate(called)]
                self.running[run, command.step] = Attempt(command, to_call)
        for run in list(self.states):
            if self.children.is_over(run):
                del self.states[run]

    def _agent_of(self, run: str) -> Agent:
        started = self.states[run].started
        assert started is not None
        return self.world.agents[started.flow or "main"]

    def can_move(self, run: str, step: str) -> bool:
        """Whether the attempt has something left to do now."""
        attempt = self.running[run, step]
        return bool(attempt.to_call) or self._is_answered(run, step, attempt)

    def _is_answered(self, run: str, step: str, attempt: Attempt) -> bool:
        calls = self.states[run].steps[step].calls or {}
        # An answer counts once it is on disk.
        return not self.batch and all(calls[key].is_closed for key in attempt.waits)

    def move(self, run: str, step: str) -> None:
        """One running attempt calls the next agent, or ends."""
        attempt = self.running[run, step]
        if attempt.to_call:
            name, key = attempt.to_call.pop()
            at = AttemptId(run, step, attempt.command.attempt)
            if name == PERSON:
                self._ask_person(at, key)
            else:
                self.children.begin(at, key, self.world.agents[name].birth())
            attempt.waits.append(key)
        else:
            del self.running[run, step]
            self._end(run, attempt)
        self.advance()

    def limit_time(self, seconds: float) -> None:
        """`%stepwell budget --time`."""
        self.record(ROOT, BudgetSet(Budget(seconds=seconds)))

    def is_over_time(self) -> bool:
        """Whether the root has used up its time."""
        root = self.states[ROOT]
        seconds = root.budget.seconds if root.budget is not None else None
        return seconds is not None and self.world.clock > root.budget_since + seconds * 1e6

    def _ask_person(self, at: AttemptId, key: str) -> None:
        known = (self.states[at.run].steps[at.step].calls or {}).get(key)
        if known is None:
            asked = ApprovalRequested(f"{at.run}/{at.step}", key, "Well?")
            self.record(at.run, asked, step=at.step, attempt=at.attempt)
        elif not known.is_closed:
            self.record(at.run, WaitResumed(key), step=at.step, attempt=at.attempt)

    def leave(self, run: str, step: str) -> str:
        """The code ceases to wait for one of the runs it has called: which; none if there is none.

        So it does in an `asyncio.timeout`, or when another task of a group fails.
        """
        attempt, calls = self.running[run, step], self.states[run].steps[step].calls or {}
        for key in attempt.waits:
            if calls[key].form == "child" and not calls[key].is_closed:
                attempt.waits.remove(key)
                number = attempt.command.attempt
                self.record(run, ChildLeft(key), step=step, attempt=number)
                self.advance()
                return calls[key].subject
        return ""

    def decide_one(self, choose: random.Random) -> bool:
        """After a day, somebody answers a question; whether there was one."""
        pending = [(state, name) for state in self.states.values() for name in state.pending]
        if pending:
            self.world.clock += DAY
            self.advance()
            state, name = choose.choice(pending)
            asked = state.approvals[name]
            word = self.world.word
            decided = ApprovalDecided(name, word, asked.request.call, by="ada")
            self.record(state.run, decided, step=asked.step, attempt=asked.attempt)
            self.advance()
        return bool(pending)

    def wait_for_retry(self) -> bool:
        """The next retry is due; whether there is one."""
        dues = [state.timers.next_due for state in self.states.values() if state.retrying]
        if dues:
            self.world.clock = max(self.world.clock, min(filter(None, dues)))
            self.advance()
        return bool(dues)

    def _end(self, run: str, attempt: Attempt) -> None:
        command, name = attempt.command, self._agent_of(run).name
        calls: dict[str, Call] = self.states[run].steps[command.step].calls or {}
        answers = [calls[key] for key in sorted(attempt.waits) if calls[key].form == "child"]
        step, number = command.step, command.attempt
        if failed := [call for call in answers if call.status != "completed"]:
            known = [call.error.failure for call in failed if call.error is not None]
            passing = [it for it in known if it is not None and it.is_transient]
            self._fail(run, command, "AgentFailed", (passing or [Failure()])[0])
            return
        self.world.executions[name, step] += 1
        if self.world.fails(name, step, self.world.executions[name, step]):
            self._fail(run, command, "ValueError", self.world.failure(name))
            return
        parts = [f"{key}={value}" for key, value in sorted(command.inputs.items())]
        parts += [output.digest for call in answers for output in call.outputs.values()]
        output = Output(digest(command.code, *parts))
        self.record(run, AttemptCompleted({step: output}), step=step, attempt=number)

    def _fail(self, run: str, command: StartAttempt, kind: str, failure: Failure) -> None:
        state, step = self.states[run], command.step
        due = retry_at(state.flow[step], state.steps[step], failure, self.world.clock)
        event = AttemptFailed(ErrorInfo(kind, failure=failure), retry_at=due)
        self.record(run, event, step=step, attempt=command.attempt)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing more will happen by itself."""
        is_waiting = any(state.retrying or state.held for state in self.states.values())
        return not (self.batch or self.effects or self.running or is_waiting)


@dataclass
class Family:
    """A process's runs, as `Purse` wants them."""

    process: Process

    def states(self) -> list[State]:
        """All that were adopted."""
        return list(self.process.states.values())

    def record(self, run: str, event: Event, **place: Any) -> None:
        """Write an event."""
        self.process.record(run, event, **place)


def go_on(process: Process, choose: random.Random, *, moves: int = 0) -> None:
    """Moves that `choose` picks, so many, or until nothing more happens."""
    made = 0
    while not process.is_quiet and (not moves or made < moves):
        made += 1
        able = sorted(key for key in process.running if process.can_move(*key))
        if able and (not (process.batch or process.effects) or choose.random() < 0.5):
            process.move(*choose.choice(able))
        elif process.batch or process.effects:
            process.commit()
        elif not (process.decide_one(choose) or process.wait_for_retry()):
            raise AssertionError(f"nothing happens any more: {process.running}")
