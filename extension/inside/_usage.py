"""What calls consume: recognised in results, or said by the code that knows."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from stepwell.inside._current import inside
from stepwell.orchestrator import CallCompleted, Usage

__all__ = ["Measure", "as_usage", "cost", "total", "usage", "usage_of"]

Measure = Callable[[Any], "Usage | Mapping[str, Any] | float | None"]
"""From a call's result to what it consumed; a bare number is its cost."""

# Model APIs do not agree on the words: the first that is there counts.
_INPUT = ("input_tokens", "prompt_tokens", "request_tokens", "prompt_token_count")
_OUTPUT = ("output_tokens", "completion_tokens", "response_tokens", "candidates_token_count")
_COST = ("cost", "total_cost", "cost_usd")
_PLAIN: frozenset[type] = frozenset({str, int, float, bool, bytes, list, tuple, set, type(None)})


def usage_of(result: Any) -> Usage | None:
    """What the result says it has cost, if it says so: `.usage` or `["usage"]`."""
    if type(result) in _PLAIN:
        return None
    found = _get(result, "usage") or _get(result, "usage_metadata")
    if callable(found):
        # pydantic-ai's results have a method of that name; nobody else's is called.
        module = type(result).__module__.partition(".")[0]
        found = found() if module == "pydantic_ai" else None
    if found is None:
        return None
    told = as_usage(found)
    if told is None or not (told.input_tokens or told.output_tokens or told.cost):
        return None
    model = told.model or _text(_get(result, "model"))
    return Usage(told.input_tokens, told.output_tokens, told.cost, model)


def as_usage(told: object) -> Usage | None:
    """Usage in whichever form it was told; None for nothing. A number is a cost."""
    if told is None or isinstance(told, Usage):
        return told
    if isinstance(told, int | float):
        return Usage(cost=float(told))
    return Usage(
        int(_number(told, _INPUT)),
        int(_number(told, _OUTPUT)),
        float(_number(told, _COST)),
        _text(_get(told, "model")),
    )


def total(parts: list[Usage]) -> Usage | None:
    """All of it together; the model is the last that was named."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return Usage(
        sum(it.input_tokens for it in parts),
        sum(it.output_tokens for it in parts),
        sum(it.cost for it in parts),
        next((it.model for it in reversed(parts) if it.model), ""),
    )


def usage(
    *, input_tokens: int = 0, output_tokens: int = 0, cost: float = 0.0, model: str = ""
) -> None:
    """Say what the code around this has consumed.

    Inside a durable call it belongs to the call; in a step, outside of calls, to the step.
    Counted once, however often the step is tried. Outside of steps nothing happens.
    """
    here = inside.get()
    if here is None:
        return
    told = Usage(input_tokens, output_tokens, cost, model)
    if here.reported is not None:
        here.reported.append(told)
        return
    key = here.call_key(f"usage:{input_tokens},{output_tokens},{cost!r},{model}")
    if here.remembered(key) is None:
        here.note(CallCompleted(key, usage=told))


def cost(amount: float, *, model: str = "") -> None:
    """Say what the code around this has cost, in the currency you count in. As `usage`."""
    usage(cost=amount, model=model)


def _get(holder: Any, name: str) -> Any:
    if isinstance(holder, Mapping):
        return cast("Mapping[str, Any]", holder).get(name)
    try:
        return getattr(holder, name, None)
    except Exception:  # a property that fails says nothing
        return None


def _number(holder: Any, names: Iterable[str]) -> float:
    found = (_get(holder, name) for name in names)
    return next((it for it in found if isinstance(it, int | float) and it), 0)


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""
