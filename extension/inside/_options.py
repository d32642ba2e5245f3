"""How a durable function's calls are made."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypedDict

from stepwell.errors import InvalidUsage, near_misses
from stepwell.flow import Retry
from stepwell.inside._usage import Measure

__all__ = ["PLAIN", "CallOptions", "DurableOptions", "call_options"]

Kinds = type[BaseException] | tuple[type[BaseException], ...]


class DurableOptions(TypedDict, total=False):
    """The keywords of `durable`. Times are in seconds."""

    name: str
    key: Callable[..., object]
    retries: int
    backoff: float
    max_backoff: float
    retry_on: Kinds
    timeout: float | None
    approve: bool | str | Callable[..., object]
    limit: str
    usage: Measure
    max_cost: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class CallOptions:
    """As given to `durable`, checked."""

    name: str = ""
    key: Callable[..., object] | None = None
    retry: Retry = field(default_factory=Retry)
    timeout: float = 0.0
    approve: bool | str | Callable[..., object] = False
    limit: str = ""
    usage: Measure | None = None
    max_cost: float = 0.0
    max_tokens: int = 0


PLAIN = CallOptions()

_RETRYING = ("retries", "backoff", "max_backoff")
_NUMBERS = (*_RETRYING, "timeout", "max_cost", "max_tokens")


def call_options(given: DurableOptions) -> CallOptions:
    """Raises `InvalidUsage` for what cannot be meant."""
    found: dict[str, Any] = {**given}
    known = DurableOptions.__annotations__
    for name, value in found.items():
        if name not in known:
            raise InvalidUsage(
                f"@stepwell.durable has no option {name!r}.{near_misses(name, known)}"
            )
        if name in _NUMBERS and value is not None and not value >= 0:
            raise InvalidUsage(f"@stepwell.durable({name}={value!r}): it takes 0 or more")
    if inspect.iscoroutinefunction(found.get("approve")):
        raise InvalidUsage("@stepwell.durable(approve=…): whether to ask is told without `await`")
    kinds: Kinds = found.pop("retry_on", ())
    named = tuple(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
    times = {
        name: found.pop(name) for name in ("retries", "backoff", "max_backoff") if name in found
    }
    found["timeout"] = found.get("timeout") or 0.0
    return CallOptions(retry=Retry(**times, retry_on=named), **found)
