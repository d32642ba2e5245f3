"""One notebook's session: what is typed becomes events, what happens becomes cards and names.

It joins the parts and knows all of them; there is one to a kernel (or script). It does not
know how a magic's line is written, how an event is stored, or how a card is drawn.
"""

from stepwell.session._answering import inbox_of
from stepwell.session._budgets import set_budget
from stepwell.session._counter import cancel, open_desk
from stepwell.session._desk import ABSENT, Desk, Question
from stepwell.session._engine import Engine, resolve_run
from stepwell.session._forking import fork, understood
from stepwell.session._going_back import StepNamespace, bring, namespace_after
from stepwell.session._looking import Look
from stepwell.session._notebook import SessionNotebook
from stepwell.session._planning import rows_of_plan
from stepwell.session._restoring import resume
from stepwell.session._session import Session
from stepwell.session._upkeep import flaws

__all__ = [
    "ABSENT",
    "Desk",
    "Engine",
    "Look",
    "Question",
    "Session",
    "SessionNotebook",
    "StepNamespace",
    "bring",
    "cancel",
    "flaws",
    "fork",
    "inbox_of",
    "namespace_after",
    "open_desk",
    "resolve_run",
    "resume",
    "rows_of_plan",
    "set_budget",
    "understood",
]
