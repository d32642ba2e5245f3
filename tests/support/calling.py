"""A simulated run whose steps make calls: in turn, at once, within each other, failing, crashing.

What a call does is decided by the real code (`inside.conduct`); the test moves it on, one
small move at a time, and may let the process die between any two of them.
"""

import random
from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from simulation import Process, World, digest, make_step

from stepwell.errors import AttemptGivenUp
from stepwell.flow import Retry, Step
from stepwell.inside._arguments import Identity
from stepwell.inside._conduct import Ask, Try, Wait, conduct
from stepwell.inside._current import Inside
from stepwell.inside._options import CallOptions
from stepwell.inside._turns import Turn
from stepwell.orchestrator import (
    Attempt,
    AttemptCompleted,
    AttemptFailed,
    AttemptId,
    CallCompleted,
    CallFailed,
    ErrorInfo,
    Note,
    Output,
    Reserve,
    Rest,
)
from stepwell.store import Blob, Digest

Moves = Generator[None, None, Any]


@dataclass(frozen=True)
class Planned:
    """A call that a step's code is going to make."""

    name: str
    below: tuple["Planned", ...] = ()
    """What its own code calls, in turn."""
    failures: int = 0
    """So many tries fail before one succeeds."""
    retries: int = 0
    is_caught: bool = False
    """Whether its caller goes on when it has failed."""


Group = tuple[Planned, ...]
"""Calls that are made at once."""
Plan = tuple[Group, ...]


class Trouble(ConnectionError):
    """A try at a call fails."""


def plan(choose: random.Random, depth: int = 2) -> Planned:
    """A call like any other: the names are few, so that there are several of the same."""
    below = tuple(plan(choose, depth - 1) for _ in range(choose.randint(0, 2))) if depth else ()
    is_caught = choose.random() < 0.2
    # What fails fails for good, or soon not any more: then crashes cannot change the outcome.
    failures = choose.choice((0, 99) if is_caught else (0, 0, 0, 1, 2))
    retries = choose.randint(failures % 99, 3)
    return Planned(choose.choice("fgh"), below, failures, retries, is_caught)


def plans(choose: random.Random, steps: Sequence[Step]) -> dict[str, Plan]:
    """What each step's code calls."""
    return {
        step.name: tuple(
            tuple(plan(choose) for _ in range(choose.randint(1, 3)))
            for _ in range(choose.randint(0, 3))
        )
        for step in steps
    }


@dataclass
class CallingWorld(World):
    """A world in which steps call."""

    plans: dict[str, Plan] = field(default_factory=dict[str, Plan])
    kept: dict[str, object] = field(default_factory=dict[str, object])
    """Values, by digest."""
    effects: Counter[str] = field(default_factory=Counter[str])
    """How often each call has had an effect outside: by step and key."""
    tries: Counter[str] = field(default_factory=Counter[str])

    def new_process(self, state: Any) -> "CallingProcess":
        """As `World`'s."""
        return CallingProcess(self, state)

    def answered(self) -> set[tuple[str, str]]:
        """Step and key of every call that the disk has an answer for.

        A failure is one until the attempt that met it has come to its end.
        """
        found: set[tuple[str, str]] = set()
        failed: dict[str, set[tuple[str, str]]] = {}
        for step, _, _, _, event in self.disk:
            match event:
                case CallCompleted(call=key):
                    found.add((step, key))
                case CallFailed(call=key):
                    failed.setdefault(step, set()).add((step, key))
                case AttemptFailed() | AttemptCompleted():
                    failed.pop(step, None)
                case _:
                    pass
        return found.union(*failed.values())


@dataclass
class CallingProcess(Process):
    """One process's memory."""

    waiting: list[Future[None]] = field(default_factory=list[Future[None]])
    at_work: dict[str, "Code"] = field(default_factory=dict[str, "Code"])

    def commit(self) -> None:
        """As `Process`, and whoever waited for the disk is told."""
        waiting, self.waiting = self.waiting, []
        super().commit()
        for answer in waiting:
            answer.set_result(None)
        for name, command in self.running.items():
            known = self.at_work.get(name)
            if known is None or known.attempt.id.attempt != command.attempt:
                unit = self.state.step(name)
                attempt = AttemptId("r", name, command.attempt)
                made = Attempt(
                    attempt, self.state.flow[name], command.key, {}, "", {}, 1, None, unit.calls
                )
                self.at_work[name] = Code(self, made)

    def move(self, name: str, choose: random.Random) -> bool:
        """The step's code goes on a little; whether it could."""
        return self.at_work[name].move(choose)

    def can_move(self) -> list[str]:
        """Steps whose code does not wait for the disk."""
        return sorted(name for name in self.running if self.at_work[name].can_move)

    def end(self, name: str, result: str | None) -> None:
        """The step's code has ended, with an error for None."""
        command = self.running.pop(name)
        del self.at_work[name]
        if result is None:
            error = ErrorInfo("Trouble", "as told")
            self.record(AttemptFailed(error), step=name, attempt=command.attempt)
        else:
            made = digest(command.code, result, *sorted(command.inputs.values()))
            event = AttemptCompleted({name: Output(made)})
            self.record(event, step=name, attempt=command.attempt)
        self.advance()


class Code:
    """What an attempt executes: its groups of calls, one after the other."""

    def __init__(self, process: CallingProcess, attempt: Attempt) -> None:
        self.process = process
        self.attempt = attempt
        link = SimulatedLink(process)
        self._inside = Inside(attempt, link, SimulatedValues(process.world.kept))  # type: ignore[arg-type,attr-defined]
        world: Any = process.world
        self._left: list[Group] = list(world.plans.get(attempt.id.step, ()))
        self._tasks: list[Task] = []
        self._results: list[str] = []

    @property
    def can_move(self) -> bool:
        """Whether one of its calls does not wait for the disk."""
        return not self._tasks or any(task.can_move for task in self._tasks)

    def move(self, choose: random.Random) -> bool:
        """One call goes on a little; or the next group begins; or all have ended."""
        able = [task for task in self._tasks if task.can_move]
        if self._tasks and not able:
            return False
        if able:
            choose.choice(able).move()
        elif self._left:
            self._tasks = [Task(self._call(planned)) for planned in self._left.pop(0)]
        else:
            self.process.end(self.attempt.id.step, digest(*self._results))
        if self._tasks and all(task.is_done for task in self._tasks):
            self._gather()
        return True

    def _gather(self) -> None:
        tasks, self._tasks = self._tasks, []
        if any(task.error for task in tasks):
            self.process.end(self.attempt.id.step, None)
        else:
            self._results += [str(task.result) for task in tasks]

    def _call(self, planned: Planned, inside: Inside | None = None) -> Moves:
        try:
            return (yield from self._made(planned, inside))
        except Trouble:
            if not planned.is_caught:
                raise
            return "caught"

    def _made(self, planned: Planned, inside: Inside | None) -> Moves:
        here = inside or self._inside
        call = Identity(planned.name, f"{planned.name}:{hash_of(planned)}", "", {}, {})
        options = CallOptions(retry=Retry(retries=planned.retries, backoff=0.0))
        doing, answer, error = conduct(here, call, options), None, None
        while True:
            try:
                command = doing.throw(error) if error is not None else doing.send(answer)
            except StopIteration as end:
                self._check_is_durable(here, call)
                return end.value
            answer = error = None
            match command:
                case Try(within):
                    yield
                    try:
                        answer = yield from self._body(planned, within, within.path[:-1])
                    except Exception as caught:
                        error = caught
                case Wait(future):
                    while not future.done():
                        self.current.waits_for = future
                        yield
                    self.current.waits_for = None
                    error = future.exception()  # type: ignore[assignment]
                case Ask() | Turn():
                    raise AssertionError("nobody is asked, and nothing is limited here")

    def _body(self, planned: Planned, within: Inside, key: str) -> Moves:
        world: Any = self.process.world
        where = (self.attempt.id.step, key)
        assert where not in world.answered(), f"{where} has been answered, and is made again"
        world.tries[f"{where}"] += 1
        found: list[str] = []
        for below in planned.below:
            made = yield from self._call(below, within)
            found += [str(made)]
        world.effects[f"{where}"] += 1
        yield
        if world.effects[f"{where}"] <= planned.failures:
            raise Trouble(planned.name)
        return digest(planned.name, *found)

    def _check_is_durable(self, here: Inside, call: Identity) -> None:
        """Commit before continue: what a caller sees is on disk."""
        world: Any = self.process.world
        step = self.attempt.id.step
        prefix = f"{here.path}{call.what}#"
        assert any(it[0] == step and it[1].startswith(prefix) for it in world.answered())

    @property
    def current(self) -> "Task":
        """The task that is moving."""
        return next(task for task in self._tasks if task.is_moving)


class Task:
    """One call on its way."""

    def __init__(self, moves: Moves) -> None:
        self._moves = moves
        self.waits_for: Future[None] | None = None
        self.is_moving = self.is_done = False
        self.result: object = None
        self.error: Exception | None = None

    @property
    def can_move(self) -> bool:
        """Whether it has not ended and does not wait for the disk."""
        return not self.is_done and (self.waits_for is None or self.waits_for.done())

    def move(self) -> None:
        """A little."""
        self.is_moving = True
        try:
            next(self._moves)
        except StopIteration as end:
            self.is_done, self.result = True, end.value
        except Trouble as error:
            self.is_done, self.error = True, error
        finally:
            self.is_moving = False


def hash_of(planned: Planned) -> str:
    """Digest of the arguments: what a call is going to do is all there is to it."""
    return digest(repr(planned))


class SimulatedLink:
    """Writes to the simulated disk. See `Link`."""

    def __init__(self, process: CallingProcess) -> None:
        self._process = process

    def note(self, attempt: AttemptId, event: Note, blobs: Sequence[Blob] = ()) -> Future[None]:
        """On the next batch, unless the attempt was given up."""
        answer: Future[None] = Future()
        running = self._process.state.step(attempt.step).running
        if running is None or running.attempt != attempt.attempt:
            answer.set_exception(AttemptGivenUp(attempt.step, attempt.attempt))
            return answer
        self._process.record(event, step=attempt.step, attempt=attempt.attempt)
        self._process.waiting.append(answer)
        return answer

    def now(self) -> int:
        """No time passes."""
        return 0

    def pause(self, attempt: AttemptId, call: str, due: int) -> Future[None]:
        """It is time at once."""
        answer: Future[None] = Future()
        answer.set_result(None)
        return answer

    def rest(self, attempt: AttemptId, how: Rest) -> None:
        """Nobody keeps its time."""

    def reserve(self, attempt: AttemptId, call: str, wanted: Reserve) -> Future[None]:
        """There is enough of everything."""
        answer: Future[None] = Future()
        answer.set_result(None)
        return answer


class SimulatedValues:
    """Values that are found again by their digest. See `inside.Values`."""

    def __init__(self, kept: dict[str, object]) -> None:
        self._kept = kept

    def encode(self, step: str, variable: str, value: object) -> tuple[Output, Blob]:
        """Keep it."""
        found = digest(repr(value))
        self._kept[found] = value
        return Output(found), Blob(Digest(found), "", "", 0, "", b"")

    def load(self, digest: str) -> object:
        """The value."""
        return self._kept[digest]

    def class_name(self, kind: type) -> str:
        """There is one."""
        return kind.__name__

    def class_of(self, name: str) -> type:
        """There is one."""
        assert name == "Trouble"
        return Trouble


def calling_steps(choose: random.Random, size: int) -> list[Step]:
    """Some steps, each reading some of those before it."""
    steps: list[Step] = []
    for number in range(size):
        earlier = [step.name for step in steps]
        reads = choose.sample(earlier, choose.randint(0, min(2, len(earlier))))
        steps.append(make_step(f"s{number}", reads))
    return steps


def play(world: CallingWorld, steps: Sequence[Step], choose: random.Random, crashes: int) -> None:
    """To the end, with so many crashes at moments that `choose` picks."""
    names = [step.name for step in steps]
    process = _begin(world, steps, names)
    left = crashes
    while not (process.is_quiet and not process.at_work):
        if left and choose.random() < 0.02:
            left -= 1
            world.crash(batch_arrived=choose.random() < 0.5)
            process = _begin(world, steps, names)
            continue
        able = process.can_move()
        can_commit = bool(process.batch or process.effects or process.waiting)
        if able and (not can_commit or choose.random() < 0.6):
            process.move(choose.choice(able), choose)
        else:
            assert can_commit, "everybody waits for somebody else"
            process.commit()


def _begin(world: CallingWorld, steps: Sequence[Step], names: Sequence[str]) -> CallingProcess:
    process = world.boot()
    assert isinstance(process, CallingProcess)
    process.define(steps)
    process.ask(names)
    return process
