"""What a description of one object says, and what takes part in making it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stepwell.flow import BindingKind
from stepwell.store import Blob
from stepwell.workers.namespace._code import CodeFacts
from stepwell.workers.namespace._digest import combined

__all__ = ["Describing", "Description", "Parts"]


@dataclass(frozen=True, slots=True)
class Description:
    """One object, told apart from an earlier version of itself."""

    kind: BindingKind
    digest: str
    detail: str = ""
    uses: tuple[str, ...] = ()
    """Keys of what it reads when it runs: `name` in the notebook, `module.name` elsewhere."""
    needs: tuple[str, ...] = ()
    """Keys of what else it needs to be defined again."""
    blob: Blob | None = None
    """The value, where there is one that can be written down."""
    opaque: str = ""
    """The type of what cannot be told apart, with the place where it was met."""
    reason: str = ""
    """Why it cannot be written down either."""


@dataclass(slots=True)
class Parts:
    """Gathers what a digest is made of."""

    tokens: list[str] = field(default_factory=list[str])
    uses: dict[str, None] = field(default_factory=dict[str, None])
    needs: dict[str, None] = field(default_factory=dict[str, None])
    opaque: str = ""

    def add(self, *tokens: str) -> None:
        """Facts that are text already."""
        self.tokens += tokens

    def described(self, kind: BindingKind, detail: str) -> Description:
        """The whole of them."""
        return Description(
            kind,
            combined(*self.tokens),
            detail,
            tuple(self.uses),
            tuple(key for key in self.needs if key not in self.uses),
            opaque=self.opaque,
        )


class Describing(Protocol):
    """What the describers of functions and of classes ask of the one that calls them."""

    @property
    def namespace(self) -> Mapping[str, object]:
        """The notebook's names."""
        ...

    def part(self, parts: Parts, what: str, value: object, *, tell: bool = True) -> None:
        """Make `value` a part. `tell`: if it is opaque, so is the owner to that extent."""
        ...

    def each(self, parts: Parts, what: str, values: Iterable[object]) -> None:
        """Make every one of them a part, in order."""
        ...

    def entries(self, parts: Parts, what: str, values: Mapping[Any, object]) -> None:
        """Make keys and values parts, in order."""
        ...

    def token(self, parts: Parts, value: object) -> str:
        """What stands for `value` among the tokens."""
        ...

    def code(
        self, parts: Parts, facts: CodeFacts, module: str | None, names: Mapping[str, object]
    ) -> None:
        """Make a definition a part, and what it reads from these globals."""
        ...
