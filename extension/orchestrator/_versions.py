"""A step's past, in every run of a store: each attempt with its code, what it read and made."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from stepwell.orchestrator._events import (
    AttemptCompleted,
    AttemptFailed,
    AttemptInterrupted,
    AttemptsStarted,
    AttemptStarted,
    CheckpointShared,
    Event,
    Output,
    RunStarted,
    StepRenamed,
    StepsDefined,
)
from stepwell.orchestrator._fold import decode
from stepwell.orchestrator._history import runs
from stepwell.store import Row, Store

__all__ = ["Version", "versions"]

_KINDS = (
    "run_started",
    "steps_defined",
    "checkpoint_shared",
    "attempt_started",
    "attempts_started",
    "attempt_completed",
    "attempt_failed",
    "attempt_interrupted",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One attempt at a step, or at one item of it. Times are microseconds since 1970 UTC."""

    run: str
    attempt: int
    item: str = ""
    outcome: str = "running"
    """`done`, `failed`, `cancelled`, `interrupted`, `running`; `shared` from another run, or
    there and `given` another value."""
    at: int = 0
    """When it started."""
    seconds: float = 0.0
    code: str = ""
    """Digest of the code it ran."""
    source: str = ""
    """That code, as it was typed; empty where it is not known."""
    inputs: dict[str, str] = field(default_factory=dict[str, str])
    """Name → digest of what it read from other steps."""
    previews: dict[str, str] = field(default_factory=dict[str, str])
    """The same, readable, where the store knows more than the digest."""
    outputs: dict[str, Output] = field(default_factory=dict[str, Output])
    error: str = ""
    who: str = ""


def versions(store: Store, name: str, *, items: bool = False) -> list[Version]:
    """Every attempt at a step of this name in every run, in the order they began.

    Of a mapped step, one to each pass over its items; with `items`, those at each item, too.
    `AGENT/STEP` and `RUN/STEP` are a step of an agent, in all of its runs or in that one.
    """
    where, _, name = name.rpartition("/")
    meant = _runs_of(store, where) if where else None
    past = _Past(name, _former_names(store, name), items=items)
    for row in store.rows(kinds=_KINDS):
        if (items or not row.item) and (meant is None or row.run in meant):
            past.take(row)
    found = list(past.attempts.values())
    known = _previews(store, {digest for it in found for digest in it.inputs.values()})
    return [
        replace(
            version,
            source=version.source or past.sources.get(version.code, ""),
            previews={key: known[it] for key, it in version.inputs.items() if it in known},
        )
        for version in found
    ]


def _runs_of(store: Store, where: str) -> set[str]:
    known = runs(store)
    of_agent = {run for run, _, event in known if event.flow == where}
    return of_agent or {run for run, _, _ in known if run.startswith(where)}


def _previews(store: Store, digests: Iterable[str]) -> dict[str, str]:
    """What these values look like, as far as a step's record tells."""
    wanted = [digest.encode() for digest in digests if digest]
    found: dict[str, str] = {}
    for row in store.rows(kinds=["attempt_completed", "checkpoint_shared"]) if wanted else ():
        if any(digest in row.body for digest in wanted):
            event = decode(row)
            if isinstance(event, AttemptCompleted | CheckpointShared):
                found.update({it.digest: it.preview for it in event.outputs.values()})
    return found


class _Past:
    """Collects what concerns one step, whatever its name was before."""

    def __init__(self, name: str, former: dict[str, set[str]], *, items: bool) -> None:
        self._name = name
        self._former = former
        self._has_items = items
        self._users: dict[str, str] = {}
        self.attempts: dict[tuple[str, int, str], Version] = {}
        self.sources: dict[str, str] = {}

    def take(self, row: Row) -> None:
        """One record, of any step."""
        names = self._former.get(row.run, {self._name})
        if row.step and row.step not in names:
            return
        match event := decode(row):
            case RunStarted(user=user):
                self._users[row.run] = user
            case StepsDefined(steps=steps):
                self.sources |= {it.digest: it.source for it in steps if it.name in names}
            case AttemptsStarted(starts=starts):
                for it in starts:
                    if it.step in names and (self._has_items or not it.item):
                        self._attempt(row.run, it.item, it.attempt, it.at, it.event)
            case _:
                self._attempt(row.run, row.item, row.attempt, row.at, event)

    def _attempt(self, run: str, item: str, attempt: int, at: int, event: Event) -> None:
        # The attempt of a shared result is one of the other run's.
        is_shared = isinstance(event, CheckpointShared)
        key = (run, 0 if is_shared else attempt, item)
        known = self.attempts.get(key)
        if known is None:
            who = self._users.get(run, "")
            known = Version(run=run, attempt=attempt, item=item, at=at, who=who)
        self.attempts[key] = _after(known, event)


def _former_names(store: Store, name: str) -> dict[str, set[str]]:
    """By run, the names under which the step is to be found there."""
    found: dict[str, set[str]] = {}
    for row in reversed(store.rows(kinds=["step_renamed"])):
        event = decode(row)
        names = found.setdefault(row.run, {name})
        if isinstance(event, StepRenamed) and event.to in names:
            names.add(row.step)
    return found


def _after(version: Version, event: Event) -> Version:
    match event:
        case CheckpointShared():
            return replace(
                version,
                outcome="given" if event.given else "shared",
                code=event.code,
                inputs=event.inputs,
                outputs=event.outputs,
                seconds=event.seconds,
            )
        case AttemptStarted():
            return replace(version, code=event.code, inputs=event.inputs)
        case AttemptCompleted():
            return replace(version, outcome="done", outputs=event.outputs, seconds=event.seconds)
        case AttemptFailed():
            error = f"{event.error.type}: {event.error.message}"
            return replace(version, outcome="failed", error=error, seconds=event.seconds)
        case AttemptInterrupted():
            is_cancelled = event.reason == "cancelled"
            return replace(version, outcome="cancelled" if is_cancelled else "interrupted")
        case _:
            return version
