"""A run in memory in which things go wrong: failures, time, skips, pauses, undoing, crashes.

What was decided is carried out by the orchestrator's own `Hands`, so an event here is the
event there. Time is a number that the story moves on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from controlled import Heard
from simulation import Entry, World, digest

from stepwell.flow import Deadlines, Retry, Step
from stepwell.orchestrator import (
    Attempt,
    AttemptCompleted,
    AttemptFailed,
    AttemptId,
    ErrorInfo,
    Event,
    Failed,
    Failure,
    Finished,
    Output,
    Report,
    RunContinued,
    RunPaused,
    Skipped,
    State,
    StepsDefined,
    StepSkipped,
    StepsRequested,
    UndoRequested,
    apply,
    decide,
    request,
    to_be_undone,
)
from stepwell.orchestrator._hands import Hands
from stepwell.orchestrator._reports import as_event
from stepwell.store import Blob

SECOND = 1_000_000


def steps() -> tuple[Step, ...]:
    """A chain and a branch; every second one is undone by a cell of its own."""
    found: list[Step] = []
    reads: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ("b",), "d": ("a",)}
    for name, above in reads.items():
        found.append(
            Step(
                name=name,
                source="1",
                code="1",
                digest=digest(name),
                reads=above,
                writes=(name,),
                retry=Retry(retries=2, backoff=1.0),
                deadlines=Deadlines(attempt=10.0, total=60.0),
            )
        )
    for name in ("a", "c"):
        undo = f"undo_{name}"
        found.append(
            Step(
                name=undo,
                source="1",
                code="1",
                digest=digest(undo),
                reads=(name,),
                undo_of=name,
                defer=True,
                retry=Retry(retries=2, backoff=1.0),
            )
        )
    return tuple(found)


class Loud(Heard):
    """Nothing is to be reported here but a mistake."""

    def report(self, report: Report) -> None:
        """Say it."""
        raise AssertionError(report)


@dataclass
class Troubled:
    """One process's memory, and what its worker is at."""

    world: World
    state: State
    batch: list[Entry] = field(default_factory=list[Entry])
    effects: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    attempts: dict[AttemptId, Attempt] = field(default_factory=dict[AttemptId, Attempt])

    def __post_init__(self) -> None:
        self.hands = Hands(self, Loud(), self.record, lambda: self.world.clock)

    def start(self, attempt: Attempt, link: object) -> None:
        """The worker is given an attempt: what it reads is on disk."""
        made = {output for entry in self.world.disk for output in _made(entry[-1])}
        assert all(it in made or it == "skipped" for it in attempt.inputs.values())
        self.attempts[attempt.id] = attempt

    def cancel(self, attempt: AttemptId) -> None:
        """Code that awaits ends at once."""
        self.attempts.pop(attempt, None)

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
        """Apply and put on the next batch."""
        self.world.clock += 1
        at = self.world.clock
        self.state = apply(self.state, event, step=step, item=item, attempt=attempt, at=at)
        self.batch.append((step, item, attempt, at, event))

    def advance(self) -> None:
        """Decide until there is nothing to decide."""
        while commands := decide(self.state, slots=2, now=self.world.clock):
            for command in commands:
                self.hands.carry_out(self.state, command)
        if (hand_over := self.hands.take_leaving()) is not None:
            self.effects.append(hand_over)

    def commit(self) -> None:
        """The batch reaches the disk, and what waited for it is done."""
        self.world.disk += self.batch
        self.batch = []
        effects = list(self.effects)
        self.effects.clear()
        for effect in effects:
            effect()

    def ask(self, names: Sequence[str], *, by: str) -> None:
        """Want these steps, as a session asks for them."""
        undo = [name for name in names if name in self.state.undoing]
        if undo:
            wish = StepsRequested(dict.fromkeys(undo, "env"), by=by, force=tuple(undo))
            self.record("r", wish)
        if others := [name for name in names if not self.state.flow[name].undo_of]:
            environments = {step.name: "env" for step in self.state.flow}
            self.record("r", request(self.state, others, environments, by=by))
        self.advance()

    def undo(self) -> None:
        """Undo what is done."""
        if wanted := to_be_undone(self.state):
            self.record("r", UndoRequested(dict.fromkeys(wanted, "env")))
            self.advance()

    def end(self, attempt: Attempt, outcome: str) -> None:
        """An attempt comes to its end; a late one changes nothing."""
        del self.attempts[attempt.id]
        it = attempt.id
        unit = self.state.tried(it.step, it.item, it.attempt)
        if unit is not None:
            event, _, _ = as_event(
                self.state, unit, _report(attempt, outcome), now=self.world.clock
            )
            self.record("r", event, step=it.step, attempt=it.attempt)
        self.advance()


def _made(event: Event) -> list[str]:
    if not isinstance(event, AttemptCompleted):
        return []
    return [output.digest for output in event.outputs.values()]


def _report(attempt: Attempt, outcome: str) -> Report:
    match outcome:
        case "done":
            made = digest(attempt.definition.digest, *sorted(attempt.inputs.values()))
            outputs = {name: Output(made) for name in attempt.definition.writes}
            return Finished(attempt.id, outputs)
        case "skipped":
            return Skipped(attempt.id, "it does not apply")
        case _:
            failure = Failure(("Error",), is_transient=outcome == "busy")
            return Failed(attempt.id, ErrorInfo("Error", outcome), failure=failure)


class Story:
    """One run from its first step to its end, with as much trouble as its seed holds."""

    def __init__(self, seed: int) -> None:
        self.choice = Random(f"troubles {seed}")
        self.world = World()
        self.crashes = 0
        self.boot()
        self.process.ask("abcd", by="run")

    def boot(self) -> None:
        """A process reads the disk and goes on with what was cut off."""
        world = self.world
        world.new_process = lambda state: _recording(Troubled(world, state))  # type: ignore[method-assign, assignment, return-value]
        found: Any = world.boot()
        self.process: Troubled = found.it
        if "a" not in self.process.state.flow:
            self.process.record("r", StepsDefined(steps()))
        self.process.ask(list(self.process.state.unfinished), by="resume")

    def move(self) -> None:
        """Something happens."""
        kind = self.choice.choice(
            "commit commit commit end end end time pause go_on undo ask crash".split()
        )
        process = self.process
        match kind:
            case "end" if process.attempts:
                attempt = self.choice.choice(list(process.attempts.values()))
                outcomes = ["done", "done", "busy", "bug"]
                if not attempt.definition.undo_of:
                    outcomes.append("skipped")
                process.end(attempt, self.choice.choice(outcomes))
            case "time":
                due = process.state.timers.next_due
                self.world.clock = max(self.world.clock + SECOND // 2, due)
                process.advance()
            case "pause":
                process.record("r", RunPaused())
            case "go_on":
                process.record("r", RunContinued())
                process.advance()
            case "undo":
                process.undo()
            case "ask":
                process.ask([self.choice.choice("abcd"), *process.state.undoing], by="cell")
            case "crash":
                self.crash()
            case _:
                process.commit()

    def crash(self) -> None:
        """The process dies; the batch that was on its way may have arrived."""
        self.crashes += 1
        if self.choice.random() < 0.5:
            self.world.disk += self.process.batch
        self.boot()

    def calm_down(self) -> None:
        """No more trouble: everything that is wanted comes to its end."""
        process = self.process
        process.record("r", RunContinued())
        process.ask(["a", "b", "c", "d", *process.state.undoing], by="run")
        for _ in range(500):
            process.commit()
            for attempt in list(process.attempts.values()):
                process.end(attempt, "done")
            if not (process.batch or process.effects or process.attempts):
                if process.state.settled:
                    return
                self.world.clock = max(self.world.clock, process.state.timers.next_due)
                process.advance()
        raise AssertionError("it does not come to rest")

    def failures(self) -> dict[str, int]:
        """The most failures in a row after which a step was tried again by itself."""
        most: dict[str, int] = {}
        row: dict[str, int] = {}
        for step, _, _, _, event in self.world.disk:
            is_new_wish = isinstance(event, StepsRequested) and event.by != "resume"
            if is_new_wish or isinstance(event, UndoRequested):
                row.clear()
            elif isinstance(event, AttemptFailed):
                row[step] = row.get(step, 0) + 1
                if event.retry_at:
                    most[step] = max(most.get(step, 0), row[step])
            elif isinstance(event, AttemptCompleted | StepSkipped):
                row.pop(step, None)
        return most


class _recording:  # noqa: N801 - a shim between two spellings of `record`
    """`World.boot` records without a run's name."""

    def __init__(self, it: Troubled) -> None:
        self.it = it

    def record(self, event: Event, *, step: str = "", item: str = "", attempt: int = 0) -> None:
        """See `Troubled.record`."""
        self.it.record("r", event, step=step, item=item, attempt=attempt)
