"""What the magics call: the session, in the words of the notebook. Answers can be displayed."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepwell.agents import MAX_DEPTH
from stepwell.defining import plain_code
from stepwell.errors import InvalidUsage, UnknownRun, UnknownStep
from stepwell.flow import Step
from stepwell.inside import Recorder, answer_from_text
from stepwell.magics import StepOptions
from stepwell.orchestrator import run_view, step_view
from stepwell.scripting import cell_step
from stepwell.session import _answering as answering
from stepwell.session import _reports as reports
from stepwell.session import _upkeep as upkeep
from stepwell.session._below import find_below, names_below
from stepwell.session._budgets import budget_report, lift_budget, set_budget
from stepwell.session._diffing import diff, history
from stepwell.session._exporting import default_file, export_to
from stepwell.session._forking import fork, understood
from stepwell.session._going_back import restore_step
from stepwell.session._items import item_rows
from stepwell.session._limiting import limits as limits_shown
from stepwell.session._planning import plan
from stepwell.session._recalling import rerun_below
from stepwell.session._recording import recording_view
from stepwell.session._restoring import resume
from stepwell.session._session import Session
from stepwell.session._settings import settings_of
from stepwell.widgets import View, below, card, items_table, run_table

__all__ = ["SessionNotebook"]


class SessionNotebook:
    """One notebook's steps. See `stepwell.magics.Notebook`."""

    def __init__(self, session: Session, shell: Any) -> None:
        self.session = session
        self._shell = shell
        session.acts["fork"] = self._fork

    # -- making steps -------------------------------------------------------------------

    def cell(self, options: StepOptions, source: str) -> None:
        """Register the cell as a step and, unless deferred, have it run."""
        code = plain_code(source, self._shell.transform_cell)
        step = cell_step(options, source, code, cell=self.session.frontend.cell_id())
        self.submit(step)

    def agent(self, signature: str, max_depth: int = 0) -> None:
        """Declare an agent, under its name in the notebook."""
        self.session.define_agent(signature, max_depth=max_depth or MAX_DEPTH)

    def submit(self, step: Step) -> None:
        """Register the step, have it run unless it is deferred, and show its card here."""
        session = self.session
        if moved := session.moved_from():
            print(moved, file=sys.stderr)
        where = session.frontend.where()
        if step.flow:
            # A step of an agent is only written down; it runs when the agent is called.
            session.define_agent_step(step)
            session.board.open(session.agent_step_view(step), where)
            return
        session.define([step])
        session.expect_card(step.name, where)
        try:
            if step.name in session.state.undoing:
                session.ask([step.name], by="cell")
            elif not step.defer:
                force = [step.name] if step.always else []
                session.ask([step.name], by="cell", force=force)
        finally:
            session.open_card(step.name, where)

    def setup(self, source: str) -> None:
        """Remember a cell that is to run wherever the flow is rebuilt."""
        self.session.remember_setup(source)

    # -- running -------------------------------------------------------------------------

    def run(
        self, names: Sequence[str], *, fresh: bool = False, undo_on_failure: bool = False
    ) -> View:
        """Bring these steps, or all, up to date; `fresh` begins a new run."""
        session = self.session
        if (
            names
            and names[0] not in session.state.flow
            and session.agents.find(session.state, names[0])
        ):
            return self._run_agent(names[0], names[1:], fresh=fresh)
        session.check_names(names)
        if fresh:
            session.begin_fresh()
        flow = session.state.flow
        wanted = list(names) or [name for name in session.names() if not flow[name].undo_of]
        if not wanted:
            raise InvalidUsage("there is nothing to run: no cell has been made a step yet")
        always = [name for name in wanted if session.state.flow[name].always]
        if undo_on_failure:
            session.undo(on_failure=True)
        session.ask(wanted, by="run", force=always)
        return self.status()

    def _run_agent(self, name: str, settings: Sequence[str], *, fresh: bool) -> View:
        session = self.session
        arguments = settings_of(settings, session.namespace)
        run = session.start_agent(session.agents.known[name], (), arguments, fresh=fresh)
        return self.show(run)

    def resume(self, run: str = "") -> View:
        """Bring everything back from the store and go on with what is pending."""
        notes = resume(self.session, self._shell, run)
        return reports.status(self.session, notes=notes)

    def wait(self, names: Sequence[str], *, timeout: float | None = None) -> None:
        """Wait for these steps, or for everything that was asked for."""
        self.session.wait(names, timeout=timeout)

    def rerun(
        self, names: Sequence[str], *, downstream: bool = False, failed: bool = False
    ) -> View:
        """Run these steps although nothing has changed, and perhaps all that reads from them.

        With `failed` only what of them has failed.
        """
        if not names:
            raise InvalidUsage("name the step to run again: %stepwell rerun STEP")
        session = self.session
        flow = session.state.flow
        readers = flow.descendants([name for name in names if name in flow]) if downstream else ()
        if failed:
            tried = session.rerun_failed(names, readers)
            intact = ", ".join(name for name in names if name not in tried)
            notes = [f"nothing of {intact} has failed"] if intact else []
            return reports.status(session, notes=notes)
        own = [name for name in names if name in session.state.flow]
        for name in names:
            if name not in own:
                rerun_below(session, name)
        if own:
            session.rerun([*own, *readers])
        return self.status()

    def pause(self) -> View:
        """Start nothing more until the run is resumed."""
        self.session.pause()
        return self.status()

    def stop(self) -> View:
        """Finish what runs, and stop there."""
        self.session.stop()
        return self.status()

    def limit(
        self, name: str = "", *, concurrent: int = 0, rate: int = 0, per: float = 0.0
    ) -> View:
        """Set a limit, or show those that are set."""
        if name:
            self.session.limit(name, concurrent=concurrent, rate=rate, per=per)
        return limits_shown(self.session)

    def cancel(self, names: Sequence[str], *, undo: bool = False) -> View:
        """Stop these steps, or the whole run; `undo`: and undo what they have done."""
        self.session.cancel(names)
        if undo:
            self.session.undo(names)
        return self.status()

    def forget(self, name: str) -> View:
        """Take a step out of the flow."""
        self.session.forget(name)
        return self.status()

    def budget(self, limits: Mapping[str, float | None], *, off: bool = False) -> View:
        """Set limits of what the run may consume, or lift them all; what is used of them."""
        if off:
            lift_budget(self.session.engine)
        if limits:
            set_budget(self.session.engine, limits)
        return budget_report(self.session.engine)

    def record(self, path: str = "", *, stop: bool = False) -> View:
        """Record the calls of steps in a file from now on, or no more."""
        # What was recorded so far is in its file before that is read again.
        self.session.use_cassette(None)
        if stop or not path:
            return recording_view(None)
        file = Path(path).expanduser().absolute()
        self.session.use_cassette(Recorder(file))
        return recording_view(file)

    # -- looking -------------------------------------------------------------------------

    def status(self) -> View:
        """The current run."""
        return reports.status(self.session)

    def view(self) -> View:
        """The current run, to look at and to steer."""
        return reports.status(self.session)

    def plan(self, names: Sequence[str] = (), *, is_json: bool = False) -> View:
        """What running would do."""
        self.session.check_names(names)
        return plan(self.session, names, is_json=is_json)

    def runs(self) -> View:
        """Every run in the store."""
        return reports.all_runs(self.session)

    def show(self, name: str) -> View:
        """A step's card, or a run's table."""
        if name in self.session.state.flow:
            shown = View(card(reports.view_with_reasons(self.session, name), now=reports.now()))
            rows = item_rows(self.session.state.step(name))
            return below(shown, items_table(rows)) if rows else shown
        meant = find_below(self.session.engine, name)
        if meant is not None and meant.step:
            state = self.session.load_run(meant.run)
            return View(card(step_view(state, meant.step), now=reports.now()))
        try:
            run = meant.run if meant is not None else self.session.engine.resolve(name)
        except UnknownRun as error:
            raise UnknownStep(name, f" Nor is there a run of that name.{error.near}") from error
        if run == self.session.engine.run:
            return self.status()
        state = self.session.load_run(run)
        return run_table(
            run_view(
                state, store=str(self.session.engine.store.path), find=self.session.engine.find
            ),
            now=reports.now(),
        )

    def history(self, name: str) -> View:
        """Every version and attempt of a step."""
        return history(self.session, name)

    def diff(self, first: str, second: str = "") -> View:
        """What differs between two runs."""
        return diff(self.session, first, second)

    def fork(self, run: str, *, start: str = "", given: Sequence[str] = ()) -> View:
        """Go on from a run in a run of its own, with something changed."""
        notes = fork(
            self.session, run, start=start, given=understood(given, self.session.namespace)
        )
        return reports.status(self.session, notes=notes)

    def _fork(self, step: str) -> str:
        return " · ".join(fork(self.session, self.session.engine.run, start=step))

    def restore(self, step: str, run: str = "", *, into: str = "") -> View:
        """The namespace as it stood after a step."""
        return restore_step(self.session, step, run, into=into)

    def export(self, path: str = "") -> View:
        """The steps as a plain Python script on the same store."""
        engine = self.session.engine
        file = Path(path).expanduser() if path else default_file(engine.place)
        return export_to(file, engine.state, engine.store, engine.values, engine.place.notebook)

    # -- people --------------------------------------------------------------------------

    def inbox(self) -> View:
        """Everything that waits for a person."""
        return answering.inbox(self.session)

    def approve(
        self, which: str = "", *, note: str = "", given: Sequence[str] = (), always: bool = False
    ) -> View:
        """Say yes to a question."""
        return answering.approve(self.session, which, note=note, given=given, always=always)

    def reject(self, which: str, *, reason: str = "", always: bool = False) -> View:
        """Say no to a question."""
        return answering.reject(self.session, which, reason=reason, always=always)

    def respond(self, text: str) -> View:
        """Answer a question."""
        return answering.respond(self.session, text)

    def send(self, run: str, topic: str, text: str = "") -> None:
        """Send a message to a run."""
        payload = answer_from_text(text, "") if text else None
        self.session.send(run, topic, payload)

    def sql(self, query: str) -> Any:
        """Ask the store."""
        if not query.strip():
            raise InvalidUsage(
                "give it a query: %stepwell sql select step, status from steps. "
                "Views: runs, steps, attempts, calls, costs, approvals, values"
            )
        return self.session.engine.store.sql(query)

    def store(self, path: str = "") -> View:
        """About the store; with a path, go on with that one."""
        if path:
            self.session.use_store(Path(path).expanduser())
        return upkeep.report(self.session.engine)

    def vacuum(self) -> View:
        """Write the store anew, in as little space as it takes."""
        return upkeep.vacuum(self.session.engine)

    def prune(self, *, runs: int | None = None, seconds: float | None = None) -> View:
        """Drop old runs."""
        return upkeep.prune(self.session.engine, runs_kept=runs, seconds=seconds)

    def snapshot(self, path: str) -> View:
        """Copy the store."""
        return upkeep.snapshot(self.session.engine, path)

    def check(self) -> View:
        """Verify the store."""
        return upkeep.check(self.session.engine)

    # -- names for completion --------------------------------------------------------------

    def step_names(self) -> Sequence[str]:
        """For Tab."""
        return self.session.names()

    def agent_step_names(self) -> Sequence[str]:
        """For Tab."""
        return list(names_below(self.session.engine)) if self.session.is_open else []

    def run_ids(self) -> Sequence[str]:
        """For Tab."""
        return reports.run_ids(self.session) if self.session.is_open else []

    def output_names(self) -> Sequence[str]:
        """For Tab."""
        if not self.session.is_open:
            return []
        return [name for step in self.session.state.flow for name in step.writes]
