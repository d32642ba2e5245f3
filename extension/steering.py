"""What can be done about a run, in plain Python: whatever `%stepwell` does, a method does too.

Where a verb shows something, its method gives the data, or an object that shows it.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.errors import UnknownStep, near_misses

if TYPE_CHECKING:
    from stepwell.orchestrator import Difference, StepView, Version
    from stepwell.session import Question, Session, SessionNotebook, StepNamespace
    from stepwell.store import Flaw
    from stepwell.widgets import PlanRow, View

__all__ = ["Steering"]


class Steering:
    """A run that is advanced in this process, and its store. Runs are named as in `%stepwell`:
    by an id, the beginning of one, `current` or `previous`.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session

    @property
    def _verbs(self) -> "SessionNotebook":
        from stepwell.session import SessionNotebook

        return SessionNotebook(self._session, None)

    # -- running ------------------------------------------------------------------------

    def run(self, *names: str, fresh: bool = False, undo_on_failure: bool = False) -> None:
        """Bring these steps, or all, up to date in the background; `fresh` begins a new run.

        With `undo_on_failure`, what was done is undone if the run fails. Raises `UnknownStep`.
        """
        self._verbs.run(names, fresh=fresh, undo_on_failure=undo_on_failure)

    def resume(self, run: str = "") -> list[str]:
        """Bring a run back, or the latest, and go on with it; also one that is paused.

        What could not be brought back, a line for each. Raises `UnknownRun`.
        """
        from stepwell.session import resume

        return resume(self._session, None, run)

    def wait(self, *names: str, timeout: float | None = None) -> None:
        """Wait for these steps, or for every step that was asked for.

        Raises `StepFailed`, `StepCancelled`, `NeedsPerson`, `WaitTimedOut`.
        """
        self._session.wait(names, timeout=timeout)

    def rerun(self, *names: str, downstream: bool = False, failed: bool = False) -> None:
        """Run these steps again although nothing has changed; `downstream`: and their readers.

        With `failed` only what of them has failed: of a mapped step, those items.
        """
        self._verbs.rerun(names, downstream=downstream, failed=failed)

    def pause(self) -> None:
        """Finish what runs and start nothing more, until `resume`; over restarts, too."""
        self._session.pause()

    def stop(self) -> None:
        """Finish what runs; what was to come is cancelled."""
        self._session.stop()

    def cancel(self, *names: str, undo: bool = False) -> None:
        """Stop these steps, or the whole run; `undo`: and undo what they have done."""
        self._verbs.cancel(names, undo=undo)

    def forget(self, name: str) -> None:
        """Take a step out of the flow; what it stored stays in the store."""
        self._session.forget(name)

    def fork(
        self, run: str = "current", *, start: str = "", given: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Go on from a run in a run of its own, with something changed. See `stepwell.fork`.

        What people should know, a line for each.
        """
        from stepwell.session import fork

        return fork(self._session, run, start=start, given=given)

    def limit(self, name: str, *, concurrent: int = 0, rate: int = 0, per: float = 60.0) -> None:
        """Let only so many steps and calls of that limit run at once, or begin in `per` seconds.

        Without numbers any number.
        """
        self._session.limit(name, concurrent=concurrent, rate=rate, per=per if rate else 0.0)

    def limits(self) -> dict[str, Any]:
        """The limits that are set, by name."""
        return dict(self._session.limits())

    def budget(self, *, off: bool = False, **limits: float | None) -> None:
        """Limit what the run may consume: `cost`, `calls`, `tokens`, `depth`, `seconds`.

        Checked before each call; a limit that is reached parks the run and asks a person. None
        lifts a limit, `off` all; those not named stay as they are. Raises `InvalidUsage`.
        """
        self._verbs.budget(limits, off=off)

    def record(self, path: str | PathLike[str] = "", *, stop: bool = False) -> None:
        """Record durable calls in this file from now on, or no more."""
        self._verbs.record(str(path), stop=stop)

    # -- people -------------------------------------------------------------------------

    def inbox(self) -> "list[Question]":
        """Everything that waits for a person, in all runs of the store, the oldest first."""
        return self._session.inbox()

    def decide(
        self,
        which: str = "",
        decision: str = "approve",
        value: Any = ...,
        reason: str = "",
        *,
        by: str = "",
        always: bool = False,
    ) -> None:
        """Decide a question. See `stepwell.decide`."""
        given = {} if value is ... else {"value": value}
        self._session.decide(which, decision, reason=reason, by=by, always=always, **given)

    def send(self, topic: str, payload: Any = None, *, run: str = "") -> None:
        """Send a message to this run, or another of its store. Raises `UnknownRun`."""
        self._session.send(run, topic, payload)

    # -- looking ------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The run's id."""
        return str(self._session.engine.run)

    @property
    def status(self) -> str:
        """`running`, `completed`, `failed`, `cancelled`, `idle`, or `needs a person`."""
        from stepwell.orchestrator import status_of

        engine = self._session.engine
        return engine.orchestrator.look(lambda: status_of(engine.state, engine.find))

    def steps(self) -> "dict[str, StepView]":
        """Each step as it stands, by name."""
        return {name: self._session.view(name) for name in self._session.names()}

    def show(self, name: str) -> "StepView":
        """One step as it stands. Raises `UnknownStep`."""
        names = self._session.names()
        if name not in names:
            raise UnknownStep(name, near_misses(name, names))
        return self._session.view(name)

    def view(self) -> "View":
        """The run to look at: in a notebook it is shown as a table, and printed as text."""
        return self._verbs.status()

    def plan(self, *names: str) -> "list[PlanRow]":
        """What running these steps, or all, would do, and why. Nothing is started."""
        from stepwell.session import rows_of_plan

        self._session.check_names(names)
        return rows_of_plan(self._session, names)

    def runs(self) -> list[str]:
        """Ids of the store's runs, oldest first."""
        from stepwell.orchestrator import runs

        return [run for run, _, _ in runs(self._session.engine.store)]

    def history(self, step: str) -> "Sequence[Version]":
        """Every attempt at a step in every run: code, what it read and made, when, for whom."""
        from stepwell.orchestrator import versions

        return versions(self._session.engine.store, step)

    def diff(self, first: str, second: str = "current") -> "tuple[Difference, ...]":
        """What differs between two runs, step by step. Raises `UnknownRun`."""
        from stepwell.orchestrator import compare

        engine = self._session.engine
        one, two = (self._session.load_run(engine.resolve(run)) for run in (first, second))
        return compare(one, two)

    def restore(self, step: str, run: str = "current") -> "StepNamespace":
        """The names as they stood after a step's result was stored, as an object's attributes.

        Raises `UnknownRun`, `UnknownStep`, and `InvalidUsage` for a step without a result.
        """
        from stepwell.session import namespace_after

        return namespace_after(self._session, step, run)

    # -- the store ----------------------------------------------------------------------

    @property
    def store(self) -> Path | None:
        """Its file; None for one in memory."""
        return self._session.engine.store.path

    def sql(self, query: str) -> Any:
        """Ask the store's views. The answer is a DuckDB relation."""
        return self._verbs.sql(query)

    def export(self, path: str | PathLike[str] = "") -> None:
        """Write the steps as a plain Python script on the same store."""
        self._verbs.export(str(path))

    def vacuum(self) -> None:
        """Write the store anew, without what nobody needs."""
        self._verbs.vacuum()

    def prune(self, *, runs: int | None = None, seconds: float | None = None) -> None:
        """Drop all runs but the latest so many, or those untouched for so many seconds."""
        self._verbs.prune(runs=runs, seconds=seconds)

    def snapshot(self, path: str | PathLike[str]) -> None:
        """Copy the store to this path, also while steps run."""
        self._verbs.snapshot(str(path))

    def check(self) -> "list[Flaw]":
        """What is not as it was written: nothing, as it should be."""
        from stepwell.session import flaws

        return list(flaws(self._session.engine.store))
