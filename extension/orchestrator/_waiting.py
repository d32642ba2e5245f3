"""What running attempts wait for besides their own work. Parts of `apply`.

A run that was called waits while all that runs in it does: so a question to a person, however
far below, stops the clocks of all who wait for its answer.

Three things follow from a wait: its attempt takes no slot meanwhile, its deadlines make
allowance for it, and a message can be given to it. They last as long as the attempt: the
call stays open beyond that, and the next attempt that comes to it waits anew.
"""

from collections.abc import Collection

from stepwell.orchestrator._calls import Call
from stepwell.orchestrator._port import Rest
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import Unit

__all__ = [
    "ask_again",
    "begin_wait",
    "end_attempt",
    "end_wait",
    "look_again",
    "rest",
    "waited",
    "withdraw",
    "withdraw_all",
]

_PATIENT = frozenset({"approval", "message", "sleep"})
"""Forms of calls that do not count towards the attempt's deadlines."""
_REFUSALS = frozenset({"ApprovalRejected", "ApprovalExpired"})


def begin_wait(state: State, unit: Unit, call: Call, *, step: str, item: str, at: int) -> None:
    """The unit's running attempt waits for this open call."""
    if unit.running is None or (unit.awaited is not None and call.key in unit.awaited):
        return
    if unit.awaited is None:
        unit.awaited = {}
    if not unit.awaited:
        state.parked += 1
        state.resting -= bool(unit.rests)
    unit.awaited[call.key] = None
    look_again(state, unit, at)
    if call.form == "message":
        state.receivers.setdefault(call.subject, {})[step, item, call.key] = None


def end_wait(state: State, unit: Unit, call: Call, *, step: str, item: str, at: int) -> None:
    """The call is closed, or nobody waits for it any more."""
    _receive_no_more(state, call, step, item)
    if unit.awaited is None or call.key not in unit.awaited:
        return
    del unit.awaited[call.key]
    unit.heard = at
    if not unit.awaited:
        state.parked -= 1
        state.resting += bool(unit.rests)
    look_again(state, unit, at)


def rest(state: State, unit: Unit, how: Rest, at: int) -> None:
    """The running attempt only waits from now on, for nothing that is written down; or works.

    Not by an event: it holds for this attempt in this process alone.
    """
    if not unit.awaited:
        state.resting += bool(how) - bool(unit.rests)
    unit.rests, unit.heard = how, at
    look_again(state, unit, at)


def look_again(state: State, unit: Unit, at: int) -> None:
    """The clock of its deadlines stands still from now on, or goes on."""
    is_patient = _is_patient(unit)
    state.patient += is_patient - unit.is_patient
    unit.is_patient = is_patient
    if is_patient or unit.rests == "wait":
        unit.waiting_since = unit.waiting_since or at
    elif unit.waiting_since:
        unit.waited += max(0, at - unit.waiting_since)
        unit.waiting_since = 0


def _is_patient(unit: Unit) -> bool:
    calls = unit.calls or {}
    return any(calls[key].form in _PATIENT or calls[key].is_waiting for key in unit.awaited or ())


def _receive_no_more(state: State, call: Call, step: str, item: str) -> None:
    if call.form == "message" and (waiting := state.receivers.get(call.subject)) is not None:
        waiting.pop((step, item, call.key), None)
        if not waiting:
            del state.receivers[call.subject]


def waited(unit: Unit, now: int) -> int:
    """How long the unit has waited, microseconds, for what does not count as work."""
    return unit.waited + (now - unit.waiting_since if unit.waiting_since else 0)


def end_attempt(state: State, unit: Unit, *, step: str, item: str, at: int) -> None:
    """The running attempt is over, however it ended: nobody waits inside it any more."""
    for key in tuple(unit.awaited or ()):
        end_wait(state, unit, (unit.calls or {})[key], step=step, item=item, at=at)
    if unit.rests:
        rest(state, unit, "", at)


def withdraw(state: State, unit: Unit, why: str, *, but_code: str | None = None) -> None:
    """Nobody waits for the answers to the unit's open questions.

    With `but_code`, those asked by that code stand.
    """
    for name in unit.asking or ():
        if but_code is None or state.approvals[name].code != but_code:
            state.withdrawn[name] = why


def withdraw_all(state: State, steps: Collection[str], why: str) -> None:
    """Everything that was asked for these steps' sake, by their items too."""
    for name in state.pending:
        approval = state.approvals[name]
        # What came of an attempt is still not known when nobody wants the step any more.
        if approval.step in steps and approval.request.form != "in_doubt":
            state.withdrawn[name] = why


def ask_again(unit: Unit) -> None:
    """Somebody wants a step to run that failed because a person refused: they are asked anew."""
    if unit.error is None or unit.error.type not in _REFUSALS or unit.calls is None:
        return
    for key, call in list(unit.calls.items()):
        if call.form == "approval" and call.status in {"rejected", "expired"}:
            del unit.calls[key]
