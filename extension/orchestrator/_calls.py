"""What is remembered of the calls inside an attempt, and what waits for an answer.

A call is remembered under its key for as long as its step is not made to run afresh: an
attempt that runs again, with edited code too, asks for the same keys and gets the same
answers. Pure, like everything around `apply`.
"""

import msgspec

from stepwell.orchestrator._base import ErrorInfo, Output
from stepwell.orchestrator._call_events import ApprovalDecided, ApprovalRequested, Usage
from stepwell.orchestrator._keys import place_name

__all__ = ["Approval", "Call", "Calls", "Message", "forget_failures"]


class Call(msgspec.Struct, gc=False):
    """One call as it stands. Open until `is_closed`; then never changed."""

    key: str
    form: str = "call"
    """`call`, `sleep`, `message`, `approval`, `child`."""
    is_closed: bool = False
    result: Output | None = None
    error: ErrorInfo | None = None
    error_value: str = ""
    """Digest of the exception, where it could be stored."""
    due: int = 0
    subject: str = ""
    """The topic, the approval's id, or the child's run id."""
    is_expired: bool = False
    outputs: dict[str, Output] = {}
    """Of a child run."""
    status: str = ""
    """Of a child run; of an approval the decision."""
    by: str = ""
    """Of an approval: who has decided."""
    note: str = ""
    """And the reason they gave."""
    closed: int = 0
    """When it was closed, microseconds UTC."""
    agent: str = ""
    parameters: str = ""
    version: str = ""
    failed: str = ""
    """Of a child run: what was called, with what, in which version, and the step that failed."""
    usage: Usage | None = None
    is_waiting: bool = False
    """Of a child run: whether it does nothing but wait, for a person, a message or a time."""
    goes_on: bool = False
    """Of a child run that is not to stay as it is: whoever asks for it next has it go on."""
    force: tuple[str, ...] = ()
    keeps_calls: bool = False
    """With these of its steps run again; perhaps only for the sake of what they call."""
    attempts: int = 0
    """Tries at a plain call that have failed; the next one is due at `due`."""


Calls = dict[str, Call]
"""By key. Read by workers while the orchestrator adds to it; an entry that is there stays."""


def forget_failures(calls: Calls | None) -> None:
    """The work is to be done anew, or is done: plain calls that failed are made again.

    Until then a failure is remembered as a result is: an attempt that goes on after a crash
    meets the same errors, and takes the same turns.
    """
    if calls:
        for key in [call.key for call in calls.values() if _has_failed(call)]:
            del calls[key]


def _has_failed(call: Call) -> bool:
    return call.form == "call" and (call.error is not None or not call.is_closed)


class Approval(msgspec.Struct, gc=False):
    """A question to a person: asked once, decided once."""

    id: str
    step: str
    item: str
    attempt: int
    at: int
    request: ApprovalRequested
    decided: ApprovalDecided | None = None
    decided_at: int = 0
    code: str = ""
    """Digest of the code that asked."""

    @property
    def place(self) -> str:
        """Whose question it is, for people: the step, or the item of it."""
        return place_name(self.step, self.item)

    @property
    def is_pending(self) -> bool:
        """Whether nobody has decided yet."""
        return self.decided is None


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message that has come and was not received yet."""

    id: str
    topic: str
    payload: Output | None
    at: int
