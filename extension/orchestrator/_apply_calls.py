"""Calls inside attempts: opened, answered; and questions and messages. Parts of `apply`."""

from stepwell.orchestrator._call_events import (
    ApprovalDecided,
    ApprovalRequested,
    CallCompleted,
    CallEvent,
    CallFailed,
    CallTried,
    ChildSettled,
    ChildStarted,
    MessageAwaited,
    MessageReceived,
    MessageSent,
    TimerSet,
    WaitEnded,
)
from stepwell.orchestrator._calls import Approval, Call, Calls, Message
from stepwell.orchestrator._state import State
from stepwell.orchestrator._timers import Timer

__all__ = ["apply_call"]


def apply_call(
    state: State, event: CallEvent, *, step: str, item: str, attempt: int, at: int
) -> None:
    """Remember what the event says. A call that is closed stays as it is."""
    match event:
        case MessageSent():
            _sent(state, event, at)
            return
        case ApprovalRequested():
            approval = Approval(event.approval, step, item, attempt, at, event)
            _asked(state, approval)
        case ApprovalDecided():
            _decided(state, event, at)
        case _:
            pass
    calls = _calls_of(state, step, item)
    if calls is None or not event.call:
        return
    known = calls.get(event.call)
    if known is not None and known.is_closed:
        if not isinstance(event, ChildStarted):
            return
        # Begun anew: the answer it had is not changed under whoever reads it.
        known = None
    call = known or Call(event.call)
    # Entered when it says all: workers read it meanwhile.
    _note(state, call, event, step, item)
    call.closed = at if call.is_closed else 0
    calls[event.call] = call


def _calls_of(state: State, step: str, item: str) -> Calls | None:
    if not step:
        return state.calls
    unit = state.unit(step, item)
    if unit is None:
        return None
    if unit.calls is None:
        unit.calls = {}
    return unit.calls


def _note(  # noqa: PLR0912 - one branch to an event
    state: State, call: Call, event: CallEvent, step: str, item: str
) -> None:
    match event:
        case CallCompleted():
            call.result, call.usage, call.is_closed = event.result, event.usage, True
        case CallFailed():
            call.error, call.error_value, call.is_closed = event.error, event.value, True
        case CallTried():
            call.attempts, call.due = event.attempts, event.retry_at
        case TimerSet():
            call.form, call.due = "sleep", event.due
            state.timers.set(Timer(event.due, "call", step, item, 0, event.call))
        case MessageAwaited():
            call.form, call.due, call.subject = "message", event.due, event.topic
            if event.due:
                state.timers.set(Timer(event.due, "call", step, item, 0, event.call))
        case WaitEnded():
            call.is_expired = call.form == "message"
            call.is_closed = True
        case MessageReceived():
            _take(state, call, event)
        case ApprovalRequested():
            call.form, call.subject, call.due = "approval", event.approval, event.due
        case ApprovalDecided():
            if event.decision != "voided":
                call.status, call.result, call.is_closed = event.decision, event.value, True
                call.is_expired = event.channel == "timeout"
        case ChildStarted():
            call.form, call.subject, call.version = "child", event.child, event.version
            call.agent, call.parameters = event.agent, event.parameters
            state.children.setdefault(step, {})[event.child] = item
        case ChildSettled():
            call.status, call.outputs, call.error = event.status, event.outputs, event.error
            call.failed, call.is_closed = event.failed, True
            _no_child(state, step, event.child)
        case MessageSent():
            pass


def _no_child(state: State, step: str, child: str) -> None:
    mine = state.children.get(step, {})
    mine.pop(child, None)
    if not mine:
        state.children.pop(step, None)


def _sent(state: State, event: MessageSent, at: int) -> None:
    if event.message in state.message_ids:
        return
    state.message_ids.add(event.message)
    message = Message(event.message, event.topic, event.payload, at)
    state.messages.setdefault(event.topic, []).append(message)


def _take(state: State, call: Call, event: MessageReceived) -> None:
    waiting = state.messages.get(call.subject, [])
    found = next((it for it in waiting if it.id == event.message), None)
    if found is not None:
        waiting.remove(found)
        call.result = found.payload
    call.is_closed = True


def _asked(state: State, approval: Approval) -> None:
    if approval.id in state.approvals:
        return
    state.approvals[approval.id] = approval
    state.pending[approval.id] = None
    if due := approval.request.due:
        state.timers.set(Timer(due, "approval", approval.step, approval.item, 0, approval.id))


def _decided(state: State, event: ApprovalDecided, at: int) -> None:
    approval = state.approvals.get(event.approval)
    if approval is None or not approval.is_pending:
        return
    approval.decided, approval.decided_at = event, at
    state.pending.pop(event.approval, None)
