"""What is known about a run: the fold of its events, and nothing else.

The state has one owner, which applies events to it in order (`apply`); everybody else
gets snapshots (`StepView`, `RunView`). It holds no object of the user's, no clock and
no handle: two states that were given the same events are equal.
"""

from dataclasses import dataclass, field

import msgspec

from stepwell.flow import Flow, Step
from stepwell.orchestrator._events import (
    EnvironmentCaptured,
    ErrorInfo,
    Output,
    RunStarted,
    SetupDefined,
)

__all__ = ["Checkpoint", "Running", "State", "StepState"]


class Running(msgspec.Struct, frozen=True, gc=False):
    """The attempt that is under way, with everything its result will depend on."""

    attempt: int
    at: int
    key: str
    code: str
    inputs: dict[str, str]
    environment: str


class Checkpoint(msgspec.Struct, frozen=True, gc=False):
    """A completed step's outputs and what they depend on."""

    attempt: int
    at: int
    seconds: float
    outputs: dict[str, Output]
    log: str
    code: str
    inputs: dict[str, str]
    environment: str


@dataclass(slots=True)
class StepState:
    """One step of the run."""

    name: str
    attempts: int = 0
    checkpoints: int = 0
    """How many times it has completed; with the run's id this makes the idempotency key."""
    running: Running | None = None
    checkpoint: Checkpoint | None = None
    error: ErrorInfo | None = None
    """Of the latest attempt, if that failed."""
    failed: Running | None = None
    """What the failed attempt depended on: unchanged means that it would fail again."""
    cancelled: bool = False
    owed: bool = False
    """Asked for and not yet answered."""
    force: bool = False
    environment: str = ""
    """The environment of the latest request."""
    again: bool = False
    """Asked for once more while an attempt was under way."""
    waiting: set[str] = field(default_factory=set[str])
    """While owed: the steps that must be settled first."""
    since: int = 0
    restored: bool = False
    """Its latest request was answered by a checkpoint from before this process."""

    @property
    def is_settled(self) -> bool:
        """Whether its outputs may be read."""
        return (
            self.checkpoint is not None
            and not self.owed
            and not self.cancelled
            and self.error is None
        )


@dataclass(slots=True)
class State:
    """One run."""

    run: str
    flow: Flow = field(default_factory=Flow)
    agents: dict[str, Flow] = field(default_factory=dict[str, Flow])
    """Flows of their own that were declared in the notebook; nothing of theirs runs by itself."""
    sources: dict[str, str] = field(default_factory=dict[str, str])
    """Code digest → source, for versions of steps that have been replaced."""
    started: RunStarted | None = None
    started_at: int = 0
    steps: dict[str, StepState] = field(default_factory=dict[str, StepState])
    setups: dict[str, SetupDefined] = field(default_factory=dict[str, SetupDefined])
    environments: dict[str, EnvironmentCaptured] = field(
        default_factory=dict[str, EnvironmentCaptured]
    )
    # Insertion-ordered sets of owed steps that wait for nothing and do not run. Deciding
    # looks at these alone, so its cost does not grow with the run: `fresh` have nothing
    # that could be reused and are taken from the front, `ready` are each compared.
    fresh: dict[str, None] = field(default_factory=dict[str, None])
    ready: dict[str, None] = field(default_factory=dict[str, None])
    running: dict[str, None] = field(default_factory=dict[str, None])
    superseded: dict[str, int] = field(default_factory=dict[str, int])
    """Attempts under way whose code has been edited since: to be stopped if they can be."""
    troubled: dict[str, None] = field(default_factory=dict[str, None])
    """Steps that failed or were cancelled, and have not been asked for again."""
    is_replayed: bool = False
    """While recorded events are applied: who waits for whom is not kept, as nothing starts."""
    owed: int = 0
    is_cancelled: bool = False
    settled: str = "idle"
    """Status of the last `RunSettled`; empty while something that was asked for is open."""
    unfinished: dict[str, None] = field(default_factory=dict[str, None])
    """Owed when the process that owned the run ended; `resume` asks for them again."""
    live: set[str] = field(default_factory=set[str])
    """Steps that completed in this process: only their transient outputs exist."""

    past: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Attempts and checkpoints of steps that were forgotten. One of the same name counts on:
    a late result is not taken for its own, and no idempotency key is used for two works."""

    def step(self, name: str) -> StepState:
        """The state of a step, made on first mention."""
        found = self.steps.get(name)
        if found is None:
            found = self.steps[name] = StepState(name, *self.past.get(name, (0, 0)))
        return found

    def flow_of(self, definition: Step) -> Flow:
        """The flow a step belongs to."""
        if not definition.flow:
            return self.flow
        return self.agents.setdefault(definition.flow, Flow(definition.flow))

    def set_ready(self, step: StepState) -> None:
        """The step waits for nothing any more."""
        if step.checkpoint is None or step.force:
            self.fresh[step.name] = None
        else:
            self.ready[step.name] = None

    def unset_ready(self, name: str) -> None:
        """The step waits, runs, or is no longer owed."""
        self.fresh.pop(name, None)
        self.ready.pop(name, None)
