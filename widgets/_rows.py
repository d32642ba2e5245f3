"""What the tables are made from."""

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Column", "DiffRow", "HistoryRow", "PlanRow", "RunRow"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its title and how its cells are written."""

    title: str
    is_number: bool = False
    """Set to the right."""
    is_code: bool = False
    """Names and values, in a typewriter face."""
    is_short: bool = False
    """Never broken into lines."""
    at_most: int = 60
    """Longer cells are cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """What running would do with one step."""

    step: str
    action: Literal["reuse", "stale", "run", "person"]
    """`stale` runs because its result no longer matches, `run` because there is none."""
    why: tuple[str, ...] = ()
    diff: str = ""
    seconds: float | None = None
    """How long it took before; None when it never ran."""
    after: tuple[str, ...] = ()
    """The steps it reads from or waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One attempt at a step. Times are microseconds since 1970 UTC."""

    when: int
    attempt: int
    outcome: str
    """`done`, `failed`, `cancelled`, `interrupted`, `running`, `restored`."""
    run: str = ""
    code: str = ""
    """Digest of the code."""
    code_changed: bool = False
    """Whether the code differs from that of the attempt before."""
    diff: str = ""
    """How, as a unified diff."""
    inputs: dict[str, str] = field(default_factory=dict[str, str])
    """Name → digest or preview of what was read."""
    outputs: dict[str, str] = field(default_factory=dict[str, str])
    """Name → preview of what was written."""
    seconds: float = 0.0
    who: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffRow:
    """One step in two runs."""

    step: str
    where: str = "both"
    """Where it has a result: `both`, `first`, `second`, `neither`."""
    why: tuple[str, ...] = ()
    """What the second result was made from otherwise."""
    diff: str = ""
    outputs: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Name → previews in the first and the second, of those that differ."""
    seconds: tuple[float | None, float | None] = (None, None)

    @property
    def is_same(self) -> bool:
        """Whether both have a result, made from the same and come out the same."""
        return self.where == "both" and not self.why and not self.outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run of a store. Times are microseconds since 1970 UTC."""

    run: str
    status: str
    flow: str = ""
    started: int = 0
    done: int = 0
    """Steps that have a result."""
    steps: int = 0
    seconds_spent: float = 0.0
    notebook: str = ""
    is_current: bool = False
    depth: int = 0
    """How many runs it is below the one that nobody called."""
    called_by: str = ""
    """The step that called it."""
