"""Looking after the store: what takes the space, what is whole, what can go."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from stepwell.errors import InvalidUsage
from stepwell.orchestrator import decode, is_shortcut_true, portions, references, runs
from stepwell.session._engine import Engine
from stepwell.store import Flaw, Rewritten, Store
from stepwell.store.values import is_intact
from stepwell.widgets import Column, View, below, size, store_table, table

__all__ = ["check", "flaws", "prune", "report", "snapshot", "vacuum"]

_TRIES = 200
_BETWEEN_SECONDS = 0.01
_DAY = 86_400

_SIZES = """
SELECT step, count(*), sum(strlen(CAST(body AS VARCHAR))), count(meta),
    coalesce(sum(CAST(meta ->> '$.stored' AS BIGINT)), 0)
FROM records GROUP BY step ORDER BY 5 DESC, 3 DESC, step
"""
_GROWTH = """
SELECT
    coalesce(sum(bytes) FILTER (time > make_timestamp(?) - INTERVAL 1 DAY), 0),
    coalesce(sum(bytes) FILTER (time > make_timestamp(?) - INTERVAL 7 DAY), 0),
    coalesce(sum(bytes), 0)
FROM (
    SELECT time, strlen(CAST(body AS VARCHAR))
        + coalesce(CAST(meta ->> '$.stored' AS BIGINT), 0) AS bytes
    FROM records
)
"""
_ASKING = "SELECT DISTINCT run FROM approvals WHERE status = 'pending'"
_LAST_EVENTS = "SELECT run, epoch_us(max(time)) FROM records WHERE run <> '' GROUP BY run"


# -- how large it is ------------------------------------------------------------------------


def report(engine: Engine) -> View:
    """Where the store is, what takes the space step by step, and how it grows."""
    store = engine.store
    facts = {**_place(store), "run": engine.run, "runs": len(runs(store))}
    facts |= {"records": store.last_seq, "growth": _growth(store)}
    facts |= {f"note {number}": note for number, note in enumerate(store.notes, 1)}
    return below(store_table(facts), _sizes(store))


def _place(store: Store) -> dict[str, object]:
    path = store.path
    if path is None:
        return {"file": "in memory"}
    facts: dict[str, object] = {"file": str(path), "size": size(path.stat().st_size)}
    for what, suffix in (("large values", ".blobs"), ("shortcuts for resume", ".shortcuts")):
        beside = path.with_name(path.name + suffix)
        if found := sum(file.stat().st_size for file in beside.rglob("*") if file.is_file()):
            facts[what] = size(found)
    return facts


def _sizes(store: Store) -> View:
    columns = [
        Column("step", is_code=True, is_short=True),
        Column("values", is_number=True),
        Column("their size", is_number=True),
        Column("records", is_number=True),
        Column("their size", is_number=True),
    ]
    rows = [
        (step or "(the runs)", f"{values:,}", size(stored), f"{records:,}", size(bytes_))
        for step, records, bytes_, values, stored in store.sql(_SIZES).fetchall()
    ]
    return table(columns, rows, empty="nothing has been stored yet")


def _growth(store: Store) -> str:
    now = int(time.time() * 1e6)
    day, week, whole = store.sql(_GROWTH, [now, now]).fetchall()[0]
    count = max(1, len(runs(store)))
    return (
        f"{size(day)} in the last 24 hours, {size(week)} in 7 days; "
        f"{size(whole // count)} for each run"
    )


# -- whether it is whole ----------------------------------------------------------------------


def check(engine: Engine) -> View:
    """Read everything, compare it with what was written, and say what to do about each flaw."""
    found = list(flaws(engine.store))
    if not found:
        title = f"all {engine.store.last_seq:,} records and their values are as they were written"
        return store_table({"check": title})
    current = _in_use(engine)
    rows = [
        (flaw.what, flaw.step, way_out(flaw, is_in_use=flaw.digest in current)) for flaw in found
    ]
    columns = [
        Column("what is wrong", at_most=300),
        Column("step", is_code=True, is_short=True),
        Column("what to do", at_most=300),
    ]
    return table(columns, rows, title=f"{len(rows):,} flaws")


def flaws(store: Store) -> Iterator[Flaw]:
    """What is not as it was written: numbers, bytes, and values that events speak of in vain."""
    yield from store.check(is_intact)
    there = {digest for (digest,) in store.sql('SELECT digest FROM "values"').fetchall()}
    told: set[str] = set()
    for row in chain.from_iterable(portions(store)):
        if row.kind == "value":
            continue
        for name, digest in references(decode(row)):
            if digest not in there and digest not in told:
                told.add(digest)
                yield Flaw(f"{name} of run {row.run} was never stored or is gone", digest, row.step)
    for run, _, _ in runs(store):
        if not is_shortcut_true(store, run):
            store.drop_shortcut(run)
            yield Flaw(f"the shortcut of run {run} did not match its records")


def _in_use(engine: Engine) -> set[str]:
    return {
        output.digest
        for step in engine.state.steps.values()
        if step.checkpoint is not None
        for output in step.checkpoint.outputs.values()
    }


def way_out(flaw: Flaw, *, is_in_use: bool) -> str:
    """What to do about it."""
    if "belong to no value" in flaw.what:
        return "%stepwell store vacuum removes them"
    if "the shortcut of" in flaw.what:
        return "nothing: it was removed, and %stepwell resume reads the records themselves"
    if not flaw.digest:
        return "keep a copy of the file, and bring it back from a snapshot or a backup"
    if is_in_use and flaw.step:
        return f"%stepwell rerun {flaw.step}"
    return "only the history is concerned: bring it back from a snapshot, or leave it"


# -- what can go ------------------------------------------------------------------------------


def vacuum(engine: Engine) -> View:
    """Write the store anew, without what nobody refers to any more."""
    return _told(_rewrite(engine, ()), ())


def prune(engine: Engine, *, runs_kept: int | None = None, seconds: float | None = None) -> View:
    """Drop old runs: all but the latest so many, or those untouched for so long.

    The current run stays, and so does every run that is being advanced or that waits for a
    person, and every value that a kept run refers to.
    """
    if runs_kept is not None and runs_kept < 1:
        raise InvalidUsage("--keep takes 1 or more runs, or a duration such as 30d")
    old = _old_runs(engine, runs_kept, seconds)
    if not old:
        return store_table({"dropped": "nothing: every run there is is to be kept"})
    return _told(_rewrite(engine, old), old)


def _old_runs(engine: Engine, runs_kept: int | None, seconds: float | None) -> list[str]:
    parents = {run: event.parent for run, _, event in runs(engine.store)}
    held = {engine.run, *(state.run for state in engine.orchestrator.states())}
    held |= {run for (run,) in engine.store.sql(_ASKING).fetchall() if run in parents}
    last: dict[str, int] = {}
    for run, at in engine.store.sql(_LAST_EVENTS).fetchall():
        # Whoever was called by a run goes or stays with it.
        root = _root(run, parents)
        last[root] = max(last.get(root, 0), at)
    newest = sorted(last, key=lambda root: last[root], reverse=True)
    held_roots = {_root(run, parents) for run in held}
    others = [root for root in newest if root not in held_roots]
    if runs_kept is not None:
        old = set(others[max(0, runs_kept - len(held_roots)) :])
    else:
        since = (time.time() - (seconds or 0.0)) * 1e6
        old = {root for root in others if last[root] < since}
    return [run for run in parents if _root(run, parents) in old]


def _root(run: str, parents: Mapping[str, str]) -> str:
    seen: set[str] = set()
    while (parent := parents.get(run, "")) and parent in parents and run not in seen:
        seen.add(run)
        run = parent
    return run


def _rewrite(engine: Engine, without: Sequence[str]) -> Rewritten:
    orchestrator = engine.orchestrator

    def work() -> Rewritten | None:
        # Nothing may be on its way to the store: it could count on what is dropped. What
        # steps that are running have made so far goes with them, and stays.
        is_quiet = orchestrator.is_all_durable and not any(
            state.sealed for state in orchestrator.states()
        )
        return engine.store.rewrite(without) if is_quiet else None

    return _until_done(lambda: orchestrator.call(work, timeout=None))


def _until_done(attempt: Callable[[], Rewritten | None]) -> Rewritten:
    for _ in range(_TRIES):
        if (done := attempt()) is not None:
            return done
        time.sleep(_BETWEEN_SECONDS)
    raise InvalidUsage("the store is being written to all the while. Try again in a moment")


def _told(done: Rewritten, dropped: Sequence[str]) -> View:
    listed = ", ".join(dropped[:8]) + (" …" if len(dropped) > 8 else "")
    facts: dict[str, object] = {"dropped": f"{len(dropped):,} runs: {listed}"} if dropped else {}
    facts["records dropped"] = f"{done.dropped:,}"
    if done.before:
        facts["size"] = f"{size(done.before)} → {size(done.after)}"
    return store_table(facts)


def snapshot(engine: Engine, path: str) -> View:
    """Copy everything that is durable to a store of its own, also while steps run."""
    target = Path(path).expanduser()
    if not target.suffix:
        target = target / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.duckdb" if target.is_dir() else target
    written = engine.store.snapshot(target)
    return store_table({"snapshot": str(written), "size": size(written.stat().st_size)})
