"""A whole run in memory, one deterministic move at a time, with crashes wherever one likes.

The simulated process keeps the order the real one keeps: an event is applied at once,
written in batches, and acted upon when its batch is on the simulated disk. A crash loses
everything but the disk; a batch that was on its way may or may not have arrived.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from stepwell.flow import Step
from stepwell.orchestrator import (
    AttemptCompleted,
    AttemptFailed,
    AttemptStarted,
    CancelAttempt,
    CheckpointShared,
    ErrorInfo,
    Event,
    Output,
    Reuse,
    RunSettled,
    RunStarted,
    Settle,
    StartAttempt,
    State,
    StepReused,
    StepsDefined,
    apply,
    decide,
    interrupted,
    recover,
    request,
)

Entry = tuple[str, str, int, int, Event]


def digest(*parts: str) -> str:
    """What a simulated step's output is: a function of its code and inputs, as it should be."""
    return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def make_step(name: str, reads: Sequence[str], *, code: str = "1") -> Step:
    """A step that writes one name, its own."""
    return Step(
        name=name,
        source=code,
        code=code,
        digest=digest(name, code),
        reads=tuple(reads),
        writes=(name,),
    )


@dataclass
class World:
    """The disk, what happened outside, and at most one process at a time."""

    slots: int = 3
    fails: Callable[[str, int], bool] = lambda name, execution: False
    disk: list[Entry] = field(default_factory=list[Entry])
    executions: Counter[str] = field(default_factory=Counter[str])
    """Times each step's code ran to its end, crashes included: the file outside the store."""
    process: "Process | None" = None
    clock: int = 0

    def boot(self) -> "Process":
        """A new process reads the disk."""
        state = State("r")
        for step, item, attempt, at, event in self.disk:
            state = apply(state, event, step=step, item=item, attempt=attempt, at=at)
        self.process = self.new_process(state)
        for step, item, attempt, event in interrupted(state):
            self.process.record(event, step=step, item=item, attempt=attempt)
        recover(state)
        if state.started is None:
            self.process.record(RunStarted())
        return self.process

    def new_process(self, state: State) -> "Process":
        """Its memory."""
        return Process(self, state)

    def crash(self, *, batch_arrived: bool) -> None:
        """The process is gone; the batch that was on its way may have made it."""
        assert self.process is not None
        if batch_arrived:
            self.disk += self.process.batch
        self.process = None

    def outputs(self) -> dict[str, str]:
        """What the disk says each step's latest result is."""
        state = State("r")
        for step, item, attempt, at, event in self.disk:
            state = apply(state, event, step=step, item=item, attempt=attempt, at=at)
        return {
            name: step.checkpoint.outputs[name].digest
            for name, step in state.steps.items()
            if step.checkpoint is not None
        }

    def completed(self) -> Counter[str]:
        """How often each step has completed, as far as the disk knows."""
        return Counter(
            step for step, _, _, _, event in self.disk if isinstance(event, AttemptCompleted)
        )


@dataclass
class Process:
    """One process's memory."""

    world: World
    state: State
    batch: list[Entry] = field(default_factory=list[Entry])
    effects: list[StartAttempt] = field(default_factory=list[StartAttempt])
    running: dict[str, StartAttempt] = field(default_factory=dict[str, StartAttempt])
    settled: str = ""

    def record(self, event: Event, *, step: str = "", item: str = "", attempt: int = 0) -> None:
        """Apply and put on the next batch."""
        self.world.clock += 1
        at = self.world.clock
        self.state = apply(self.state, event, step=step, item=item, attempt=attempt, at=at)
        self.batch.append((step, item, attempt, at, event))

    def define(self, steps: Sequence[Step]) -> None:
        """Register steps as `%%step` cells do."""
        self.record(StepsDefined(tuple(steps)))

    def ask(self, names: Sequence[str], *, by: str = "cell", force: Sequence[str] = ()) -> None:
        """Want these steps."""
        environments = {step.name: "env" for step in self.state.flow}
        self.record(request(self.state, names, environments, by=by, force=force))
        self.advance()

    def advance(self) -> None:
        """Decide until there is nothing to decide."""
        while commands := decide(self.state, slots=self.world.slots, now=self.world.clock):
            for command in commands:
                match command:
                    case StartAttempt():
                        event = AttemptStarted(
                            key=command.key,
                            code=command.code,
                            inputs=command.inputs,
                            environment=command.environment,
                        )
                        self.record(event, step=command.step, attempt=command.attempt)
                        self.effects.append(command)
                    case Reuse():
                        self.record(StepReused(), step=command.step)
                    case CancelAttempt():
                        self.state.superseded.pop(command.step)
                    case Settle():
                        self.record(RunSettled(command.status))
                    case _:
                        raise AssertionError(command)

    def commit(self) -> None:
        """The batch reaches the disk, and what waited for it is done."""
        self.world.disk += self.batch
        self.batch = []
        effects, self.effects = self.effects, []
        for command in effects:
            self.check_inputs_are_durable(command)
            self.running[command.step] = command

    def check_inputs_are_durable(self, command: StartAttempt) -> None:
        """Commit before continue: what the attempt reads is on disk before it starts."""
        durable = {
            output.digest
            for _, _, _, _, event in self.world.disk
            if isinstance(event, AttemptCompleted | CheckpointShared)
            for output in event.outputs.values()
        }
        missing = [name for name, found in command.inputs.items() if found not in durable]
        assert not missing, f"{command.step} started before {missing} was durable"

    def finish(self, name: str) -> None:
        """One running attempt ends."""
        command = self.running.pop(name)
        self.world.executions[name] += 1
        if self.world.fails(name, self.world.executions[name]):
            error = ErrorInfo("ValueError", "as told")
            self.record(AttemptFailed(error), step=name, attempt=command.attempt)
        else:
            made = digest(command.code, *(f"{k}={v}" for k, v in sorted(command.inputs.items())))
            event = AttemptCompleted({name: Output(made)})
            self.record(event, step=name, attempt=command.attempt)
        self.advance()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing more will happen by itself."""
        return not (self.batch or self.effects or self.running)


def undisturbed(steps: Sequence[Step]) -> dict[str, str]:
    """The outputs of a run in which nothing goes wrong."""
    world = World()
    process = world.boot()
    process.define(steps)
    process.ask([step.name for step in steps])
    while not process.is_quiet:
        process.commit()
        for name in list(process.running):
            process.finish(name)
    return world.outputs()


def play(
    world: World,
    steps: Sequence[Step],
    choose: random.Random,
    *,
    crashes: int,
    by_resume: bool,
) -> None:
    """Run to the end with so many crashes, each at a moment `choose` picks."""
    names = [step.name for step in steps]
    process = world.boot()
    process.define(steps)
    process.ask(names)
    crash_at = sorted(choose.randrange(1, 6 * len(steps) + 3) for _ in range(crashes))
    moves = 0
    while True:
        moves += 1
        if crash_at and moves >= crash_at[0]:
            crash_at.pop(0)
            world.crash(batch_arrived=choose.random() < 0.5)
            process = world.boot()
            if by_resume and process.state.flow and set(names) <= set(process.state.steps):
                process.ask([*process.state.unfinished], by="resume")
            else:
                process.define(steps)
                process.ask(names)
            continue
        if process.is_quiet:
            return
        _move(process, choose)


def _move(process: Process, choose: random.Random) -> None:
    can_commit = bool(process.batch or process.effects)
    if can_commit and (not process.running or choose.random() < 0.5):
        process.commit()
    else:
        process.finish(choose.choice(sorted(process.running)))


def chain(length: int) -> list[Step]:
    """Each reads the one before."""
    return [make_step(f"s{i}", [f"s{i - 1}"] if i else []) for i in range(length)]


def random_flow(choose: random.Random, size: int) -> list[Step]:
    """Each reads some of those before it."""
    steps: list[Step] = []
    for i in range(size):
        earlier = [step.name for step in steps]
        reads = choose.sample(earlier, choose.randint(0, min(3, len(earlier))))
        steps.append(make_step(f"s{i}", reads))
    return steps
