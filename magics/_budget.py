"""`%stepwell budget`: how much a run may consume."""

from stepwell.errors import InvalidUsage
from stepwell.magics._duration import seconds
from stepwell.magics._options import Option, Parsed, Takes
from stepwell.magics._port import Notebook

__all__ = ["BUDGET_OPTIONS", "budget"]

_WHOLE = ("calls", "tokens", "depth")

BUDGET_OPTIONS = (
    Option("--cost", Takes.ONE, "2.00", "in the currency that calls are counted in"),
    Option("--calls", Takes.ONE, "200", "durable calls"),
    Option("--tokens", Takes.ONE, "100000", "tokens, read and written"),
    Option("--depth", Takes.ONE, "3", "agents within agents"),
    Option("--time", Takes.ONE, "1h", "from now on; time without a kernel does not count"),
    Option("--off", help="no limits any more"),
)


def budget(notebook: Notebook, parsed: Parsed) -> object:
    """Set what was given; without options, say what is used."""
    limits: dict[str, float | None] = {}
    for name in ("cost", *_WHOLE):
        if parsed.has(f"--{name}"):
            limits[name] = _number(f"--{name}", parsed.one(f"--{name}"), whole=name in _WHOLE)
    if parsed.has("--time"):
        limits["seconds"] = seconds(parsed.one("--time"), what="--time")
    return notebook.budget(limits, off=parsed.has("--off"))


def _number(option: str, text: str, *, whole: bool) -> float:
    try:
        return int(text.replace("_", "")) if whole else float(text)
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise InvalidUsage(f"{option} takes {kind}, not {text!r}") from None
