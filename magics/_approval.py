"""`--approve` and what goes with it."""

from stepwell.errors import InvalidUsage
from stepwell.flow import Approve, OnTimeout
from stepwell.magics._duration import seconds
from stepwell.magics._options import Kind, Option, Parsed, Takes

__all__ = ["APPROVE_OPTIONS", "approve"]

APPROVE_OPTIONS: tuple[Option, ...] = (
    Option(
        "--approve",
        Takes.PERHAPS,
        "[TEXT]",
        "ask a person before the code runs; TEXT may name what it reads: 'Publish {title}?'",
    ),
    Option(
        "--edit",
        Takes.LIST,
        "NAME[,NAME…]",
        "what it reads that may be changed when it is approved; the code then runs with that",
        (Kind.OUTPUT,),
    ),
    Option("--approve-timeout", Takes.ONE, "1h", "how long there is for a decision"),
    Option(
        "--on-timeout",
        Takes.ONE,
        "reject|approve|fail",
        "what becomes of it then; reject if nothing is said",
    ),
)
_ON_TIMEOUT: dict[str, OnTimeout] = {"reject": "reject", "approve": "approve", "fail": "fail"}


def approve(parsed: Parsed) -> Approve | None:
    """What the options say; None where nobody is asked. Raises `InvalidUsage`."""
    if not parsed.has("--approve"):
        for option in APPROVE_OPTIONS:
            if parsed.has(option.name):
                raise InvalidUsage(
                    f"%%step: {option.name} is about a question to a person: add --approve, "
                    "or leave it out."
                )
        return None
    on_timeout = parsed.one("--on-timeout") or "reject"
    if on_timeout not in _ON_TIMEOUT:
        raise InvalidUsage(f"%%step: --on-timeout {on_timeout!r}: write reject, approve or fail.")
    if parsed.has("--on-timeout") and not parsed.has("--approve-timeout"):
        raise InvalidUsage(
            "%%step: --on-timeout needs a time that can be up: --approve-timeout 1h."
        )
    return Approve(
        text=parsed.one("--approve"),
        edit=parsed.all("--edit"),
        timeout=_timeout(parsed),
        on_timeout=_ON_TIMEOUT[on_timeout],
    )


def _timeout(parsed: Parsed) -> float:
    if not parsed.has("--approve-timeout"):
        return 0.0
    found = seconds(parsed.one("--approve-timeout"), what="%%step: --approve-timeout")
    if not found:
        raise InvalidUsage("%%step: --approve-timeout must be more than nothing, or left out.")
    return found
