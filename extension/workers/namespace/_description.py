"""What a description of one object says."""

from dataclasses import dataclass, field

from stepwell.flow import BindingKind
from stepwell.store import Blob
from stepwell.workers.namespace._digest import combined

__all__ = ["Description", "Parts"]


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
