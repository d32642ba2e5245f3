"""Runs, plans and histories as tables."""

from collections import Counter
from collections.abc import Mapping, Sequence

from stepwell.orchestrator import Phase, RunView, StepView
from stepwell.widgets._card import diff
from stepwell.widgets._format import clock_time, duration, elapsed, plural
from stepwell.widgets._grid import Cell, Grid, State
from stepwell.widgets._html import Markup, code, details, element, join, muted, text
from stepwell.widgets._plain import trouble
from stepwell.widgets._rows import Column, HistoryRow, PlanRow, RunRow
from stepwell.widgets._state import (
    CANCELLED,
    DONE,
    FAILED,
    NOT_RUN,
    RESTORED,
    RUNNING,
    STALE,
    WAITING,
    Look,
    look,
)
from stepwell.widgets._text import line
from stepwell.widgets._view import View

__all__ = ["history_table", "plan_table", "run_table", "runs_table", "store_table", "table"]

_ROWS = 200
_BOX = "margin:2px 0;line-height:1.6;text-align:left;overflow-wrap:break-word"


def table(
    columns: Sequence[Column | str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    note: str = "",
    empty: str = "nothing to show",
) -> View:
    """Any rows as a table. All text is escaped and cut to its column's length."""
    known = [column if isinstance(column, Column) else Column(column) for column in columns]
    cells: list[list[Cell]] = [[_cell(value) for value in row] for row in rows]
    return _view(title, known, cells, note=note, empty=empty)


def _cell(value: object) -> Cell:
    return value if isinstance(value, str | int) else "" if value is None else str(value)


def _view(
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    *,
    note: str = "",
    empty: str = "",
    more: Sequence[Markup] = (),
    progress: Markup | str = "",
) -> View:
    """A title, a table and what is to be said below it, in both forms."""
    shown = rows[:_ROWS]
    left_out = f"… and {plural(len(rows) - _ROWS, 'more row')}" if len(rows) > _ROWS else ""
    grid = Grid(columns, shown)
    plain = [line(title, 300), grid.plain() if shown else line(empty, 300), left_out, note]
    page = [
        element("div", element("b", text(title)), progress) if title else "",
        grid.html() if shown else muted(text(empty)),
        element("div", muted(left_out)) if left_out else "",
        *[element("div", text(row, 600)) for row in note.split("\n") if row],
        *more,
    ]
    said = "\n".join(part for part in (*plain[:3], _plain_note(note)) if part)
    return View({"text/html": element("div", *page, style=_BOX), "text/plain": said})


def _plain_note(note: str) -> str:
    return "\n".join(line(row, 600) for row in note.split("\n"))


# -- a run ----------------------------------------------------------------------------------


def run_table(view: RunView, *, now: int, note: str = "") -> View:
    """A run: its steps in order, what each reads from, and how each stands."""
    columns = [
        Column("step", is_code=True),
        Column("state"),
        Column("reads from", is_code=True),
        Column("time", is_number=True),
        Column("when"),
        Column("", at_most=160),
    ]
    steps = _worth_showing(view.steps)
    title = f"run {line(view.run, 60)}: {_summary(view)}"
    progress = _progress(view) if view.status == "running" else ""
    lines = [_left_out(view.steps, steps), _place(view, now), note]
    rows = [_step_row(step, now) for step in steps]
    return _view(
        title,
        columns,
        rows,
        note="\n".join(part for part in lines if part),
        empty="no cell has been made a step yet",
        progress=progress,
    )


def _step_row(step: StepView, now: int) -> list[Cell]:
    writers = dict.fromkeys(writer for _, writer in step.reads if writer)
    return [
        step.name,
        State(look(step)),
        f"← {', '.join(writers)}" if writers else "",
        _time(step, now),
        clock_time(step.since, now) if step.phase is not Phase.DEFERRED else "",
        "; ".join(trouble(step)),
    ]


def _time(step: StepView, now: int) -> str:
    if step.phase is Phase.RUNNING and step.since:
        return elapsed((now - step.since) / 1e6)
    return duration(step.seconds) if step.seconds else ""


def _summary(view: RunView) -> str:
    counts = Counter(look(step).word for step in view.steps)
    said = [plural(len(view.steps), "step"), view.status]
    said += [f"{count:,} {word}" for word, count in counts.items() if count < len(view.steps)]
    if view.seconds_saved:
        said.append(f"saved {duration(view.seconds_saved)}")
    return " · ".join(said)


def _progress(view: RunView) -> Markup:
    done = sum(step.phase is Phase.COMPLETED for step in view.steps)
    bar = element(
        "progress",
        f"{done} of {len(view.steps)}",
        value=str(done),
        max=str(max(1, len(view.steps))),
        style="width:160px;vertical-align:middle",
    )
    return join([Markup(" &nbsp; "), bar])


def _place(view: RunView, now: int) -> str:
    started = clock_time(view.started, now)
    said = [
        f"started {started}" if started else "",
        f"notebook {line(view.notebook, 200)}" if view.notebook else "",
        f"store {line(view.store, 200)}" if view.store else "",
    ]
    return " · ".join(part for part in said if part)


def _worth_showing(steps: Sequence[StepView]) -> Sequence[StepView]:
    """Of very many steps, the ones that are not simply done, then as many others as fit."""
    if len(steps) <= _ROWS:
        return steps
    quiet = (DONE, RESTORED, NOT_RUN)
    ranked = sorted(range(len(steps)), key=lambda at: look(steps[at]) in quiet)
    return [steps[at] for at in sorted(ranked[:_ROWS])]


def _left_out(steps: Sequence[StepView], shown: Sequence[StepView]) -> str:
    if len(steps) == len(shown):
        return ""
    counts = Counter(look(step).word for step in steps)
    counts.subtract(look(step).word for step in shown)
    rest = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    return f"… and {plural(len(steps) - len(shown), 'more step')}: {rest}"


# -- runs, plan, history, store -------------------------------------------------------------

_STATUS = {
    "running": RUNNING,
    "completed": DONE,
    "done": DONE,
    "restored": RESTORED,
    "reused": RESTORED,
    "failed": FAILED,
    "cancelled": CANCELLED,
    "interrupted": STALE,
    "waiting": WAITING,
}


def _state(word: str) -> State:
    return State(_STATUS.get(word, NOT_RUN), line(word, 40))


def runs_table(rows: Sequence[RunRow], *, now: int, note: str = "") -> View:
    """The runs of a store."""
    columns = [
        Column("run", is_code=True),
        Column("status"),
        Column("started"),
        Column("steps", is_number=True),
        Column("spent", is_number=True),
        Column("flow"),
        Column("notebook", at_most=80),
        Column(""),
    ]
    cells: list[list[Cell]] = [
        [
            row.run,
            _state(row.status),
            clock_time(row.started, now),
            f"{row.done:,} of {row.steps:,}",
            duration(row.seconds_spent) if row.seconds_spent else "",
            row.flow,
            row.notebook,
            "← this notebook's" if row.is_current else "",
        ]
        for row in rows
    ]
    title = plural(len(rows), "run") if rows else ""
    return _view(title, columns, cells, note=note, empty="the store has no runs yet")


_ACTIONS: dict[str, tuple[Look, str]] = {
    "reuse": (RESTORED, "reuse"),
    "stale": (STALE, "stale, will run"),
    "run": (Look("will run", "▸", RUNNING.rgb), ""),
    "person": (FAILED, "needs a person"),
}


def plan_table(rows: Sequence[PlanRow], *, note: str = "") -> View:
    """What running would do, step by step, and how long it took before."""
    columns = [
        Column("step", is_code=True),
        Column("plan"),
        Column("reads from", is_code=True),
        Column("took before", is_number=True),
        Column("why", at_most=200),
    ]
    cells: list[list[Cell]] = [
        [
            row.step,
            State(*_ACTIONS[row.action]),
            f"← {', '.join(row.after)}" if row.after else "",
            "" if row.seconds is None else duration(row.seconds),
            "; ".join(row.why),
        ]
        for row in rows
    ]
    diffs = [
        details(join(["what changed in ", code(row.step)]), diff(row.diff))
        for row in rows
        if row.diff
    ]
    return _view(
        _plan_title(rows),
        columns,
        cells,
        note=note,
        empty="there are no steps yet",
        more=diffs[:50],
    )


def _plan_title(rows: Sequence[PlanRow]) -> str:
    if not rows:
        return ""
    to_run = [row for row in rows if row.action in ("stale", "run")]
    reused = [row for row in rows if row.action == "reuse"]
    persons = sum(row.action == "person" for row in rows)
    said = [f"{len(to_run):,} of {plural(len(rows), 'step')} would run{_expected(to_run)}"]
    if reused:
        saved = sum(row.seconds or 0.0 for row in reused)
        said.append(f"{len(reused):,} reused" + (f", saving {duration(saved)}" if saved else ""))
    if persons:
        said.append(f"{persons:,} in need of a person")
    return " · ".join(said)


def _expected(rows: Sequence[PlanRow]) -> str:
    known = [row.seconds for row in rows if row.seconds is not None]
    if not known:
        return ""
    unknown = len(rows) - len(known)
    more = f" and {unknown:,} never run before" if unknown else ""
    return f" (about {duration(sum(known))}{more})"


def history_table(rows: Sequence[HistoryRow], *, now: int, step: str = "") -> View:
    """Every attempt at a step, in the order given."""
    columns = [
        Column("when"),
        Column("attempt", is_number=True),
        Column("outcome"),
        Column("time", is_number=True),
        Column("code", is_code=True),
        Column("inputs", is_code=True, at_most=120),
        Column("outputs", is_code=True, at_most=160),
        Column("run", is_code=True),
        Column("who"),
    ]
    cells: list[list[Cell]] = [
        [
            clock_time(row.when, now),
            row.attempt,
            _state(row.outcome),
            duration(row.seconds) if row.seconds else "",
            row.code[:8] + (" changed" if row.code_changed else ""),
            _pairs(row.inputs, 16),
            row.error or _pairs(row.outputs, 60),
            row.run,
            row.who,
        ]
        for row in rows
    ]
    title = f"{step}: {plural(len(rows), 'attempt')}" if step and rows else ""
    return _view(title, columns, cells, empty=f"{step or 'the step'} has never run")


def _pairs(pairs: Mapping[str, str], at_most: int) -> str:
    return ", ".join(f"{name}={line(value, at_most)}" for name, value in pairs.items())


def store_table(facts: Mapping[str, object], *, note: str = "") -> View:
    """What is known about a store, one fact to a line."""
    columns = [Column("store"), Column("", at_most=300)]
    rows: list[list[Cell]] = [[name, _cell(value)] for name, value in facts.items()]
    return _view("", columns, rows, note=note, empty="no store is open")
