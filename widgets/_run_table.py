"""A run, step by step, and the runs of a store."""

import re
from collections import Counter
from collections.abc import Sequence

from stepwell.orchestrator import Phase, RunView, StepView
from stepwell.widgets._format import clock_time, duration, elapsed, plural
from stepwell.widgets._grid import Cell, State
from stepwell.widgets._html import Markup, element, join
from stepwell.widgets._items import items_said
from stepwell.widgets._plain import trouble
from stepwell.widgets._rows import Column, RunRow
from stepwell.widgets._sheet import MOST_ROWS, Sheet
from stepwell.widgets._state import DONE, NOT_RUN, RESTORED, look, look_of
from stepwell.widgets._text import line
from stepwell.widgets._view import View

__all__ = ["run_table", "runs_table"]

_UNSAFE = re.compile(r"[^\w-]")

_STEP_COLUMNS = [
    Column("step", is_code=True, is_short=True),
    Column("state"),
    Column("reads from", is_code=True),
    Column("time", is_number=True),
    Column("when", is_short=True),
    Column("note", at_most=160),
]
_RUN_COLUMNS = [
    Column("run", is_code=True, is_short=True),
    Column("status"),
    Column("started", is_short=True),
    Column("steps done", is_number=True),
    Column("spent", is_number=True),
    Column("flow"),
    Column("notebook", at_most=80),
    Column("", is_short=True),
]


def run_table(view: RunView, *, now: int, note: str = "", is_anchored: bool = False) -> View:
    """A run: its steps in order, what each reads from, and how each stands.

    Where it is `is_anchored` the live view may be drawn over it, and it says how it is brought
    back where there is none any more.
    """
    steps = _worth_showing(view.steps)
    if is_anchored:
        note = "\n".join([note, f"as of {clock_time(now, now)} · %stepwell view shows it live"])
    sheet = Sheet(
        title=f"run {line(view.run, 60)}",
        about=_summary(view),
        ornament=_progress(view) if view.status == "running" else "",
        columns=_STEP_COLUMNS,
        rows=[_step_row(step, now) for step in steps],
        notes=[_left_out(view.steps, steps), _place(view, now), note],
        empty="no cell has been made a step yet",
    )
    return anchored(sheet.view(), view.run) if is_anchored else sheet.view()


def anchored(view: View, run: str) -> View:
    """The view in an element that the live view finds by its class (`static/stepwell.js`)."""
    page = Markup(view.bundle["text/html"])
    place = {"class": f"stepwell-run-{_UNSAFE.sub('', run)}"}
    return View({**view.bundle, "text/html": element("div", page, **place)})


def _step_row(step: StepView, now: int) -> list[Cell]:
    writers = dict.fromkeys(writer for _, writer in step.reads if writer)
    return [
        step.name,
        State(look(step)),
        f"← {', '.join(writers)}" if writers else "",
        _time(step, now),
        clock_time(step.since, now) if step.phase is not Phase.DEFERRED else "",
        "; ".join([*_items(step, now), *trouble(step)]),
    ]


def _items(step: StepView, now: int) -> list[str]:
    """Of a mapped step how far it is, or what it goes without."""
    items = step.items
    return [items_said(step, now)] if items is not None and items.done < items.total else []


def _time(step: StepView, now: int) -> str:
    if step.phase is Phase.RUNNING and step.since:
        return elapsed((now - step.since) / 1e6)
    return duration(step.seconds) if step.seconds else ""


def _summary(view: RunView) -> str:
    counts = Counter(look(step).word for step in view.steps)
    said = [view.status, *(["paused"] if view.is_paused else [])]
    said.append(plural(len(view.steps), "step"))
    said += [f"{count:,} {word}" for word, count in counts.items()]
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
        style="width:120px;vertical-align:middle",
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
    if len(steps) <= MOST_ROWS:
        return steps
    quiet = (DONE, RESTORED, NOT_RUN)
    ranked = sorted(range(len(steps)), key=lambda at: look(steps[at]) in quiet)
    return [steps[at] for at in sorted(ranked[:MOST_ROWS])]


def _left_out(steps: Sequence[StepView], shown: Sequence[StepView]) -> str:
    if len(steps) == len(shown):
        return ""
    counts = Counter(look(step).word for step in steps)
    counts.subtract(look(step).word for step in shown)
    rest = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    return f"… and {plural(len(steps) - len(shown), 'more step')}: {rest}"


def runs_table(rows: Sequence[RunRow], *, now: int, note: str = "") -> View:
    """The runs of a store, in the order given."""
    return Sheet(
        title=plural(len(rows), "run") if rows else "",
        columns=_RUN_COLUMNS,
        rows=[_run_row(row, now) for row in rows],
        notes=[note],
        empty="the store has no runs yet",
    ).view()


def _run_row(row: RunRow, now: int) -> list[Cell]:
    # By lines, not blanks: a table keeps none at the beginning.
    indent = f"└{'─' * (row.depth - 1)} " if row.depth else ""
    said = f"called by {row.called_by}" if row.called_by else ""
    return [
        indent + row.run,
        State(look_of(row.status), row.status),
        clock_time(row.started, now),
        f"{row.done:,} of {row.steps:,}",
        duration(row.seconds_spent) if row.seconds_spent else "",
        row.flow,
        row.notebook,
        "← this notebook's" if row.is_current else said,
    ]
