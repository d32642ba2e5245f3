"""Runs with mapped steps in memory, as in `simulation`, with the hands that the real ones have.

Values are digests. A list is known by the digest of all its elements; what a list consists
of is in the world, as it would be in the store.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from simulation import Entry, digest

from stepwell.flow import MapOver, Retry, Step
from stepwell.orchestrator import (
    ApprovalDecided,
    Attempt,
    AttemptCompleted,
    AttemptFailed,
    AttemptId,
    ErrorInfo,
    Event,
    Failure,
    ItemsExpanded,
    Output,
    RunStarted,
    State,
    StepsDefined,
    apply,
    decide,
    interrupted,
    recover,
    request,
    retry_at,
)
from stepwell.orchestrator._hands import Hands
from stepwell.store import Blob

Work = tuple[str, str]
"""Step and item; no item for a plain step, and for what a mapped one does itself."""

NOTHING = digest("None")


def plain(name: str, reads: Sequence[str]) -> Step:
    """A step that writes one name, its own, a list of some elements."""
    return Step(
        name=name,
        source="1",
        code="1",
        digest=digest(name),
        reads=tuple(reads),
        writes=(name,),
    )


def fan(name: str, source: str, reads: Sequence[str] = (), **options: Any) -> Step:
    """A mapped step; `items` as a source is not written by any step."""
    is_whole = options.pop("is_whole", False)
    once = options.pop("once", False)
    retry = Retry(retries=options.pop("retries", 0), backoff=5e-6, jitter=0)
    over = MapOver(item="it", source=source, apart=() if is_whole else (source,), **options)
    return Step(
        name=name,
        source="1",
        code="1",
        digest=digest(name, source),
        reads=(*reads, source),
        writes=(name,),
        map=over,
        retry=retry,
        once=once,
    )


@dataclass
class FanWorld:
    """The disk, what happened outside, what lists consist of, and at most one process."""

    slots: int = 3
    items: list[str] = field(default_factory=lambda: ["i0", "i1", "i2"])
    """What an ordinary cell has assigned."""
    fails: Callable[[Work, int, str], bool] = lambda work, execution, element: False
    disk: list[Entry] = field(default_factory=list[Entry])
    parts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    executions: Counter[Work] = field(default_factory=Counter[Work])
    """Times each piece of work ran to its end, crashes included."""
    paid: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])
    """Times each result was written: step, item, digest."""
    clock: int = 1
    is_mended: bool = True
    """Until then `play_fan` asks for everything once more when all is quiet."""
    was_refused: bool = False
    """Somebody has said that something failed: `play_fan` asks for everything once more."""
    process: "FanProcess | None" = None

    def boot(self) -> "FanProcess":
        """A new process reads the disk."""
        state = State("r", is_replayed=True)
        for step, item, attempt, at, event in self.disk:
            state = apply(state, event, step=step, item=item, attempt=attempt, at=at)
        state.is_replayed = False
        self.process = FanProcess(self, state)
        for step, item, attempt, event in interrupted(state):
            self.process.record("r", event, step=step, item=item, attempt=attempt)
        recover(state)
        if state.started is None:
            self.process.record("r", RunStarted())
        return self.process

    def crash(self, *, batch_arrived: bool) -> None:
        """The process is gone; the batch that was on its way may have made it."""
        assert self.process is not None
        if batch_arrived:
            self.process.write()
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

    def elements(self, source: str) -> list[str]:
        """What a list consists of, if a plain step has made it: some, some of them twice."""
        found = self.parts.get(source)
        if found is None:
            count = int(source, 16) % 5
            found = [f"e{int(source, 16) // 7**place % 4}" for place in range(count)]
            self.parts[source] = found
        return found

    def durable(self) -> set[str]:
        """Digests of everything that is on disk."""
        return {
            output.digest
            for _, _, _, _, event in self.disk
            if isinstance(event, AttemptCompleted | ApprovalDecided)
            for output in event.outputs.values()
        }


class FanProcess:
    """One process's memory. Its worker does nothing until it is told to."""

    def __init__(self, world: FanWorld, state: State) -> None:
        self.world = world
        self.state = state
        self.batch: list[Entry] = []
        self.effects: list[Callable[[], None]] = []
        self.running: dict[Work, Attempt] = {}
        self._hands = Hands(self, self, self.record, lambda: world.clock)  # type: ignore[arg-type]

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
        apply(self.state, event, step=step, item=item, attempt=attempt, at=at)
        self.batch.append((step, item, attempt, at, event))

    def define(self, steps: Sequence[Step]) -> None:
        """Register steps as `%%step` cells do."""
        self.record("r", StepsDefined(tuple(steps)))

    def ask(self, names: Sequence[str], *, by: str = "cell", **options: Any) -> None:
        """Want these steps, in the notebook as it is."""
        environments = {step.name: self._environment(step) for step in self.state.flow}
        self.record("r", request(self.state, names, environments, by=by, **options))
        self.advance()

    def _environment(self, step: Step) -> str:
        return digest("env", *(self.world.items if "items" in step.reads else ()))

    def advance(self) -> None:
        """Decide until there is nothing to decide."""
        while commands := decide(self.state, slots=self.world.slots, now=self.world.clock):
            for command in commands:
                self._hands.carry_out(self.state, command)
        if (hand_over := self._hands.take_leaving()) is not None:
            self.effects.append(hand_over)

    def write(self) -> None:
        """The batch reaches the disk."""
        for step, item, _, _, event in self.batch:
            if isinstance(event, AttemptCompleted):
                found = "".join(output.digest for output in event.outputs.values())
                self.world.paid[step, item, found] += 1
        self.world.disk += self.batch
        self.batch = []

    def commit(self) -> None:
        """The batch reaches the disk, and what waited for it is done."""
        self.write()
        effects, self.effects[:] = list(self.effects), []
        for effect in effects:
            effect()

    # -- what the hands take for a worker -------------------------------------------------

    def start(self, attempt: Attempt, link: object) -> None:
        """Commit before continue: what the attempt reads is on disk before it starts."""
        assert link is self
        durable = self.world.durable()
        wanted = {
            found
            for name, found in attempt.inputs.items()
            if name != "items" and found != "skipped"
        }
        if attempt.item is not None and attempt.item.is_stored and attempt.item.digest:
            wanted.add(attempt.item.digest)
        for one in attempt.gathered or ():
            wanted |= {output.digest for output in (one.outputs or {}).values()}
        assert wanted <= durable, f"{attempt.id} started before all it reads was durable"
        self.running[attempt.id.step, attempt.id.item] = attempt

    def cancel(self, attempt: AttemptId) -> None:
        """It ends without a word."""
        self.running.pop((attempt.step, attempt.item), None)

    def finish(self, work: Work) -> None:
        """One running attempt ends as the world has it."""
        attempt = self.running.pop(work)
        event = self._end(attempt)
        unit = self.state.unit(*work)
        if unit is None or unit.running is None or unit.running.attempt != attempt.id.attempt:
            return  # it was given up: that is the fence
        self.record("r", event, step=work[0], item=work[1], attempt=attempt.id.attempt)
        self.advance()

    def _end(self, attempt: Attempt) -> Event:
        step, name = attempt.definition, attempt.id.step
        if step.map is not None and attempt.item is None:
            if attempt.gathered is None:
                return self._expanded(attempt)
            made = [
                one.outputs[name].digest if one.outputs else NOTHING for one in attempt.gathered
            ]
            whole = digest("list", *made)
            self.world.parts[whole] = made
            return AttemptCompleted({name: Output(whole, parts=tuple(made))})
        work = (name, attempt.id.item)
        self.world.executions[work] += 1
        element = attempt.item.digest if attempt.item is not None else ""
        if self.world.fails(work, self.world.executions[work], element):
            unit = self.state.unit(*work)
            assert unit is not None
            due = retry_at(step, unit, Failure(is_transient=True), self.world.clock)
            return AttemptFailed(ErrorInfo("ValueError", "as told"), retry_at=due)
        return AttemptCompleted(_made(step, element, attempt.inputs, attempt.environment))

    def answer(self, choose: random.Random) -> None:
        """Somebody says what came of an attempt that was cut off."""
        asked = self.state.approvals[choose.choice(sorted(self.state.pending))]
        unit, definition = self.state.unit(asked.step, asked.item), self.state.flow[asked.step]
        assert unit is not None
        assert definition.map is not None
        # What is content with less would be done without what somebody says has failed.
        is_strict = not definition.map.keep_going
        words = ["approved", "answered", "rejected"] if is_strict else ["approved"]
        decision = choose.choice(words)
        event = ApprovalDecided(asked.id, decision)  # type: ignore[arg-type]
        if decision == "answered" and unit.doubt is not None:
            inputs = dict(unit.doubt.inputs)
            element = inputs.pop(definition.map.item)
            made = _made(definition, element, inputs, unit.doubt.environment)
            event = msgspec.structs.replace(event, outputs=made)
        self.world.was_refused = self.world.was_refused or decision == "rejected"
        self.record("r", event, step=asked.step, item=asked.item, attempt=asked.attempt)
        self.advance()

    def _expanded(self, attempt: Attempt) -> Event:
        over = attempt.definition.map
        assert over is not None
        source = attempt.inputs.get(over.source)
        elements = self.world.items if source is None else self.world.elements(source)
        seen: Counter[str] = Counter()
        found: list[tuple[str, str]] = []
        for element in elements:
            seen[element] += 1
            found.append((f"{element} #{seen[element]}", element))
        environment = attempt.environment if over.is_whole else "env"
        return ItemsExpanded(tuple(found), environment)

    # -- time ------------------------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Whether nothing more will happen, however long one waits."""
        return not (self.batch or self.effects or self.running or self._due)

    @property
    def _due(self) -> int:
        waits = self.state.retrying or any(
            self.state.steps[name].items.waiting  # type: ignore[union-attr]
            for name in self.state.mapped
        )
        return self.state.timers.next_due if waits else 0

    def move(self, choose: random.Random) -> None:
        """Something happens: a commit, an end, or time passes."""
        can_commit = bool(self.batch or self.effects)
        if can_commit and (not self.running or choose.random() < 0.5):
            self.commit()
        elif self.running:
            self.finish(choose.choice(sorted(self.running)))
        else:
            self.world.clock = max(self.world.clock, self._due)
            self.advance()


def _made(
    step: Step, element: str, inputs: Mapping[str, str], environment: str
) -> dict[str, Output]:
    apart = step.map.apart if step.map is not None else ()
    read = [f"{k}={v}" for k, v in sorted(inputs.items()) if k not in apart]
    if step.map is not None and step.map.is_whole:
        read.append(environment)
    return {step.name: Output(digest(step.digest, element, *read))}


def play_fan(
    world: FanWorld,
    steps: Sequence[Step],
    choose: random.Random,
    *,
    crashes: int = 0,
    growth: Sequence[str] = (),
) -> None:
    """Run to the end; at each crash the cell's list may have grown, and all is asked for anew."""
    names, new = [step.name for step in steps], list(growth)
    process = world.boot()
    process.define(steps)
    process.ask(names)
    crash_at = sorted(choose.randrange(1, 15 * len(steps) + 3) for _ in range(crashes))
    moves = 0
    while True:
        moves += 1
        if crash_at and moves >= crash_at[0]:
            crash_at.pop(0)
            world.crash(batch_arrived=choose.random() < 0.5)
            if new and choose.random() < 0.7:
                world.items.insert(choose.randrange(len(world.items) + 1), new.pop())
            process = world.boot()
            process.define(steps)
            process.ask(names)
        elif process.is_quiet and process.state.pending:
            process.answer(choose)
        elif process.is_quiet and world.was_refused:
            world.was_refused = False
            process.ask(names)
        elif process.is_quiet and world.is_mended:
            return
        elif process.is_quiet:
            world.is_mended = True
            process.ask(names)
        else:
            process.move(choose)


def undisturbed(world: FanWorld, steps: Sequence[Step]) -> dict[str, str]:
    """The outputs of a run in which nothing goes wrong, over the list as it ended."""
    other = FanWorld(slots=1, items=list(world.items), fails=_only_for_good(world))
    play_fan(other, steps, random.Random(0))
    return other.outputs()


def _only_for_good(world: FanWorld) -> Callable[[Work, int, str], bool]:
    return lambda work, execution, element: world.fails(work, 1000, element)


def random_fans(choose: random.Random, size: int) -> list[Step]:
    """Plain and mapped steps, each over some of those before it."""
    steps: list[Step] = []
    for place in range(size):
        earlier = [step.name for step in steps]
        if choose.random() < 0.35:
            reads = choose.sample(earlier, choose.randint(0, min(2, len(earlier))))
            steps.append(plain(f"s{place}", reads))
            continue
        # The latest most of all: mapped over mapped over mapped.
        source = choose.choice([*earlier[-1:] * 3, *earlier, "items"])
        others = [name for name in earlier if name != source and choose.random() < 0.15]
        keep_going = choose.random() < 0.25
        steps.append(
            fan(
                f"s{place}",
                source,
                others,
                is_whole=choose.random() < 0.1,
                key="it" if choose.random() < 0.1 else "",
                max_parallel=choose.choice([0, 0, 1, 2]),
                keep_going=keep_going,
                min_success=0.0 if keep_going else 1.0,
                retries=2,
                once=choose.random() < 0.3,
            )
        )
    return steps
