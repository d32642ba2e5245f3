"""How a wait ends: from what was decided, by itself or by a person, to the event. Pure."""

from stepwell.errors import InvalidAnswer, InvalidUsage
from stepwell.flow import OnTimeout
from stepwell.orchestrator._call_events import (
    ApprovalDecided,
    ApprovalRequested,
    Decision,
    MessageReceived,
    WaitEnded,
)
from stepwell.orchestrator._calls import Approval
from stepwell.orchestrator._commands import Deliver, EndWait, Expire, FollowUp, Void
from stepwell.orchestrator._state import State

__all__ = ["Closing", "closing", "decided", "settled_by"]

Closing = EndWait | Expire | FollowUp | Void | Deliver

_ON_TIMEOUT: dict[OnTimeout, Decision] = {
    "approve": "approved",
    "reject": "rejected",
    "fail": "expired",
}


def closing(
    state: State, command: Closing
) -> tuple[WaitEnded | MessageReceived | ApprovalDecided, str, str, int]:
    """The event, and the step, item and attempt it is written under."""
    match command:
        case EndWait():
            return WaitEnded(command.call), command.step, command.item, 0
        case Deliver():
            event = MessageReceived(command.call, command.message)
            return event, command.step, command.item, 0
        case Expire():
            approval = state.approvals[command.approval]
            decision = _ON_TIMEOUT[approval.request.on_timeout]
            note = "nobody decided in time"
            made = decided(approval, decision, by="timeout", channel="timeout", note=note)
        case FollowUp():
            approval = state.approvals[command.approval]
            first = state.always[approval.request.tool]
            decision = "approved" if first.decision == "edited" else first.decision
            made = decided(approval, decision, by=first.by, channel="policy", note=first.note)
        case Void():
            approval = state.approvals[command.approval]
            made = decided(approval, "voided", by="", channel="", note=command.why)
    return made, approval.step, approval.item, approval.attempt


def decided(
    approval: Approval, decision: Decision, *, by: str, channel: str, note: str
) -> ApprovalDecided:
    """A decision about the question as it was asked."""
    asked = approval.request
    return ApprovalDecided(
        asked.approval,
        decision,
        asked.call,
        by=by,
        channel=channel,
        note=note,
        payload=asked.payload.digest if asked.payload is not None else "",
    )


def settled_by(asked: ApprovalRequested, word: str, *, has_value: bool) -> Decision:
    """What a person's word comes to: `approve`, `reject`, `edit` or `answer`.

    Raises `InvalidAnswer` where the question is not of that kind, `InvalidUsage` for no word.
    """
    match word:
        case "reject":
            return "rejected"
        case "approve" if not has_value and asked.form != "ask":
            return "approved"
        case "approve" | "edit" | "answer":
            return _with_value(asked, has_value=has_value)
        case _:
            raise InvalidUsage(f"{word!r} is no decision. There is: approve, reject, edit, answer")


def _with_value(asked: ApprovalRequested, *, has_value: bool) -> Decision:
    if asked.form == "in_doubt":
        if has_value or not asked.edit:
            return "answered"
        raise InvalidAnswer([("", f"say with which result: {', '.join(asked.edit)}")])
    if asked.form == "ask":
        if has_value or asked.payload is not None:
            return "answered"
        raise InvalidAnswer([("", "this question wants an answer: %stepwell respond")])
    if not has_value:
        raise InvalidAnswer([("", "there is no changed value")])
    if not asked.edit:
        raise InvalidAnswer([("", "this can be approved or rejected, and not be changed")])
    return "edited"
