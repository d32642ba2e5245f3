"""What the magics need from outside: a notebook that does what was typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stepwell.flow import Policies

__all__ = ["Notebook", "StepOptions"]

NO_POLICIES = Policies()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """The `%%step` line of a cell, understood."""

    name: str
    inputs: tuple[str, ...] = ()
    """Names it reads besides those its code shows."""
    outputs: tuple[str, ...] | None = None
    """Names it writes; None: read them from the code. Empty: it writes nothing."""
    after: tuple[str, ...] = ()
    """Steps to wait for although nothing of theirs is read."""
    transient: tuple[str, ...] = ()
    """Outputs that are made again on resume instead of being stored."""
    defer: bool = False
    always: bool = False
    agent: str = ""
    """The agent it belongs to; empty for the notebook's own flow."""
    policies: Policies = NO_POLICIES
    """How it is to be run."""
    line: str = field(default="", compare=False)
    """The line itself."""


class Notebook(Protocol):
    """One notebook's steps, in the words of the magics.

    What a method returns, its magic returns, and IPython displays it. Errors meant for the
    person at the keyboard are `StepwellError`; they are shown as one message.
    """

    def cell(self, options: StepOptions, source: str) -> object | None:
        """`%%step`: register the cell and, unless deferred, have it run in the background."""
        ...

    def agent(self, signature: str, max_depth: int = 0) -> object | None:
        """`%agent`: declare it; 0 is the depth that agents have by themselves."""
        ...

    def setup(self, source: str) -> None:
        """`%%setup`: remember the source. IPython itself runs it as an ordinary cell."""
        ...

    def run(
        self, names: Sequence[str], *, fresh: bool = False, undo_on_failure: bool = False
    ) -> object:
        """Bring these steps up to date, or all; `fresh` begins a new run.

        An agent's name, with its parameters as NAME=VALUE after it, begins a run of that.
        """
        ...

    def resume(self, run: str = "") -> object:
        """Bring back a run, or the latest, and go on with what is pending."""
        ...

    def wait(self, names: Sequence[str], *, timeout: float | None = None) -> None:
        """Wait for these steps, or for everything asked for, at most `timeout` seconds."""
        ...

    def budget(self, limits: Mapping[str, float | None], *, off: bool = False) -> object:
        """Set limits of what the run may consume, or lift them; say what is used of them.

        `cost`, `calls`, `tokens`, `depth`, `seconds`.
        """
        ...

    def record(self, path: str = "", *, stop: bool = False) -> object:
        """Record the calls of steps in this file from now on, or stop recording."""
        ...

    def plan(self, names: Sequence[str] = (), *, is_json: bool = False) -> object:
        """What running would do, and why; `is_json` for programs."""
        ...

    def status(self) -> object:
        """The current run."""
        ...

    def view(self) -> object:
        """The current run, to look at and to steer."""
        ...

    def runs(self) -> object:
        """Every run in the store."""
        ...

    def show(self, name: str) -> object:
        """A step or a run, by its name."""
        ...

    def history(self, name: str) -> object:
        """Every version and attempt of a step."""
        ...

    def rerun(
        self, names: Sequence[str], *, downstream: bool = False, failed: bool = False
    ) -> object:
        """Run these steps although nothing has changed; `downstream`: and all that reads them.

        `failed`: only what of them has failed.
        """
        ...

    def diff(self, first: str, second: str = "") -> object:
        """What differs between two runs, or between one and the current one."""
        ...

    def fork(self, run: str, *, start: str = "", given: Sequence[str] = ()) -> object:
        """Go on from a run in a run of its own. `given`: NAME=VALUE; `start`: run again from it."""
        ...

    def restore(self, step: str, run: str = "", *, into: str = "") -> object:
        """The namespace as it stood after a step, in the notebook or as `into`."""
        ...

    def forget(self, name: str) -> object:
        """Take a step out of the flow; what it stored stays in the store."""
        ...

    def pause(self) -> object:
        """Start nothing more until the run is resumed."""
        ...

    def stop(self) -> object:
        """Finish what runs, and stop there."""
        ...

    def limit(
        self, name: str = "", *, concurrent: int = 0, rate: int = 0, per: float = 0.0
    ) -> object:
        """Share so many at once, or begun within `per` seconds; without a name: what is set."""
        ...

    def cancel(self, names: Sequence[str], *, undo: bool = False) -> object:
        """Stop these steps, or the whole run."""
        ...

    def export(self, path: str = "") -> object:
        """Write the steps as a plain Python script, to this file or beside the notebook."""
        ...

    def inbox(self) -> object:
        """Everything that waits for a person."""
        ...

    def approve(
        self, which: str = "", *, note: str = "", given: Sequence[str] = (), always: bool = False
    ) -> object:
        """Say yes to a question, by its id or its step's name. `given`: NAME=VALUE, changed."""
        ...

    def reject(self, which: str, *, reason: str = "", always: bool = False) -> object:
        """Say no to a question."""
        ...

    def respond(self, text: str) -> object:
        """Answer a question; the text begins with its id or step, where several are open."""
        ...

    def send(self, run: str, topic: str, text: str = "") -> object:
        """Send a message to a run; the text is JSON, or a text as it stands."""
        ...

    def sql(self, query: str) -> object:
        """Ask the store, in its own words."""
        ...

    def store(self, path: str = "") -> object:
        """About the store; with a path, go on with that one."""
        ...

    def vacuum(self) -> object:
        """Write the store anew, without what nobody needs."""
        ...

    def prune(self, *, runs: int | None = None, seconds: float | None = None) -> object:
        """Drop all runs but the latest so many, or those untouched for so many seconds."""
        ...

    def snapshot(self, path: str) -> object:
        """Copy the store to this path."""
        ...

    def check(self) -> object:
        """Verify everything in the store."""
        ...

    def step_names(self) -> Sequence[str]:
        """For completion. Cheap, and empty rather than failing."""
        ...

    def agent_step_names(self) -> Sequence[str]:
        """Of steps that belong to agents, `AGENT/STEP`. As above."""
        ...

    def run_ids(self) -> Sequence[str]:
        """For completion. Cheap, and empty rather than failing."""
        ...

    def output_names(self) -> Sequence[str]:
        """For completion. Cheap, and empty rather than failing."""
        ...
