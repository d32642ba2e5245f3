"""A run whose steps wait for people, messages and times, with crashes wherever one likes.

Like `simulation`, which see: events are applied at once, written in batches, and a crash
loses what is not on the disk. A step's body is a list of waits; its result is what they
came to.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulation import digest, make_step

from stepwell.flow import Step
from stepwell.orchestrator import (
    ApprovalDecided,
    ApprovalRequested,
    AttemptCompleted,
    AttemptStarted,
    Call,
    Deliver,
    EndWait,
    Event,
    Expire,
    FollowUp,
    MessageAwaited,
    MessageReceived,
    MessageSent,
    Output,
    Reuse,
    RunSettled,
    RunStarted,
    Settle,
    StartAttempt,
    State,
    StepReused,
    StepsDefined,
    TimerSet,
    Void,
    WaitResumed,
    apply,
    closing,
    decide,
    interrupted,
    recover,
    request,
)

Entry = tuple[str, str, int, int, Event]
KINDS = ("ask", "brief", "sleep", "receive")


@dataclass
class Waiting:
    """The disk, and one process at a time that is made anew from it."""

    choose: random.Random
    bodies: Mapping[str, Sequence[str]]
    disk: list[Entry] = field(default_factory=list[Entry])
    batch: list[Entry] = field(default_factory=list[Entry])
    clock: int = 0
    sent: int = 0
    state: State = field(default_factory=lambda: State("r"))

    def boot(self) -> None:
        """A new process, which asks for all that is pending."""
        self.batch = []
        self.state = State("r")
        for step, item, attempt, at, event in self.disk:
            self.state = apply(self.state, event, step=step, item=item, attempt=attempt, at=at)
        for step, item, attempt, event in interrupted(self.state):
            self.record(event, step, item, attempt)
        recover(self.state)
        if self.state.started is None:
            self.record(RunStarted())
        steps: list[Step] = [make_step(name, []) for name in self.bodies]
        self.record(StepsDefined(tuple(steps)))
        wish = request(self.state, list(self.bodies), dict.fromkeys(self.bodies, "e"), by="cell")
        self.record(wish)
        self.advance()

    def record(self, event: Event, step: str = "", item: str = "", attempt: int = 0) -> None:
        """Apply it, and put it on the batch."""
        self.clock += 1
        self.state = apply(self.state, event, step=step, item=item, attempt=attempt, at=self.clock)
        self.batch.append((step, item, attempt, self.clock, event))

    def advance(self) -> None:
        """Decide, and let every body run to its next wait, until nothing happens."""
        commands = decide(self.state, slots=2, now=self.clock)
        while commands or self.run_bodies():
            for command in commands:
                match command:
                    case StartAttempt():
                        started = AttemptStarted("k", command.code, command.inputs, "e")
                        self.record(started, command.step, "", command.attempt)
                    case EndWait() | Expire() | FollowUp() | Void() | Deliver():
                        event, step, item, attempt = closing(self.state, command)
                        self.record(event, step, item, attempt)
                    case Reuse():
                        self.record(StepReused(), command.step)
                    case Settle():
                        self.record(RunSettled(command.status))
                    case _:
                        raise AssertionError(command)
            commands = decide(self.state, slots=2, now=self.clock)

    def run_bodies(self) -> bool:
        """Let every attempt go on; whether anything has come of it."""
        before = len(self.batch)
        for name in list(self.state.running):
            self.run_body(name)
        return len(self.batch) > before

    def run_body(self, name: str) -> None:
        """As far as it gets: remembered calls are answered, the next one is waited for."""
        unit = self.state.steps[name]
        assert unit.running is not None
        attempt, found = unit.running.attempt, list[str]()
        for number, kind in enumerate(self.bodies[name]):
            key = f"{kind} {number}"
            call = (unit.calls or {}).get(key)
            if call is None:
                self.record(self.opening(name, kind, key), name, "", attempt)
                return
            if not call.is_closed:
                if key not in (unit.awaited or {}):
                    self.record(WaitResumed(key), name, "", attempt)
                return
            found.append(said(call))
        made = Output(digest(name, *found))
        self.record(AttemptCompleted({name: made}), name, "", attempt)

    def opening(self, step: str, kind: str, key: str) -> Event:
        """What opens the call."""
        match kind:
            case "sleep":
                return TimerSet(key, self.clock + 30)
            case "receive":
                return MessageAwaited(key, "news", self.clock + 200)
            case _:
                due = self.clock + 20 if kind == "brief" else 0
                return ApprovalRequested(f"{step} {key}", key, "?", due=due, on_timeout="approve")

    def move(self) -> None:
        """One thing happens, whatever it is."""
        choices = ["commit", "time", "send"] + ["person"] * bool(self.state.pending)
        match self.choose.choice(choices):
            case "commit":
                self.disk += self.batch
                self.batch = []
            case "time":
                self.clock = max(self.clock, self.state.timers.next_due or self.clock + 1)
            case "send":
                self.sent += 1
                self.record(MessageSent(f"m{self.sent}", "news", Output(f"m{self.sent}")))
            case _:
                name = self.choose.choice(list(self.state.pending))
                asked = self.state.approvals[name]
                value = Output(f"answer {self.clock}")
                decided = ApprovalDecided(name, "answered", asked.request.call, value, by="ana")
                self.record(decided, asked.step, "", asked.attempt)
        self.advance()

    def crash(self, *, batch_arrived: bool) -> None:
        """The process is gone; what it had sent to the disk may have arrived."""
        if batch_arrived:
            self.disk += self.batch
        self.boot()

    def decisions(self) -> Counter[str]:
        """How often each question was decided, on the disk."""
        return Counter(e.approval for *_, e in self.disk if isinstance(e, ApprovalDecided))

    def received(self) -> list[str]:
        """The messages in the order in which they were received, on the disk."""
        return [e.message for *_, e in self.disk if isinstance(e, MessageReceived)]


def said(call: Call) -> str:
    """What a closed call came to."""
    return call.result.digest if call.result is not None else str(call.is_expired)
