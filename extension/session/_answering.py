"""What people type about questions: understood, decided, and told as something to look at."""

from collections.abc import Sequence

from stepwell.errors import InvalidUsage
from stepwell.inside import answer_from_text
from stepwell.orchestrator import ApprovalDecided, ApprovalRequested
from stepwell.session._desk import ABSENT, Question
from stepwell.session._forking import understood
from stepwell.session._session import Session
from stepwell.widgets import InboxRow, View, inbox_table

__all__ = ["approve", "inbox", "reject", "respond", "way_out"]


def inbox(session: Session, *, note: str = "") -> View:
    """Everything that waits for a person, in all runs of the store."""
    current = session.engine.run
    rows = [_row(question, current) for question in session.inbox()]
    return inbox_table(rows, now=session.engine.orchestrator.now(), note=note)


def _row(question: Question, current: str) -> InboxRow:
    approval, asked = question.approval, question.asked
    place = f"{approval.step}[{approval.item}]" if approval.item else approval.step
    return InboxRow(
        id=question.id,
        step=place,
        question=asked.question,
        about=asked.payload.preview if asked.payload is not None else "",
        asked=approval.at,
        due=asked.due,
        on_timeout=asked.on_timeout,
        run="" if question.run == current else question.run,
        notebook=question.notebook if question.run != current else "",
        way_out=way_out(asked),
    )


def way_out(asked: ApprovalRequested) -> str:
    """What to type to answer the question."""
    if asked.form == "in_doubt":
        which = asked.approval
        return (
            f"it happened: %stepwell respond {which} RESULT · run it again: %stepwell approve "
            f"{which} · it failed: %stepwell reject {which}"
        )
    if asked.form == "ask":
        return f"%stepwell respond {asked.approval} ANSWER"
    edit = f" [--set {asked.edit[0]}=…]" if asked.edit else ""
    return f"%stepwell approve {asked.approval}{edit}"


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
    if not answer:
        raise InvalidUsage(f"there is no answer: %stepwell respond {question.id} ANSWER")
    value = answer_from_text(answer, question.asked.schema)
    return _told(session, session.decide(question.id, "answer", value, channel="magic"))


def _addressed(session: Session, text: str) -> tuple[Question, str]:
    """The question, and what is left of the text. Without a name it is for the only one open."""
    first, *rest = text.split(maxsplit=1)
    everything = session.inbox()
    names = {name for each in everything for name in (each.id, each.approval.step)}
    if len(everything) == 1 and first not in names and not everything[0].id.startswith(first):
        return everything[0], text
    return session.desk.find(first, run=session.engine.run), "".join(rest)


def _told(session: Session, made: ApprovalDecided) -> View:
    return inbox(session, note=f"{made.approval}: {made.decision} by {made.by}")
