"""What a step's code can say and ask while it runs.

Knows the attempt that is running here, how its words reach the orchestrator, and how its
values are written down. Does not know how code is executed (a worker does that, and enters
an `Inside` for each attempt), what the run does next, or who is watching.
"""

from stepwell.inside._about import Current, current
from stepwell.inside._alive import heartbeat, progress
from stepwell.inside._approvals import ABSENT, Wish, approve, ask, ask_for
from stepwell.inside._cassette import Cassette, Player, Recorder
from stepwell.inside._current import (
    Inside,
    Tape,
    Values,
    given_up,
    here,
    inside,
    is_on_loop,
)
from stepwell.inside._durable import call, durable
from stepwell.inside._edits import Edits
from stepwell.inside._failures import failure_of
from stepwell.inside._forms import Form, answer_from_text, check_json, live_forms
from stepwell.inside._messages import receive, send_from
from stepwell.inside._pulse import Pulse
from stepwell.inside._spans import Span
from stepwell.inside._stream import Stream
from stepwell.inside._time import sleep
from stepwell.inside._transaction import Transaction
from stepwell.inside._usage import cost, usage

__all__ = [
    "ABSENT",
    "Cassette",
    "Current",
    "Edits",
    "Form",
    "Inside",
    "Player",
    "Pulse",
    "Recorder",
    "Span",
    "Stream",
    "Tape",
    "Transaction",
    "Values",
    "Wish",
    "answer_from_text",
    "approve",
    "ask",
    "ask_for",
    "call",
    "check_json",
    "cost",
    "current",
    "durable",
    "failure_of",
    "given_up",
    "heartbeat",
    "here",
    "inside",
    "is_on_loop",
    "live_forms",
    "progress",
    "receive",
    "send_from",
    "sleep",
    "usage",
]
