"""A store that nobody has open, looked at from outside: without a kernel, without a session.

What a notebook has around its steps is known only where it runs. So a plan made here compares
code and inputs; constants and helper functions it leaves to the notebook.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stepwell.errors import InvalidUsage, StepwellError, UnknownRun, UnknownStep
from stepwell.flow import Step
from stepwell.magics import parse_step
from stepwell.orchestrator import (
    NEEDS_PERSON,
    State,
    StepsDefined,
    apply,
    load,
    run_view,
    runs,
    status_of,
    step_view,
)
from stepwell.scripting import cell_step
from stepwell.session._engine import resolve_run
from stepwell.session._exporting import export_to
from stepwell.session._planning import as_json, exit_code, expected, plan_rows, show_plan
from stepwell.session._reports import now, run_list
from stepwell.session._staleness import changes_within
from stepwell.store import Store
from stepwell.store.values import Signer, Trust
from stepwell.widgets import View, card, run_table
from stepwell.workers import Values

__all__ = ["Look", "cells_of"]

_MAGIC = "%%step"
_NOT_COMPARED = "constants and helper functions are compared when the notebook runs"


class Look:
    """One open store, and its notebook where that is known."""

    def __init__(self, store: Store, notebook: Path | None = None) -> None:
        self._store = store
        self._notebook = notebook

    def runs(self) -> View:
        """Every run in the store."""
        return run_list(self._store, {})

    def status(self, run: str = "") -> View:
        """A run, or the latest, step by step."""
        find = partial(load, self._store)
        view = run_view(self._state(run), store=str(self._store.path), find=find)
        return run_table(view, now=now(), note="\n".join(self._store.notes))

    def exit_code(self, run: str = "") -> int:
        """What a script goes by: 1 where the run has failed, 3 where it needs a person, or 0."""
        return {"failed": 1, NEEDS_PERSON: 3}.get(self._status(run), 0)

    def _status(self, run: str) -> str:
        return status_of(self._state(run), partial(load, self._store))

    def show(self, name: str, run: str = "") -> View:
        """A step's card, or a run. Raises `UnknownStep`."""
        state = self._state(run)
        if name not in state.flow:
            try:
                return self.status(resolve_run(self._store, name))
            except UnknownRun as error:
                raise UnknownStep(name, f" Nor is there a run of that name.{error.near}") from error
        found = changes_within(state, name)
        why = tuple(change.summary for change in found)
        diff = "\n".join(change.diff for change in found if change.diff)
        return View(card(step_view(state, name, stale=why, diff=diff), now=now()))

    def plan(self, *, is_json: bool = False) -> tuple[View, int]:
        """What running would do, and the exit code that says it.

        With a notebook its cells as they are now are compared with what is stored.
        """
        state = self._state("") if runs(self._store) else State("")
        if self._notebook is not None:
            cells = cells_of(self._notebook)
            state = _with_cells(state, cells)
        found = {name: changes_within(state, name) for name in state.flow.order()}
        rows = plan_rows(state, found, expected(self._store))
        view = as_json(rows) if is_json else show_plan(rows, note=_NOT_COMPARED)
        return view, exit_code(rows)

    def export(self, file: Path, run: str = "") -> View:
        """The steps as a script on this store."""
        values = Values(self._store, Signer.of_user(), Trust.of_user(self._store))
        return export_to(file, self._state(run), self._store, values, self._notebook)

    def _state(self, run: str) -> State:
        # A run that was called by another one is not the latest anybody means.
        known = [name for name, _, event in runs(self._store) if not event.parent]
        return load(self._store, resolve_run(self._store, run or (known or [""])[-1]))


def cells_of(notebook: Path) -> list[Step]:
    """The steps of a notebook's `%%step` cells as they stand in the file; nothing is run.

    Raises `InvalidUsage` for a file that is no notebook, `InvalidStep` for a cell that is no
    step, with its number.
    """
    try:
        content: Mapping[str, Any] = json.loads(notebook.read_text("utf-8"))
        cells: list[Mapping[str, Any]] = list(content["cells"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidUsage(f"{notebook} is not a notebook: {error}") from error
    found: list[Step] = []
    for number, cell in enumerate(cells, 1):
        source = "".join(cell.get("source", ()))
        if cell.get("cell_type") == "code" and source.startswith(_MAGIC):
            found.append(_step(source, str(cell.get("id", "")), number))
    return found


def _step(source: str, cell: str, number: int) -> Step:
    line, _, body = source.partition("\n")
    try:
        options = parse_step(line.removeprefix(_MAGIC))
        if options is None:
            raise InvalidUsage("it asks for help instead of being a step")
        return cell_step(options, body, cell=cell)
    except StepwellError as error:
        raise InvalidUsage(f"cell {number}: {error}") from error


def _with_cells(state: State, cells: list[Step]) -> State:
    """The run as it would be with these cells; what is stored does not change."""
    changed = [step for step in cells if not _is_same(state, step)]
    return apply(state, StepsDefined(tuple(changed))) if changed else state


def _is_same(state: State, step: Step) -> bool:
    flow = state.agents.get(step.flow) if step.flow else state.flow
    known = flow.get(step.name) if flow is not None else None
    # What its helpers read was found out when it ran, and stands in the stored one alone.
    return known is not None and known.digest == step.digest and known.writes == step.writes
