"""Questions to people and messages: what can be wrong with them, and what they can end in."""

from collections.abc import Sequence

from stepwell.errors._base import RunError, TerminalError

__all__ = [
    "ApprovalClosed",
    "ApprovalExpired",
    "ApprovalRejected",
    "InvalidAnswer",
    "MessageTimedOut",
    "NeedsPerson",
    "UnknownApproval",
]


class NeedsPerson(RunError):
    """A step this cell waits for has asked a person, and goes on when they have decided."""

    template = (
        "step {step!r} needs a person: {question} "
        "Answer with {way_out}, then run this cell again; the run goes on meanwhile"
    )

    def __init__(self, step: str, question: str, way_out: str, approval: str = "") -> None:
        super().__init__(step=step, question=question, way_out=way_out, approval=approval)


class UnknownApproval(RunError):
    """No open question of that name."""

    template = "no question is open for {name!r}.{near} `inbox` lists what is open"

    def __init__(self, name: str, near: str = "") -> None:
        super().__init__(name=name, near=near)


class ApprovalClosed(RunError):
    """The question was decided before; the first decision holds."""

    template = "{question!r} was {decision} before{by}, {when}{note}. There is no second decision"

    def __init__(
        self, question: str, decision: str, *, by: str = "", when: str = "", note: str = ""
    ) -> None:
        super().__init__(
            question=question,
            decision=decision,
            by=f" by {by}" if by else "",
            when=when,
            note=f" ({note})" if note else "",
        )


class InvalidAnswer(RunError):
    """An answer of the wrong form. Nothing was decided; the question is still open.

    `problems` are pairs of a field's name and what is wrong with it.
    """

    template = "this is not accepted: {listed}. The question is still open"

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        listed = "; ".join(f"{field}: {what}" if field else what for field, what in problems)
        super().__init__(problems=tuple(problems), listed=listed)


class ApprovalRejected(TerminalError):
    """A person has said no. Raised where the step's code asked; `reason` is theirs, word for word.

    A step that does not catch it fails, and is not tried again by itself.
    """

    template = "{question!r} was rejected{by}{why}"

    def __init__(self, question: str, reason: str = "", by: str = "") -> None:
        super().__init__(
            question=question,
            reason=reason,
            by=f" by {by}" if by else "",
            why=f": {reason}" if reason else "",
        )


class ApprovalExpired(TerminalError, TimeoutError):
    """Nobody has decided in time."""

    template = "{question!r}: nobody decided in time"

    def __init__(self, question: str) -> None:
        super().__init__(question=question)


class MessageTimedOut(TerminalError, TimeoutError):
    """No message has come in time. Remembered: the step does not wait for it again."""

    template = "no message on {topic!r} came within {seconds:g} s"

    def __init__(self, topic: str, seconds: float) -> None:
        super().__init__(topic=topic, seconds=seconds)
