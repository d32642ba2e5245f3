"""One makes, one judges, until it is good enough."""

from dataclasses import dataclass
from typing import Any

from stepwell.errors import InvalidUsage, with_article
from stepwell.patterns._team import Member, name_of, take_turn

__all__ = ["Improved", "Verdict", "improve"]


@dataclass(frozen=True)
class Verdict:
    """What whoever judges says of a draft."""

    is_good: bool
    feedback: str = ""


@dataclass(frozen=True)
class Improved:
    """What came of it."""

    result: Any
    """The last draft."""
    is_good: bool
    """Whether it was good enough; if not, the rounds were over."""
    drafts: tuple[Any, ...]
    verdicts: tuple[Verdict, ...]


async def improve(task: object, make: Member, judge: Member, *, rounds: int = 3) -> Improved:
    """`make(task, feedback)` drafts and `judge(task, draft)` gives a `Verdict`, in turn.

    The first feedback is empty. Ends with the first draft that is good, or after so many
    rounds. Raises `InvalidUsage` when what the judge gives is no verdict.
    """
    if rounds < 1:
        raise InvalidUsage(f"rounds={rounds}: at least one")
    drafts: list[Any] = []
    verdicts: list[Verdict] = []
    feedback = ""
    for _ in range(rounds):
        drafts.append(await take_turn(make, task, feedback))
        verdict = await take_turn(judge, task, drafts[-1])
        if not isinstance(verdict, Verdict):
            raise InvalidUsage(
                f"{name_of(judge)!r} judged with {with_article(type(verdict).__name__)}; it is to "
                f"give stepwell.patterns.Verdict(is_good, feedback)"
            )
        verdicts.append(verdict)
        feedback = verdict.feedback
        if verdict.is_good:
            break
    return Improved(drafts[-1], verdicts[-1].is_good, tuple(drafts), tuple(verdicts))
