"""Calls inside attempts: opened, answered; and questions and messages. Parts of `apply`."""

from stepwell.orchestrator._apply_steps import settle_doubt
from stepwell.orchestrator._budget import Spent
from stepwell.orchestrator._call_events import (
    ApprovalDecided,
    ApprovalRequested,
    CallCompleted,
    CallEvent,
    CallFailed,
    CallTried,
    ChildLeft,
    ChildRecalled,
    ChildSettled,
    ChildStarted,
    ChildWaiting,
    MessageAwaited,
    MessageReceived,
    MessageSent,
    TimerSet,
    WaitEnded,
    WaitResumed,
)
from stepwell.orchestrator._calls import Approval, Call, Calls, Message
from stepwell.orchestrator._state import State
from stepwell.orchestrator._timers import Timer
from stepwell.orchestrator._unit import ItemState, Unit
from stepwell.orchestrator._waiting import begin_wait, end_wait, look_again

__all__ = ["apply_call"]


def apply_call(
    state: State, event: CallEvent, *, step: str, item: str, attempt: int, at: int
) -> None:
    """Remember what the event says. A call that is closed stays as it is."""
    unit = state.unit(step, item)
    match event:
        case MessageSent():
            _sent(state, event, at)
            return
        case ApprovalRequested():
            _asked(state, event, unit, Approval(event.approval, step, item, attempt, at, event))
        case ApprovalDecided():
            _decided(state, event, unit, at)
        case _:
            pass
    calls = _calls_of(state, unit, step)
    if calls is None or not event.call:
        return
    known = calls.get(event.call)
    if isinstance(event, ChildLeft | ChildRecalled):
        _let_go_on(known, event)
        return
    _count(state, event, step, is_new=known is None or not known.is_closed)
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
    if unit is None:
        return
    if isinstance(event, ChildWaiting):
        look_again(state, unit, at)
    elif call.is_closed or call.status == "voided":
        end_wait(state, unit, call, step=step, item=item, at=at)
    elif call.form != "call":
        begin_wait(state, unit, call, step=step, item=item, at=at)


def _count(state: State, event: CallEvent, step: str, *, is_new: bool) -> None:
    """What was consumed, in the run and in the step; a call counts once."""
    match event:
        case CallCompleted(name=name, usage=usage) | CallFailed(name=name, usage=usage) if is_new:
            state.spent.add(usage, is_call=bool(name))
            if (found := state.steps.get(step)) is not None:
                found.spent = found.spent or Spent()
                found.spent.add(usage, is_call=bool(name))
        case ChildStarted(child=child):
            state.spent.below.setdefault(child, (0, 0, 0.0))
        case ChildSettled(child=child, spent=spent):
            state.spent.below[child] = spent
        case _:
            pass


def _calls_of(state: State, unit: Unit | None, step: str) -> Calls | None:
    if not step:
        return state.calls
    if unit is not None and unit.calls is None:
        unit.calls = {}
        if isinstance(unit, ItemState) and (items := state.steps[step].items) is not None:
            items.callers[unit.name] = None
    return unit.calls if unit is not None else None


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
            call.status = ""
        case ApprovalDecided():
            _close(call, event)
        case ChildStarted():
            call.form, call.subject, call.version = "child", event.child, event.version
            call.agent, call.parameters = event.agent, event.parameters
            state.children.setdefault(step, {})[event.child] = item
        case ChildSettled():
            call.status, call.outputs, call.error = event.status, event.outputs, event.error
            call.failed, call.is_closed, call.is_waiting = event.failed, True, False
            _no_child(state, step, event.child)
        case ChildWaiting():
            call.is_waiting = event.is_waiting
        case WaitResumed() | MessageSent() | ChildLeft() | ChildRecalled():
            pass


def _let_go_on(known: Call | None, event: ChildLeft | ChildRecalled) -> None:
    if known is None:
        return  # it was refused
    known.goes_on = True
    if isinstance(event, ChildRecalled):
        known.force, known.keeps_calls = event.force, event.keeps_calls


def _no_child(state: State, step: str, child: str) -> None:
    mine = state.children.get(step, {})
    mine.pop(child, None)
    if not mine:
        state.children.pop(step, None)


def _close(call: Call, event: ApprovalDecided) -> None:
    if call.subject != event.approval:
        return
    call.status = event.decision
    # A question that was voided is not answered: whoever comes to it asks anew.
    if event.decision != "voided":
        call.result, call.is_closed = event.value, True
        call.by, call.note = event.by, event.note
        call.is_expired = event.channel == "timeout"


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
        if not waiting:
            del state.messages[call.subject]
    call.is_closed = True


def _asked(state: State, event: ApprovalRequested, unit: Unit | None, new: Approval) -> None:
    if new.id in state.approvals:
        return
    state.approvals[new.id] = new
    state.pending[new.id] = None
    if unit is not None and event.call:
        new.code = unit.running.code if unit.running is not None else ""
        if unit.asking is None:
            unit.asking = {}
        unit.asking[new.id] = None
    if event.tool in state.always:
        state.foregone[new.id] = None
    elif event.due:
        state.timers.set(Timer(event.due, "approval", new.step, new.item, 0, new.id))


def _decided(state: State, event: ApprovalDecided, unit: Unit | None, at: int) -> None:
    approval = state.approvals.get(event.approval)
    if approval is None or not approval.is_pending:
        return
    approval.decided, approval.decided_at = event, at
    for group in (state.pending, state.withdrawn, state.foregone):
        group.pop(event.approval, None)
    if unit is not None and unit.asking:
        unit.asking.pop(event.approval, None)
    if approval.request.form == "in_doubt":
        settle_doubt(state, approval.step, approval.item, event, at)
    tool = approval.request.tool
    if event.always and tool and tool not in state.always:
        state.always[tool] = event
        # What waits for the same tool is answered by it, too.
        others = (state.approvals[other] for other in state.pending)
        state.foregone.update((other.id, None) for other in others if other.request.tool == tool)
