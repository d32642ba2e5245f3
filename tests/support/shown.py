"""Steps to look at, a clock that stands still, and a front end that only takes notes."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stepwell.orchestrator import ErrorInfo, Output, Phase, StepView
from stepwell.widgets import STEP_MIME, Bundle

SECOND = 1_000_000
NOON = 1_700_049_600 * SECOND
"""2023-11-15 12:00:00 UTC."""

TRACEBACK = """\
Traceback (most recent call last):
  File "<step draft>", line 4, in <module>
    report = await llm.write(topic, hits[0]["title"])
                                    ~~~~^^^
IndexError: list index out of range
"""
ERROR = ErrorInfo("IndexError", "list index out of range", TRACEBACK, 4)
OUTPUTS = {"queries": Output("d1", type="list", size=1234, preview="['a', 'b']")}


def a_step(name: str = "plan", phase: Phase = Phase.COMPLETED, **facts: Any) -> StepView:
    """A step `plan` that was done a minute before noon, unless `facts` say otherwise."""
    usual: dict[str, Any] = {
        "run": "run-7",
        "since": NOON - 60 * SECOND,
        "attempt": 1,
        "reads": (("topic", ""),),
        "writes": ("queries",),
        "source": "queries = plan(topic)",
    }
    return StepView(name=name, phase=phase, **{**usual, **facts})


def running(name: str = "plan", *, since: int = NOON, attempt: int = 1) -> StepView:
    """The step while it runs."""
    return a_step(name, Phase.RUNNING, since=since, attempt=attempt)


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: int = NOON

    def __call__(self) -> int:
        """Microseconds since 1970."""
        return self.now


@dataclass(frozen=True)
class Message:
    """One display that was sent."""

    kind: str
    bundle: Mapping[str, Any]
    display_id: str
    where: object
    thread: str

    @property
    def facts(self) -> dict[str, Any]:
        """What programs are told."""
        facts: dict[str, Any] = self.bundle[STEP_MIME]
        return facts


@dataclass
class Notebook:
    """A front end that keeps what it is sent; `wait` for it to have been sent enough."""

    messages: list[Message] = field(default_factory=list[Message])
    changed: threading.Condition = field(default_factory=threading.Condition)
    broken: str = ""
    """The step whose card it cannot show."""

    def show(self, bundle: Bundle, display_id: str, where: object) -> None:
        """Keep a new display."""
        self._keep("show", bundle, display_id, where)

    def update(self, bundle: Bundle, display_id: str, where: object) -> None:
        """Keep an update."""
        self._keep("update", bundle, display_id, where)

    def _keep(self, kind: str, bundle: Bundle, display_id: str, where: object) -> None:
        message = Message(kind, bundle, display_id, where, threading.current_thread().name)
        if self.broken and message.facts["step"] == self.broken:
            raise ConnectionError("the front end is gone")
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def wait(self, condition: Callable[[list[Message]], bool]) -> list[Message]:
        """The messages, as soon as they meet the condition."""
        with self.changed:
            met = self.changed.wait_for(lambda: condition(self.messages), timeout=60)
            assert met, self.messages
            return list(self.messages)
