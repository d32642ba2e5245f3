"""An agent as it is at one moment: its signature and its steps."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from stepwell.agents._signature import Signature
from stepwell.errors import InvalidUsage
from stepwell.flow import Flow, Step

__all__ = ["MAX_DEPTH", "Definition", "version_of"]

MAX_DEPTH = 10

_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Definition:
    """Never changed: an edited step makes another."""

    signature: Signature
    steps: tuple[Step, ...] = ()
    functions: Mapping[str, Callable[..., object]] = field(
        default_factory=dict[str, Callable[..., object]], compare=False
    )
    """Of function steps, by name."""
    home: Callable[[], dict[str, object]] | None = field(default=None, compare=False)
    """Gives the names its steps find around them, where those are not the caller's."""
    setting: str = ""
    """What `home` is made from."""
    shares: tuple[str, ...] = ()
    """Where there is a home: names that the calling flow shares it with, and has values for."""
    max_depth: int = MAX_DEPTH
    doc: str = ""

    @property
    def name(self) -> str:
        """The agent's."""
        return self.signature.name

    @property
    def given(self) -> frozenset[str]:
        """Its parameters' names."""
        return frozenset(parameter.name for parameter in self.signature.parameters)

    @property
    def around(self) -> tuple[str, ...]:
        """Names its steps read that it neither takes nor makes, in order."""
        made = {name for step in self.steps for name in step.writes} | self.given
        reads = (name for step in self.steps for name in step.reads if name not in made)
        return tuple(dict.fromkeys(reads))

    def check(self) -> None:
        """Raises `InvalidUsage`, `FlowError` for one that cannot be run."""
        if not self.steps:
            raise InvalidUsage(
                f"agent {self.name!r} has no steps yet. Run their cells before the one that calls "
                f"it: %%step NAME --agent {self.name}"
            )
        flow = Flow(self.name)
        flow.extend(self.steps)
        flow.check()
        for step in self.steps:
            for name in step.writes:
                if name in self.given:
                    raise InvalidUsage(
                        f"agent {self.name!r}: step {step.name!r} writes {name!r}, which is a "
                        f"parameter. Give the result another name"
                    )
        for output in self.signature.outputs:
            self._check_output(flow, output.name)

    def _check_output(self, flow: Flow, name: str) -> None:
        writer = flow.writer_of(name)
        if writer is None:
            made = ", ".join(made for step in self.steps for made in step.writes) or "nothing"
            raise InvalidUsage(
                f"agent {self.name!r} is to give {name!r}, which none of its steps writes (they "
                f"write {made})"
            )
        if name in writer.transient:
            raise InvalidUsage(
                f"agent {self.name!r} is to give {name!r}, which is transient: what an agent "
                f"gives has to be stored"
            )


def version_of(definition: Definition, found: Iterable[str]) -> str:
    """Equal when neither the agent nor what its steps find around them differs.

    `found` are digests of that.
    """
    parts = [str(definition.signature).encode(), definition.setting.encode()]
    parts += [
        _encode(msgspec.structs.replace(step, cell="", source="", code=""))
        for step in definition.steps
    ]
    parts += [digest.encode() for digest in found]
    return blake2b(b"\0".join(parts), digest_size=16).hexdigest()
