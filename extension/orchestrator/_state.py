"""What is known about a run: the fold of its events, and nothing else.

The state has one owner, which applies events to it in order (`apply`); everybody else
gets snapshots (`StepView`, `RunView`). It holds no object of the user's, no clock and
no handle: two states that were given the same events are equal.
"""

from dataclasses import dataclass, field

from stepwell.flow import Flow, Step
from stepwell.orchestrator._base import Output
from stepwell.orchestrator._budget import Budget, Spent
from stepwell.orchestrator._call_events import ApprovalDecided
from stepwell.orchestrator._calls import Approval, Call, Calls, Message
from stepwell.orchestrator._events import (
    AgentDefined,
    EnvironmentCaptured,
    RunStarted,
    SetupDefined,
)
from stepwell.orchestrator._timers import Timers
from stepwell.orchestrator._unit import StepState, Unit

__all__ = ["State"]


@dataclass(slots=True)
class State:
    """One run."""

    run: str
    flow: Flow = field(default_factory=Flow)
    agents: dict[str, Flow] = field(default_factory=dict[str, Flow])
    """Flows of their own that were declared in the notebook; nothing of theirs runs by itself."""
    declared: dict[str, AgentDefined] = field(default_factory=dict[str, AgentDefined])
    """What each of them takes and gives."""
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
    limited: dict[str, dict[str, None]] = field(default_factory=dict[str, dict[str, None]])
    """As `fresh`, of steps that share a limit: by the limit's name."""
    is_ranked: bool = False
    """Whether some step has a priority."""
    running: dict[str, None] = field(default_factory=dict[str, None])
    mapped: dict[str, None] = field(default_factory=dict[str, None])
    """Of `running`, the mapped steps: what they do is done by their items."""
    running_items: int = 0
    timers: Timers = field(default_factory=Timers)
    approvals: dict[str, Approval] = field(default_factory=dict[str, Approval])
    """Every question asked in this run, by id."""
    pending: dict[str, None] = field(default_factory=dict[str, None])
    """Of `approvals`, those that nobody has decided."""
    messages: dict[str, list[Message]] = field(default_factory=dict[str, list[Message]])
    """By topic, those that nobody has received, oldest first."""
    message_ids: set[str] = field(default_factory=set[str])
    children: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """By step, the runs its calls wait for, each with the item whose call it is."""
    calls: Calls = field(default_factory=dict[str, Call])
    """What cells of the notebook have called, as `Unit.calls`."""
    receivers: dict[str, dict[tuple[str, str, str], None]] = field(
        default_factory=dict[str, dict[tuple[str, str, str], None]]
    )
    """By topic, calls that running attempts wait in: step, item, key; who came first first."""
    withdrawn: dict[str, str] = field(default_factory=dict[str, str])
    """Open questions that nobody waits for any more, and why: to be voided."""
    always: dict[str, ApprovalDecided] = field(default_factory=dict[str, ApprovalDecided])
    """By tool, the decision that holds for all its calls in this run."""
    foregone: dict[str, None] = field(default_factory=dict[str, None])
    """Open questions that such a decision answers."""
    parked: int = 0
    """Running attempts that do nothing but wait: they take no slot."""
    resting: int = 0
    """Running attempts that only wait as well, but for a turn or a moment, and keep their slot."""
    patient: int = 0
    """Of `parked`, those that wait for a person, a message or a time."""
    retrying: dict[str, None] = field(default_factory=dict[str, None])
    """Owed steps between two attempts: their retry is due later."""
    budget: Budget | None = None
    budget_base: Budget | None = None
    """By so much it is extended."""
    budget_since: int = 0
    """When its time began to count."""
    spent: Spent = field(default_factory=Spent)
    doubtful: dict[str, None] = field(default_factory=dict[str, None])
    """Steps that do not run before a person has said what came of their last attempt."""
    undoing: dict[str, str] = field(default_factory=dict[str, str])
    """Steps that are to undo others, in the order in which they do, and what each undoes."""
    undo_on_failure: dict[str, str] = field(default_factory=dict[str, str])
    """If the run fails: steps that undo, and the environment of each."""
    is_paused: bool = False
    held: str = ""
    """`asked` or `refused` while the time is over that this run, or one above it, may take."""
    superseded: dict[str, int] = field(default_factory=dict[str, int])
    """Attempts under way whose code has been edited since: to be stopped if they can be."""
    sealed: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Step and item of attempts whose result is just being committed: see `_sealing`. Their
    end is certain, so nothing gives them up."""
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

    @property
    def given(self) -> dict[str, Output]:
        """The parameters it was called with."""
        return self.started.parameters if self.started is not None else {}

    @property
    def is_waiting(self) -> bool:
        """Whether something goes on when its time has come."""
        return bool(self.parked or self.retrying or self.mapped)

    @property
    def is_idle(self) -> bool:
        """Whether every attempt that is under way only waits."""
        return self.under_way == self.parked + self.resting

    @property
    def is_resting(self) -> bool:
        """Whether nothing will happen in it before a person, a message or a time has come."""
        if self.under_way != self.patient:
            return False
        if self.is_halted:
            return True
        if self.patient:
            return not (self.ready or self.fresh or any(self.limited.values()))
        return any(self.steps[name].owed for name in self.doubtful)

    @property
    def is_halted(self) -> bool:
        """Whether nothing further is started at present."""
        return self.is_paused or bool(self.held)

    def priority_of(self, step: str) -> int:
        """0 where it has none."""
        definition = self.flow.get(step)
        return definition.priority if definition is not None else 0

    @property
    def under_way(self) -> int:
        """Attempts that have begun and not ended; of a mapped step, those at its items."""
        return len(self.running) - len(self.mapped) + self.running_items

    def knows(self, environment: EnvironmentCaptured) -> bool:
        """Whether it is known, with all that it brings back."""
        known = self.environments.get(environment.environment)
        return known is not None and environment.values.keys() <= known.values.keys()

    def step(self, name: str) -> StepState:
        """The state of a step, made on first mention."""
        found = self.steps.get(name)
        if found is None:
            found = self.steps[name] = StepState(name, *self.past.get(name, (0, 0)))
        return found

    def unit(self, step: str, item: str = "") -> Unit | None:
        """The step, or the item of it, if there is one."""
        found = self.steps.get(step)
        if not item or found is None:
            return found
        return found.items.by_key.get(item) if found.items is not None else None

    def tried(self, step: str, item: str, attempt: int) -> Unit | None:
        """The step or the item, if it is this attempt at it that is under way."""
        unit = self.unit(step, item)
        if unit is None or unit.running is None or unit.running.attempt != attempt:
            return None
        return unit

    def is_sealed(self, step: str) -> bool:
        """Whether a result of the step, or of one of its items, is just being committed."""
        return any(name == step for name, _ in self.sealed)

    def flow_of(self, definition: Step) -> Flow:
        """The flow a step belongs to."""
        if definition.flow == (self.started.flow if self.started is not None else ""):
            return self.flow
        if not definition.flow:
            return self.flow
        return self.agents.setdefault(definition.flow, Flow(definition.flow))

    def set_ready(self, step: StepState) -> None:
        """The step waits for nothing any more."""
        if step.checkpoint is None or step.force or step.is_undone:
            definition = self.flow.get(step.name)
            if definition is not None and definition.limit and definition.map is None:
                self.limited.setdefault(definition.limit, {})[step.name] = None
            else:
                self.fresh[step.name] = None
        else:
            self.ready[step.name] = None

    def unset_ready(self, name: str) -> None:
        """The step waits, runs, or is no longer owed."""
        self.fresh.pop(name, None)
        self.ready.pop(name, None)
        for group in self.limited.values():
            group.pop(name, None)
