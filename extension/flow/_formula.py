"""An expression that stands beside a step's code, in one of its options."""

from stepwell.errors import InvalidStep
from stepwell.flow._dataflow import Dataflow, analyse

__all__ = ["looks_at"]


def looks_at(text: str, *, option: str, step: str) -> Dataflow:
    """What the expression reads. Raises `InvalidStep` for what is none; `option` is named then."""
    try:
        compile(text, f"<{option}>", "eval", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        reason = f"{option} {text!r} is not an expression of Python's"
        raise InvalidStep(step, reason) from error
    return analyse(f"({text}\n)", name=step)
