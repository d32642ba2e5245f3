"""A stand-in for the engine in a kernel: what it shows, without what it does.

A `%%step NAME` cell runs in a thread. Its body may `say` text, `show` and `clear` outputs
and wait for the events of other cells; `%stepwell wait` waits for all of them.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

MIME = "application/vnd.stepwell.step+json"


class StepFailed(Exception):
    """A step has failed."""

    def _render_traceback_(self) -> list[str]:
        return [f"StepFailed: {self}"]


class Engine:
    """The steps of one kernel."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._threads: list[threading.Thread] = []
        self._failed: list[str] = []

    def step(self, line: str, body: str) -> None:
        """Start a step; words after its name are facts for its cards: `restored=4.0`."""
        name, *facts = line.split()
        step = Step(self._shell, name, dict(fact.split("=") for fact in facts))
        step.card("waiting", first=True)
        thread = threading.Thread(target=self._work, args=(step, body), daemon=True)
        self._threads.append(thread)
        thread.start()

    def stepwell(self, line: str) -> None:
        """Wait until all steps are done, or one has failed."""
        assert line == "wait"
        while not self._failed and any(thread.is_alive() for thread in self._threads):
            time.sleep(0.01)
        if self._failed:
            raise StepFailed("; ".join(self._failed))

    def _work(self, step: "Step", body: str) -> None:
        step.card("running", attempt=1)
        try:
            exec(body, {**self._shell.user_ns, **step.names()})
        except Exception as error:
            kind = type(error).__name__
            step.send("error", ename=kind, evalue=str(error), traceback=[f"{kind}: {error}"])
            self._failed.append(f"step {step.name!r} failed: {kind}: {error}")
            step.card("failed", error={"type": kind, "message": str(error)})
        else:
            step.card("done", seconds=float(step.facts.get("restored", 2.1)))


class Step:
    """One step's voice: everything it says has its own cell's request as parent."""

    def __init__(self, shell: Any, name: str, facts: dict[str, str]) -> None:
        self.name, self.facts = name, facts
        self._kernel = shell.kernel
        self._parent = shell.get_parent()

    def names(self) -> dict[str, Callable[..., None]]:
        """What the step's body can call."""
        return {"say": self.say, "show": self.show, "clear": self.clear}

    def say(self, text: str) -> None:
        """Print."""
        self.send("stream", name="stdout", text=text)

    def show(self, text: str, **more: Any) -> None:
        """Display."""
        self.send("display_data", data={"text/plain": text}, metadata={}, **more)

    def clear(self, wait: bool) -> None:
        """Clear the outputs so far, now or when the next one comes."""
        self.send("clear_output", wait=wait)

    def card(self, phase: str, *, first: bool = False, **more: Any) -> None:
        """Show the card, or change the one that is shown."""
        said = {"step": self.name, "run": "r1", "phase": phase, "error": None, **more}
        said["restored"] = "restored" in self.facts
        self.send(
            "display_data" if first else "update_display_data",
            data={MIME: said, "text/plain": f"{self.name}: {phase}"},
            metadata={},
            transient={"display_id": f"card-{self.name}"},
        )

    def send(self, kind: str, **content: Any) -> None:
        """Say something as the step's cell."""
        self._kernel.session.send(
            self._kernel.iopub_socket, kind, content, parent=self._parent, ident=kind.encode()
        )


def load_ipython_extension(shell: Any) -> None:
    """Be the engine of this kernel."""
    engine = Engine(shell)
    shell.register_magic_function(engine.step, "cell", "step")
    shell.register_magic_function(engine.stepwell, "line", "stepwell")
    shell.extension_manager.loaded.add("stepwell")
