"""What an agent's steps find around them: asked of whoever runs the calling step."""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from stepwell.agents._definition import Definition
from stepwell.errors import InvalidUsage
from stepwell.orchestrator import EnvironmentCaptured, Output
from stepwell.store import Blob

__all__ = ["Nursery", "Prepared", "nursery", "nursery_here"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Around an agent's steps."""

    environment_of: Mapping[str, str]
    """Step → the digest of its environment, in which a worker can run it from now on."""
    environments: Sequence[tuple[EnvironmentCaptured, Sequence[Blob]]]
    inputs: Mapping[str, Output] = field(default_factory=dict[str, Output])
    """What they read of the calling flow's outputs."""


class Nursery(Protocol):
    """Of one calling step. Any thread may call."""

    def pinned(self, definition: Definition) -> Definition:
        """The agent as it was when the calling step was asked for."""
        ...

    def scope(self, definition: Definition) -> Mapping[str, object]:
        """What names in its signature mean."""
        ...

    def prepare(self, definition: Definition) -> Prepared:
        """What its steps find around them. Raises `UnknownName`."""
        ...


nursery: ContextVar[Nursery | None] = ContextVar("stepwell_nursery", default=None)
"""Of the step that runs here. Set by whoever makes the step's namespace."""


def nursery_here(agent: str) -> Nursery:
    """The nursery of the step that runs here. Raises `InvalidUsage` where there is none."""
    found = nursery.get()
    if found is None:
        raise InvalidUsage(
            f"agent {agent!r} can be called from steps that run in the kernel; this one runs "
            f"elsewhere. Call it in a step of its own, and give this one the result"
        )
    return found
