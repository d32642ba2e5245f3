"""What is known of one piece of work: a step, or one item of a mapped step."""

import msgspec

from stepwell.orchestrator._base import ErrorInfo, Output
from stepwell.orchestrator._budget import Spent
from stepwell.orchestrator._calls import Calls

__all__ = ["Checkpoint", "ItemState", "Items", "Running", "StepState", "Unit"]


class Running(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The attempt that is under way, with everything its result will depend on."""

    attempt: int
    at: int
    key: str
    code: str
    inputs: dict[str, str]
    environment: str


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A completed piece of work: its outputs, and what they depend on."""

    attempt: int
    at: int
    seconds: float
    outputs: dict[str, Output]
    log: str
    code: str
    inputs: dict[str, str]
    environment: str
    skipped: str = ""
    """Why there are no outputs: the step did not apply."""
    share: float = 1.0
    """Of a mapped step: so large a share of its items was done; the others have failed."""


# Structs that the garbage collector does not follow: a long run has very many, they are made
# in a third of the time, and there are no circles in what is only data.
class Unit(msgspec.Struct, omit_defaults=True, gc=False):
    """Common to a step and to an item: attempts, how they ended, what they remember."""

    name: str
    attempts: int = 0
    checkpoints: int = 0
    """How many times it has completed; with the run's id this makes the idempotency key."""
    running: Running | None = None
    doubt: Running | None = None
    """An attempt of which nobody knows how it ended, of a step that must not happen twice: until
    a person has said, it is not tried."""
    checkpoint: Checkpoint | None = None
    error: ErrorInfo | None = None
    """Of the latest attempt, if that failed."""
    failures: int = 0
    """Failed attempts since it was last asked for or has completed."""
    begun: int = 0
    """When the first of these attempts started: its total time counts from here."""
    retry_at: int = 0
    """When it is tried again; 0 when no retry is due."""
    since: int = 0
    heard: int = 0
    """When the running attempt last showed that it is alive."""
    heartbeat: Output | None = None
    """What the latest heartbeat said; the next attempt is given it."""
    calls: Calls | None = None
    """What its durable calls came to; made with the first."""
    asking: dict[str, None] | None = None
    """Questions of its code that nobody has decided, by id."""
    awaited: dict[str, None] | None = None
    """Open calls that the running attempt waits for, by key."""
    rests: str = ""
    """What its running attempt waits for besides, and does nothing else: see `Rest`."""
    is_patient: bool = False
    """Whether it waits for a person, a message or a time."""
    waiting_since: int = 0
    """When it began to wait for what does not count as its work; 0 when it does not."""
    waited: int = 0
    """So long it has waited in all of these attempts, microseconds: its deadlines make
    allowance for that."""
    waited_before: int = 0
    """Of that, in attempts before the running one."""


class ItemState(Unit, omit_defaults=True, gc=False):
    """One element of a mapped step. `name` is its key."""

    digest: str = ""
    """Of the element's value."""
    index: int = 0
    of_pass: int = 0
    """The attempt of the step in which it completed."""
    is_undone: bool = False
    """As `StepState.is_undone`."""


class Items(msgspec.Struct, omit_defaults=True, gc=False):
    """The elements of a mapped step, as of its latest expansion, and where they stand."""

    by_key: dict[str, ItemState] = {}
    """Every element there has ever been: one that comes back finds its result."""
    order: list[str] = []
    """Keys of the elements there are now, in order."""
    is_expanded: bool = False
    """Whether `order` is that of the attempt that is under way."""
    inputs: dict[str, str] = {}
    """What every element reads besides itself: name → digest."""
    environment: str = ""
    """What every element finds around it besides itself."""
    valid_from: int = 0
    """Checkpoints of passes before this attempt of the step are not reused."""
    of_pass: int = 0
    """The attempt of the step that they were expanded for."""
    source: str = ""
    """The mapped step whose items these are, as they are done; empty for elements of a value."""
    source_pass: int = 0
    """That step's attempt."""
    readers: dict[str, None] = {}
    """Steps that take these items' outputs as they come."""
    # Indices, kept by `apply`: deciding looks at these alone.
    ready: dict[str, None] = {}
    running: dict[str, None] = {}
    waiting: dict[str, None] = {}
    """Between two attempts: their retry is due later."""
    doubtful: dict[str, None] = {}
    """Not tried before a person has said what came of their last attempt."""
    failed: dict[str, None] = {}
    done: dict[str, None] = {}
    reused: int = 0
    """Of `done`, those answered from an earlier pass."""
    live: dict[str, None] = {}
    """Those that completed in this process: only their transient outputs exist."""
    refused: dict[str, None] = {}
    """Those of which a person has said that they failed: until somebody asks for the step anew."""
    callers: dict[str, None] = {}
    """Those whose code has made calls."""

    def put_first(self, key: str) -> None:
        """Of those that are ready, this one is next: what is undone is not overtaken."""
        if key in self.ready:
            self.ready = {key: None, **self.ready}


class StepState(Unit, omit_defaults=True, gc=False):
    """One step of the run."""

    failed: Running | None = None
    """What the failed attempt depended on: unchanged means that it would fail again."""
    is_undone: bool = False
    """It was done, and that was undone: its checkpoint tells what was, and answers nobody."""
    cancelled: bool = False
    owed: bool = False
    """Asked for and not yet answered."""
    force: bool = False
    keeps_items: bool = False
    """While `force`: of its items those that are done are kept."""
    was_forced: bool = False
    """Whether the latest attempt was one that nothing but a wish called for."""
    environment: str = ""
    """The environment of the latest request."""
    again: bool = False
    """Asked for once more while an attempt was under way."""
    waiting: dict[str, None] = {}
    """While owed: the steps that must be settled first."""
    restored: bool = False
    """Its latest request was answered by a checkpoint from before this process."""
    items: Items | None = None
    """Of a mapped step; made when it first starts."""
    spent: Spent | None = None
    """By its calls, those of its items included; made with the first."""

    @property
    def is_settled(self) -> bool:
        """Whether its outputs may be read."""
        return (
            self.checkpoint is not None
            and not self.is_undone
            and not self.owed
            and not self.cancelled
            and self.error is None
        )
