"""Options about failing, time, conditions and order, and what they say."""

import re

from stepwell.errors import InvalidUsage
from stepwell.flow import Deadlines, Policies, Retry
from stepwell.magics._approval import approve
from stepwell.magics._duration import seconds
from stepwell.magics._mapping import map_over
from stepwell.magics._options import Kind, Option, Parsed, Takes

__all__ = ["POLICY_OPTIONS", "policies"]

_ERROR = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_LIMIT = re.compile(r"[^\W_][\w.-]*")

POLICY_OPTIONS: tuple[Option, ...] = (
    Option(
        "--when",
        Takes.ONE,
        "EXPR",
        "run only if this is true, for example 'len(hits) > 3'; otherwise the step is skipped, "
        "and so is what reads from it",
        is_code=True,
    ),
    Option(
        "--even-if-skipped",
        help="run although a step it reads from was skipped; what that writes is None",
    ),
    Option(
        "--retries",
        Takes.ONE,
        "N",
        "try again so many times after a time-out, a lost connection or a busy server; never "
        "after a mistake in the code",
    ),
    Option("--backoff", Takes.ONE, "1s", "wait so long before the first retry, then twice as long"),
    Option("--max-backoff", Takes.ONE, "1m", "never wait longer than this"),
    Option(
        "--retry-on",
        Takes.LIST,
        "ERROR[,ERROR…]",
        "retry after these errors and those derived from them, and after no others",
    ),
    Option("--timeout", Takes.ONE, "60s", "how long one attempt may take"),
    Option(
        "--total-timeout",
        Takes.ONE,
        "10m",
        "how long all attempts together may take, with the waits between them",
    ),
    Option(
        "--stall", Takes.ONE, "30s", "how long it may go without a call of stepwell.heartbeat()"
    ),
    Option(
        "--once",
        help="never run it a second time by itself: after a crash in the middle of it, ask; of a "
        "mapped step each item by itself",
    ),
    Option(
        "--undo-of",
        Takes.ONE,
        "STEP",
        "this cell undoes STEP: it runs when that is undone (`%stepwell cancel --undo`), and only "
        "then; of a mapped STEP once for each item that is done, with the element and what was "
        "made of it under their names",
        (Kind.STEP,),
    ),
    Option("--limit", Takes.ONE, "NAME", "share a limit with others: see `%stepwell limit --help`"),
    Option(
        "--priority",
        Takes.ONE,
        "N",
        "of steps that could start, those with the highest number do first; 0 without it",
    ),
)


def policies(parsed: Parsed) -> Policies:
    """What the options say. Raises `InvalidUsage`."""
    return Policies(
        map=map_over(parsed),
        when=parsed.one("--when").strip(),
        even_if_skipped=parsed.has("--even-if-skipped"),
        retry=_retry(parsed),
        deadlines=_deadlines(parsed),
        approve=approve(parsed),
        once=parsed.has("--once"),
        limit=_limit(parsed),
        undo_of=parsed.one("--undo-of"),
        priority=_priority(parsed),
    )


def _limit(parsed: Parsed) -> str:
    name = parsed.one("--limit")
    if parsed.has("--limit") and not _LIMIT.fullmatch(name):
        raise InvalidUsage(f"%%step: --limit {name!r} is not a name: letters, digits, _ . and -.")
    return name


def _priority(parsed: Parsed) -> int:
    text = parsed.one("--priority")
    if not parsed.has("--priority"):
        return 0
    if not re.fullmatch(r"-?\d{1,9}", text):
        raise InvalidUsage(f"%%step: --priority {text!r} is not a whole number.")
    return int(text)


def _retry(parsed: Parsed) -> Retry | None:
    if not parsed.has("--retries"):
        for option in ("--backoff", "--max-backoff", "--retry-on"):
            if parsed.has(option):
                raise InvalidUsage(
                    f"%%step: {option} is about retries: add --retries N, or leave it out."
                )
        return None
    default = Retry()
    for error in parsed.all("--retry-on"):
        if not _ERROR.fullmatch(error):
            raise InvalidUsage(f"%%step: --retry-on {error!r} is not the name of an exception.")
    return Retry(
        retries=_number("--retries", parsed),
        backoff=_seconds("--backoff", parsed, default.backoff),
        max_backoff=_seconds("--max-backoff", parsed, default.max_backoff),
        retry_on=tuple(error.rpartition(".")[2] for error in parsed.all("--retry-on")),
    )


def _deadlines(parsed: Parsed) -> Deadlines | None:
    found = Deadlines(
        attempt=_more_than_nothing("--timeout", parsed),
        total=_more_than_nothing("--total-timeout", parsed),
        stall=_more_than_nothing("--stall", parsed),
    )
    return found if found != Deadlines() else None


def _number(option: str, parsed: Parsed) -> int:
    text = parsed.one(option)
    if not (text.isascii() and text.isdigit()):
        raise InvalidUsage(f"%%step: {option} {text!r} is not a number. Write 0, 1, 2, …")
    return int(text)


def _seconds(option: str, parsed: Parsed, default: float) -> float:
    if not parsed.has(option):
        return default
    return seconds(parsed.one(option), what=f"%%step: {option}")


def _more_than_nothing(option: str, parsed: Parsed) -> float:
    found = _seconds(option, parsed, 0.0)
    if parsed.has(option) and not found:
        raise InvalidUsage(f"%%step: {option} must be more than nothing, or left out.")
    return found
