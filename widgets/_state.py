"""The states people are shown, each with a word, a sign and a tint."""

from dataclasses import dataclass

from stepwell.orchestrator import Phase, StepView
from stepwell.widgets._html import Markup, element, text

__all__ = [
    "CANCELLED",
    "DONE",
    "FAILED",
    "NEEDED",
    "NOT_RUN",
    "RESTORED",
    "RUNNING",
    "STALE",
    "TO_RUN",
    "WAITING",
    "Look",
    "chip",
    "look",
    "look_of",
]


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown. The word alone says it; the sign and the tint only help."""

    word: str
    sign: str
    rgb: str

    @property
    def solid(self) -> str:
        """The state's colour for a word in bold."""
        return f"rgb({self.rgb})"

    def tint(self, opacity: float) -> str:
        """The state's colour over whatever is behind it."""
        return f"rgba({self.rgb},{opacity:g})"


# Mid tones: on white and on black alike they stand out by at least 3 to 1.
NOT_RUN = Look("not run", "○", "128,128,128")
WAITING = Look("waiting", "◔", "128,128,128")
RUNNING = Look("running", "●", "33,125,225")
DONE = Look("done", "✓", "40,150,75")
RESTORED = Look("restored", "↺", "0,150,150")
STALE = Look("stale", "≠", "200,120,0")
FAILED = Look("failed", "✗", "220,60,60")
CANCELLED = Look("cancelled", "⊘", "150,100,190")

UNDONE = Look("undone", "↶", "150,100,190")
SKIPPED = Look("skipped", "⤼", "128,128,128")

TO_RUN = Look("will run", "▸", "33,125,225")
NEEDED = Look("needs a person", "!", "200,120,0")

_LOOKS = {
    Phase.DEFERRED: NOT_RUN,
    Phase.WAITING: WAITING,
    Phase.RUNNING: RUNNING,
    Phase.COMPLETED: DONE,
    Phase.FAILED: FAILED,
    Phase.CANCELLED: CANCELLED,
    Phase.SKIPPED: SKIPPED,
    Phase.UNDONE: UNDONE,
}


def look(view: StepView) -> Look:
    """The state a step is shown in."""
    if view.approval is not None and view.approval.status == "pending":
        return NEEDED
    if view.phase in (Phase.COMPLETED, Phase.DEFERRED) and view.stale:
        return STALE
    if view.phase is Phase.COMPLETED and view.restored:
        return RESTORED
    return _LOOKS[view.phase]


_WORDS = {
    "running": RUNNING,
    "completed": DONE,
    "done": DONE,
    "restored": RESTORED,
    "reused": RESTORED,
    "failed": FAILED,
    "cancelled": CANCELLED,
    "interrupted": STALE,
    "waiting": WAITING,
    "needs a person": NEEDED,
    "undone": UNDONE,
}


def look_of(word: str) -> Look:
    """The state that a word of the run's or an attempt's stands for."""
    return _WORDS.get(word, NOT_RUN)


def chip(state: Look, word: str = "") -> Markup:
    """The state as a small label."""
    style = (
        f"background-color:{state.tint(0.2)};border-radius:4px;padding:1px 7px;"
        "font-weight:600;white-space:nowrap"
    )
    return element("span", f"{state.sign} ", text(word or state.word, 40), style=style)
