"""A kernel worker that runs one cell after the other, for what a step's code can say and ask."""

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from controlled import Heard, wait_for

import stepwell
from stepwell.defining import step_from_cell
from stepwell.flow import Step
from stepwell.inside import inside
from stepwell.orchestrator import Attempt, AttemptId, Finished, Report
from stepwell.store import MemoryStore
from stepwell.store.values import Signer, Trust
from stepwell.workers import KernelWorker, Recorder, Values


class Around:
    """As little of a notebook as a worker can do with."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {}

    def environment_without(self, environment: str, names: Collection[str]) -> str:
        """Nothing here counts."""
        return environment

    def namespace(
        self,
        definition: Step,
        environment: str,
        inputs: Mapping[str, object],
        without: Collection[str] = (),
    ) -> dict[str, object]:
        """What the cells of these tests use."""
        names: dict[str, object] = {
            "stepwell": stepwell,
            "asyncio": asyncio,
            "threading": threading,
            "inside": inside,
        }
        return {"__name__": "__main__", **names, **self.names, **inputs}

    def function(self, definition: Step) -> Callable[..., object]:
        """There is none."""
        raise AssertionError(definition)

    def recorder(self, attempt: AttemptId) -> Recorder:
        """One that nobody looks at."""
        return Recorder()

    def enter(self, attempt: Attempt) -> None:
        """Nothing."""

    def before_thread(self) -> None:
        """Nothing."""

    def after_body(self) -> None:
        """Nothing."""


class Bench:
    """A worker that runs one cell after the other."""

    def __init__(self) -> None:
        self.link = Heard()
        store, signer = MemoryStore(), Signer(b"k" * 32)
        self.values = Values(store, signer, Trust(signer))
        self.around = Around()
        self.worker = KernelWorker(self.around, self.values)

    def start(self, source: str, **more: Any) -> AttemptId:
        """Run the cell."""
        definition = step_from_cell("a", source, source)
        attempt = AttemptId("r", "a", 3, more.pop("item", ""))
        self.worker.start(Attempt(attempt, definition, "the key", {}, "", {}, **more), self.link)
        return attempt

    def run(self, source: str, **more: Any) -> Report:
        """The cell's end."""
        before = len(self.link.reports)
        self.start(source, **more)
        wait_for(lambda: len(self.link.reports) > before)
        return self.link.reports[-1]

    def objects(self, source: str, **more: Any) -> dict[str, object]:
        """Its outputs."""
        report = self.run(source, **more)
        assert isinstance(report, Finished), report
        return dict(report.objects)
