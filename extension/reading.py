"""A store, read without a kernel: its runs, their results, their past, compared and brought back.

with stepwell.open(".stepwell/agent.duckdb") as store:
    print(store.outputs()["report"])
    then = store.restore("draft", "3f2a")
    print(then.hits)
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from stepwell.errors import StoreError, UnknownStep, near_misses

if TYPE_CHECKING:
    from stepwell.orchestrator import Difference, Version
    from stepwell.session import StepNamespace
    from stepwell.store import Store

__all__ = ["Reader", "open"]


class Reader:
    """A store, read without a kernel. Use it with `with`, or close it.

    Runs are named by their id or the beginning of one; none means the latest.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> Any:
        """Ask the views `runs`, `steps`, `attempts`, `calls`, `costs`, `approvals`, `values`.

        The answer is a DuckDB relation: `.df()`, `.fetchall()`, `.pl()`, print it.
        """
        return self._store.sql(query, parameters)

    def runs(self) -> list[str]:
        """Ids of the runs, oldest first."""
        from stepwell.orchestrator import runs

        return [run for run, _, _ in runs(self._store)]

    def outputs(self, run: str | None = None) -> dict[str, Any]:
        """Every stored output of a run, by name.

        Raises `UnknownRun`, `ValueNotTrusted`, `ValueUnreadable`.
        """
        from stepwell.orchestrator import load

        if run is None and not self.runs():
            return {}
        state, values = load(self._store, self._resolve(run)), self._values()
        return {
            name: values.load(output.digest)
            for step in state.steps.values()
            if step.checkpoint is not None
            for name, output in step.checkpoint.outputs.items()
            if output.stored
        }

    def value(self, digest: str) -> Any:
        """One stored value. Raises `ValueNotTrusted`, `ValueUnreadable`."""
        return self._values().load(digest)

    def history(self, step: str) -> "list[Version]":
        """Every attempt at a step in every run: code, what it read and made, when, for whom.

        `AGENT/STEP` and `RUN/STEP` are steps of agents.
        """
        from stepwell.orchestrator import versions

        return versions(self._store, step)

    def diff(self, first: str, second: str | None = None) -> "tuple[Difference, ...]":
        """What differs between two runs, step by step. Raises `UnknownRun`."""
        from stepwell.orchestrator import compare, load

        one, two = (load(self._store, self._resolve(run)) for run in (first, second))
        return compare(one, two)

    def restore(self, step: str, run: str | None = None) -> "StepNamespace":
        """The names as they stood after a step's result was stored, as an object's attributes.

        What could not be brought back is missing in it. Raises `UnknownRun`, `UnknownStep`,
        and `InvalidUsage` for a step without a result.
        """
        from stepwell.orchestrator import load_at
        from stepwell.session import StepNamespace, bring

        chosen = self._resolve(run)
        state = load_at(self._store, chosen, step)
        if step not in state.flow:
            raise UnknownStep(step, near_misses(step, [it.name for it in state.flow]))
        made = StepNamespace(step, chosen)
        bring(state, step, self._store, self._values(vars(made)), vars(made))
        return made

    def _resolve(self, run: str | None) -> str:
        from stepwell.session import resolve_run

        return resolve_run(self._store, run or (self.runs() or [""])[-1])

    def _values(self, names: dict[str, Any] | None = None) -> Any:
        from stepwell.store.values import Signer, Trust
        from stepwell.workers import Values

        found = {} if names is None else names
        return Values(self._store, Signer.of_user(), Trust.of_user(self._store), resolve=found.get)

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open(path: str | PathLike[str]) -> Reader:  # noqa: A001 - stepwell.open is what users look for
    """Open a store to read it. Raises `StoreError` if there is none or somebody has it."""
    from stepwell.store import open_store

    if not Path(path).exists():
        raise StoreError(
            f"there is no store at {path}. Stores are made beside the notebook, in .stepwell"
        )
    return Reader(open_store(Path(path), create=False))
