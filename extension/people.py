"""What people do about runs, in Python: look what is open, decide, send word.

In a notebook that has loaded the extension it concerns the notebook's store; in a script use
the methods of `Run`, or name the store.
"""

from collections.abc import Awaitable, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stepwell.errors import InvalidUsage
from stepwell.inside import ABSENT, Inside, inside, is_on_loop, send_from

if TYPE_CHECKING:
    from stepwell.session import Question, Session

__all__ = ["decide", "inbox", "send"]


def inbox() -> "list[Question]":
    """Everything that waits for a person, in all runs of the notebook's store, oldest first."""
    return _session("stepwell.inbox()").inbox()


def decide(
    which: str = "",
    decision: str = "approve",
    value: Any = ABSENT,
    reason: str = "",
    *,
    by: str = "",
    always: bool = False,
) -> None:
    """Decide a question, by its id or its step's name; nothing means the only one that is open.

    `approve` it, perhaps with a changed `value`; `reject` it with a `reason`; `answer` it with
    a `value`. With `always` the decision holds for all further calls of the same tool in the
    run. Raises `ApprovalClosed` if somebody was first, `InvalidAnswer` for a value of the
    wrong form, `UnknownApproval`.
    """
    session = _session("stepwell.decide()")
    session.decide(which, decision, value, reason, by=by, always=always)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A message that is on its way; who awaits this goes on when it is on disk."""

    answer: "Future[None] | None" = None

    def __await__(self) -> Generator[Any, Any, None]:
        if self.answer is not None:
            yield from Inside.awaited(self.answer).__await__()


def send(run: str, topic: str, payload: Any = None) -> Awaitable[None]:
    """Send a message to a run of the same store; it stays there until a step receives it.

    A step sends it once, however often it runs. In code with `await` it is awaited; anywhere
    else it is on disk when this returns. Raises `UnknownRun`, `ValueNotStorable`.
    """
    found = inside.get()
    if found is None:
        _session("stepwell.send()").send(run, topic, payload)
        return _Sent()
    answer = send_from(found, run, topic, payload)
    if not is_on_loop():
        answer.result()
    return _Sent(answer)


def _session(what: str) -> "Session":
    from stepwell.loading import current_notebook

    notebook = current_notebook()
    if notebook is None:
        raise InvalidUsage(
            f"{what} outside a notebook that has loaded stepwell: use the run's own method "
            "(run.inbox(), run.decide(…), run.send(…)), or `stepwell inbox STORE` in a terminal"
        )
    return notebook.session
