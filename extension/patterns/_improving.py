"""One makes, one judges, until it is good enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

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
    """`make(task, feedback)` drafts and `judge(task, draft)` judges, in turn.

    A judgement is a `Verdict`, or what stands for one: whether it is good, that and the feedback,
    or anything with `is_good` and perhaps `feedback`, as an agent `-> is_good: bool, feedback: str`
    gives it. The first feedback is empty. Ends with the first draft that is good, or after so many
    rounds. Raises `InvalidUsage` when what the judge gives is no verdict.
    """
    if rounds < 1:
        raise InvalidUsage(f"rounds={rounds}: at least one")
    drafts: list[Any] = []
    verdicts: list[Verdict] = []
    feedback = ""
    for _ in range(rounds):
        drafts.append(await take_turn(make, task, feedback))
        verdicts.append(_verdict(await take_turn(judge, task, drafts[-1]), judge))
        feedback = verdicts[-1].feedback
        if verdicts[-1].is_good:
            break
    return Improved(drafts[-1], verdicts[-1].is_good, tuple(drafts), tuple(verdicts))


def _verdict(given: object, judge: Member) -> Verdict:
    if isinstance(given, Verdict):
        return given
    is_good, feedback = _told_apart(given)
    if not isinstance(is_good, bool):
        raise InvalidUsage(
            f"{name_of(judge)!r} judged with {with_article(type(given).__name__)}; it is to give "
            f"stepwell.patterns.Verdict(is_good, feedback), or say whether it is good"
        )
    return Verdict(is_good, str(feedback or ""))


def _told_apart(given: Any) -> tuple[object, object]:
    """Whether it is good, as far as that is said, and the feedback."""
    if isinstance(given, tuple | list):
        pair = tuple(cast("Sequence[object]", given))
        return (pair[0], pair[1]) if len(pair) == 2 else (None, None)
    if isinstance(given, dict):
        named = cast("dict[str, object]", given)
        return named.get("is_good"), named.get("feedback")
    return getattr(given, "is_good", given), getattr(given, "feedback", "")
