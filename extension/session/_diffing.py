"""The past of a step, and two runs side by side, as tables."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from stepwell.flow import source_diff
from stepwell.orchestrator import Difference, State, Version, compare, load, versions
from stepwell.session._below import find_below
from stepwell.session._reports import now
from stepwell.session._session import Session
from stepwell.widgets import DiffRow, HistoryRow, View, diff_table, history_table

__all__ = ["diff", "diff_rows", "history", "history_rows"]


def history(session: Session, name: str) -> View:
    """Every attempt at a step in every run: when, who, with which code, from what, to what end."""
    # A mapped step's items are many, and `show` lists them.
    found = [version for version in versions(session.engine.store, name) if not version.item]
    if not found and find_below(session.engine, name) is None:
        session.check_names([name])
    return history_table(history_rows(found), now=now(), step=name)


def history_rows(found: Sequence[Version]) -> list[HistoryRow]:
    """A row to each attempt, with how its code differs from that of the one before."""
    rows = [_history_row(version) for version in found]
    return rows[:1] + [
        replace(
            row,
            code_changed=later.code != earlier.code,
            diff=source_diff(earlier.source, later.source) if later.code != earlier.code else "",
        )
        for (earlier, later), row in zip(pairwise(found), rows[1:], strict=True)
    ]


def _history_row(version: Version) -> HistoryRow:
    return HistoryRow(
        when=version.at,
        attempt=version.attempt,
        outcome=version.outcome,
        run=version.run,
        code=version.code,
        inputs={
            name: version.previews.get(name) or digest for name, digest in version.inputs.items()
        },
        outputs={name: output.preview for name, output in version.outputs.items()},
        seconds=version.seconds,
        who=version.who,
        error=version.error,
    )


def diff(session: Session, first: str, second: str = "") -> View:
    """What differs between two runs, or between one and the current one. Raises `UnknownRun`."""
    engine = session.engine
    one, two = (
        _state(session, engine.resolve(run) if run else engine.run) for run in (first, second)
    )
    return diff_table(diff_rows(compare(one, two)), first=one.run, second=two.run)


def _state(session: Session, run: str) -> State:
    return load(session.engine.store, run)


def diff_rows(found: Sequence[Difference]) -> list[DiffRow]:
    """A row to each step."""
    return [
        DiffRow(
            step=it.step,
            where=it.where,
            why=tuple(change.summary for change in it.changes),
            diff=it.diff,
            outputs=it.outputs,
            seconds=it.seconds,
        )
        for it in found
    ]
