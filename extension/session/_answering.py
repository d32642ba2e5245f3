"""What people type about questions: understood, decided, and told as something to look at."""

from collections.abc import Sequence

from stepwell.errors import InvalidUsage
from stepwell.inside import answer_from_text
from stepwell.orchestrator import ApprovalDecided, ApprovalRequested
from stepwell.session._desk import ABSENT, Desk, Question
from stepwell.session._forking import understood
from stepwell.session._session import Session
from stepwell.widgets import InboxRow, View, inbox_table

__all__ = ["approve", "inbox", "inbox_of", "reject", "respond"]

WAY_OUT = "%stepwell {verb} {id}"


def inbox(session: Session, *, note: str = "") -> View:
    """Everything that waits for a person, in all runs of the store."""
    engine = session.engine
    return inbox_of(engine.desk, engine.run, note=note)


def inbox_of(desk: Desk, current: str = "", *, note: str = "", way_out: str = WAY_OUT) -> View:
    """Everything on a desk. `way_out` is what to type, with `{verb}` and `{id}` in it."""
    rows = [_row(question, current, way_out) for question in desk.inbox()]
    return inbox_table(rows, now=desk.now(), note=note)


def _row(question: Question, current: str, typed: str) -> InboxRow:
    approval, asked = question.approval, question.asked
    return InboxRow(
        id=question.id,
        step=approval.place,
        question=asked.question,
        about=asked.payload.preview if asked.payload is not None else "",
        asked=approval.at,
        due=asked.due,
        on_timeout=asked.on_timeout,
        run="" if question.run == current else question.run,
        notebook=question.notebook if question.run != current else "",
        way_out=_way_out(asked, typed),
    )


def _way_out(asked: ApprovalRequested, typed: str) -> str:
    if asked.form == "in_doubt":
        again = typed.format(verb="approve", id=asked.approval)
        happened = typed.format(verb="respond", id=asked.approval)
        failed = typed.format(verb="reject", id=asked.approval)
        result = " RESULT" if asked.edit else ""
        return f"it happened: {happened}{result} · run it again: {again} · it failed: {failed}"
    is_question = asked.form == "ask"
    said = typed.format(verb="respond" if is_question else "approve", id=asked.approval)
    edit = f" [--set {asked.edit[0]}=…]" if asked.edit else ""
    return f"{said} ANSWER" if is_question else said + edit


def approve(
    session: Session, which: str, *, note: str = "", given: Sequence[str] = (), always: bool = False
) -> View:
    """Say yes, perhaps with changes. Raises as `Desk.decide`."""
    value: object = ABSENT
    if given:
        question = session.desk.find(which, run=session.engine.run)
        values = understood(given, session.namespace)
        value = values.get("payload") if question.asked.edit == ("payload",) else values
        which = question.id
    made = session.decide(which, "approve", value, note, channel="magic", always=always)
    return _told(session, made)


def reject(session: Session, which: str, *, reason: str = "", always: bool = False) -> View:
    """Say no. Raises as `Desk.decide`."""
    made = session.decide(which, "reject", ABSENT, reason, channel="magic", always=always)
    return _told(session, made)


def respond(session: Session, text: str) -> View:
    """Answer; the text may begin with whom. Raises as `Desk.decide`."""
    question, answer = _addressed(session, text)
    if not answer and not _says_enough(question):
        raise InvalidUsage(f"there is no answer: %stepwell respond {question.id} ANSWER")
    value = answer_from_text(answer, question.asked.schema) if answer else ABSENT
    return _told(session, session.decide(question.id, "answer", value, channel="magic"))


def _says_enough(question: Question) -> bool:
    """Whether somebody who answers with nothing has said it: what happened gave no result."""
    return question.asked.form == "in_doubt" and not question.asked.edit


def _addressed(session: Session, text: str) -> tuple[Question, str]:
    """The question, and what is left of the text. Without a name it is for the only one open."""
    first, *rest = text.split(maxsplit=1)
    everything = session.inbox()
    names = {name for each in everything for name in each.names}
    if len(everything) == 1 and first not in names and not everything[0].id.startswith(first):
        return everything[0], text
    return session.desk.find(first, run=session.engine.run), "".join(rest)


def _told(session: Session, made: ApprovalDecided) -> View:
    return inbox(session, note=f"{made.approval}: {made.decision} by {made.by}")
