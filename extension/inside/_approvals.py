"""Asking a person, from a step's code.

A question is a call: it is stored before anybody is told, waits as long as it takes, and is
answered from what is remembered when the code runs again. It is known by its text and
how-many-th of the same it is, and by the digest of what it is about: if that has changed
since, it is another question, and the one before is voided. An answer that turns out not to
be of the form wanted is as good as none: the same is asked in another round.
"""

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import count
from typing import Any, Literal, TypeVar, cast, overload

from stepwell.errors import ApprovalExpired, ApprovalRejected, InvalidAnswer, InvalidUsage
from stepwell.flow import OnTimeout
from stepwell.inside._current import Inside, awaiting
from stepwell.inside._edits import Edits
from stepwell.inside._forms import live_forms
from stepwell.inside._spans import Span, span_of
from stepwell.orchestrator import (
    ApprovalDecided,
    ApprovalRequested,
    Call,
    Output,
    WaitResumed,
)
from stepwell.store import Blob

__all__ = ["ABSENT", "Wish", "approve", "ask", "ask_for"]

Answer = TypeVar("Answer")
ABSENT: Any = object()
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be asked."""

    question: str
    form: Literal["approve", "ask"] = "approve"
    payload: object = ABSENT
    edits: Edits
    """What may be changed, or answered, and what it must look like."""
    timeout: float = 0.0
    """Seconds; 0 for as long as it takes."""
    on_timeout: OnTimeout = "reject"
    tool: str = ""
    about: str = ""
    """Digest of more that it is about than is shown."""

    @property
    def what(self) -> str:
        """What the question is, for its call's key."""
        text = blake2b(self.question.encode(errors="replace"), digest_size=4).hexdigest()
        return f"{self.form}:{self.question:.40}:{text}"


@overload
def approve(
    question: str,
    payload: Answer,
    *,
    schema: object = None,
    edit: bool | str | Sequence[str] | None = None,
    timeout: Span | None = None,
    on_timeout: OnTimeout = "reject",
) -> Coroutine[Any, Any, Answer]: ...
@overload
def approve(
    question: str, *, timeout: Span | None = None, on_timeout: OnTimeout = "reject"
) -> Coroutine[Any, Any, None]: ...
def approve(
    question: str,
    payload: object = ABSENT,
    *,
    schema: object = None,
    edit: bool | str | Sequence[str] | None = None,
    timeout: Span | None = None,
    on_timeout: OnTimeout = "reject",
) -> Coroutine[Any, Any, Any]:
    """Go on when a person has said yes; what they have approved, as they may have changed it.

    `payload` is shown with the question. `edit` says what of it may be changed: True for all,
    or names of its fields; with a `schema` (a pydantic model, any type) all may be, and a
    change is checked before it is accepted. The time given is counted from when the question
    is stored; when it is up, `on_timeout` decides.

    Asked once: when the step runs again the decision is remembered, unless `payload` differs.
    Raises `ApprovalRejected` with the reason, and `ApprovalExpired` with `on_timeout="fail"`.
    In code that does not await it is `stepwell.blocking.approve`.
    """
    inside = awaiting("approve")
    may_edit = schema is not None if edit is None else edit
    edits = Edits.of_payload(None if payload is ABSENT else payload, may_edit, schema)
    wish = Wish(
        question=question,
        payload=payload,
        edits=edits,
        timeout=span_of(timeout, what="timeout="),
        on_timeout=_known(on_timeout),
    )
    return _approved(inside, wish)


async def _approved(inside: Inside, wish: Wish) -> Any:
    found = await ask_for(inside, wish)
    return None if found is ABSENT else found


@overload
def ask(
    question: str,
    schema: type[Answer],
    *,
    suggested: Any = ABSENT,
    timeout: Span | None = None,
    on_timeout: Literal["fail", "reject", "suggested"] = "fail",
) -> Coroutine[Any, Any, Answer]: ...
@overload
def ask(
    question: str,
    schema: object = None,
    *,
    suggested: Any = ABSENT,
    timeout: Span | None = None,
    on_timeout: Literal["fail", "reject", "suggested"] = "fail",
) -> Coroutine[Any, Any, Any]: ...
def ask(
    question: str,
    schema: object = None,
    *,
    suggested: object = ABSENT,
    timeout: Span | None = None,
    on_timeout: Literal["fail", "reject", "suggested"] = "fail",
) -> Coroutine[Any, Any, Any]:
    """A person's answer, of the form that `schema` says: a type or a pydantic model.

    It is checked before it is accepted; one of the wrong form is asked for again. `suggested`
    is shown, is what approving the question means, and with `on_timeout="suggested"` what
    nobody answering does. Raises `ApprovalRejected` if they decline, `ApprovalExpired` when
    the time is up. In code that does not await it is `stepwell.blocking.ask`.
    """
    inside = awaiting("ask")
    if on_timeout == "suggested" and suggested is ABSENT:
        raise InvalidUsage('on_timeout="suggested" needs an answer to be suggested: suggested=…')
    wish = Wish(
        question=question,
        form="ask",
        payload=suggested,
        edits=Edits.of_answer(schema),
        timeout=span_of(timeout, what="timeout="),
        on_timeout="approve" if on_timeout == "suggested" else _known(on_timeout),
    )
    return ask_for(inside, wish)


def _known(on_timeout: str) -> OnTimeout:
    if on_timeout not in {"approve", "reject", "fail"}:
        raise InvalidUsage(f"on_timeout={on_timeout!r} is none of 'reject', 'approve', 'fail'")
    return cast("OnTimeout", on_timeout)


async def ask_for(inside: Inside, wish: Wish, *, key: str = "") -> Any:
    """Ask, and wait for the decision: what was approved, or the answer.

    For everything that asks on behalf of a step; `key` is that of the call, where the text
    does not say what it is. Raises `ApprovalRejected`, `ApprovalExpired`, `AttemptGivenUp`.
    """
    base = key or inside.call_key(wish.what)
    payload, blobs = _payload(inside, wish)
    about = blake2b(f"{payload and payload.digest}\0{wish.about}".encode(), digest_size=6)
    mine = f"{base}~{about.hexdigest()}"
    asked = wish
    for again in count():
        call = await _decision(
            inside, asked, f"{mine}~{again}", base=base, payload=payload, blobs=blobs
        )
        try:
            return _outcome(inside, wish, call)
        except InvalidAnswer as problem:
            # Only the code that asks could tell: a rule that a JSON schema cannot say.
            asked = replace(wish, question=f"{wish.question} ({problem.listed})")
    raise AssertionError


def _payload(inside: Inside, wish: Wish) -> tuple[Output | None, list[Blob]]:
    if wish.payload is ABSENT:
        return None, []
    step = inside.attempt.id.step
    output, blob = inside.values.encode(step, "what is to be approved", wish.payload)
    return output, [blob]


async def _decision(
    inside: Inside,
    wish: Wish,
    key: str,
    *,
    base: str,
    payload: Output | None,
    blobs: Sequence[Blob],
) -> Call:
    """The closed call: remembered, waited for, or asked for and waited for."""
    known = inside.remembered(key)
    if known is not None and known.is_closed:
        return known
    if known is None or known.status == "voided":
        await _void_others(inside, base, key)
        approval = _id(inside, key)
        requested = _request(inside, wish, key, approval, payload)
    else:
        approval, requested = known.subject, None
    live_forms[approval] = wish.edits.checked
    try:
        noted = WaitResumed(key) if requested is None else requested
        await inside.awaited(inside.note(noted, blobs if requested is not None else ()))
        with inside.at_rest():
            call = await inside.awaited(inside.closed(key))
    finally:
        live_forms.pop(approval, None)
    inside.keep(call)
    return call


def _id(inside: Inside, key: str) -> str:
    mine = inside.attempt.id
    parts = (mine.run, mine.step, mine.item, str(mine.attempt), key)
    return blake2b("\0".join(parts).encode(errors="replace"), digest_size=5).hexdigest()


def _request(
    inside: Inside, wish: Wish, key: str, approval: str, payload: Output | None
) -> ApprovalRequested:
    due = inside.link.now() + round(wish.timeout * _SECOND) if wish.timeout else 0
    return ApprovalRequested(
        approval,
        key,
        wish.question,
        wish.form,
        payload,
        wish.edits.schema,
        wish.edits.names,
        due,
        wish.on_timeout,
        wish.tool,
    )


async def _void_others(inside: Inside, base: str, key: str) -> None:
    """The same was asked about something else before: that question stands no more."""
    calls: Mapping[str, Call] = inside.attempt.calls or {}
    for other in tuple(calls.values()):
        if not other.key.startswith(f"{base}~") or other.key == key:
            continue
        if other.form == "approval" and not other.is_closed and other.status != "voided":
            note = "what it is about has changed since"
            event = ApprovalDecided(other.subject, "voided", other.key, note=note)
            await inside.awaited(inside.note(event))


def _outcome(inside: Inside, wish: Wish, call: Call) -> Any:
    match call.status:
        case "rejected":
            raise ApprovalRejected(wish.question, call.note, call.by)
        case "expired":
            raise ApprovalExpired(wish.question)
        case "approved" if wish.form == "approve":
            return wish.payload
        case _:
            value = inside.values.load(call.result.digest) if call.result else wish.payload
            return wish.edits.checked(value)
