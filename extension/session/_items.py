"""A mapped step's items, one by one, for people."""

from collections.abc import Iterator

from stepwell.orchestrator import Items, ItemState, StepState
from stepwell.widgets import ItemRow, Message

__all__ = ["item_page", "item_rows"]

_LONGEST_PAGE = 500


def item_rows(step: StepState) -> list[ItemRow]:
    """Every item the step has now, in the order of its source; none for other steps."""
    items = step.items
    if items is None:
        return []
    found = [(key, items.by_key.get(key)) for key in items.order]
    return [_row(items, key, unit) for key, unit in found]


def item_page(step: StepState, *, at: int, most: int, query: str = "", only: str = "") -> Message:
    """Some of the items, in the order of their source, and how many there are in all.

    Of those that `query` is found in the keys of, and that are in the state `only`. Costs what
    the page costs, unless something is looked for.
    """
    items = step.items
    if items is None:
        return {"total": 0, "at": 0, "items": []}
    keys = items.order
    if query or only:
        keys = [key for key in keys if query.lower() in key.lower() and _is_in(items, key, only)]
    shown = keys[max(0, at) : max(0, at) + min(most, _LONGEST_PAGE)]
    rows = (_row(items, key, items.by_key.get(key)) for key in shown)
    found = [_facts(row, items.by_key.get(row.key)) for row in rows]
    return {"total": len(keys), "at": at, "items": found}


def _is_in(items: Items, key: str, only: str) -> bool:
    match only:
        case "":
            return True
        case "done":
            return key in items.done
        case "failed":
            return key in items.failed
        case "running":
            return key in items.running
        case "needs a person":
            return key in items.doubtful
        case _:
            ended = key in items.done or key in items.failed
            return not (ended or key in items.running or key in items.doubtful)


def _facts(row: ItemRow, unit: ItemState | None) -> Message:
    start, end = next(_times(unit), (0, 0)) if unit is not None else (0, 0)
    return {
        "key": row.key,
        "state": row.state,
        "attempt": row.attempts,
        "seconds": row.seconds,
        "said": row.said[:400],
        "start": start,
        "end": end,
    }


def _times(unit: ItemState) -> Iterator[tuple[int, int]]:
    """When its latest attempt began and ended, as far as that is known."""
    if unit.running is not None:
        yield unit.running.at, 0
    elif unit.error is not None:
        yield unit.begun or unit.since, unit.since
    elif unit.checkpoint is not None:
        made = unit.checkpoint
        yield made.at - int(made.seconds * 1e6), made.at


def _row(items: Items, key: str, unit: ItemState | None) -> ItemRow:
    if unit is None:
        return ItemRow(key=key, state="waiting")
    if key in items.failed and unit.error is not None:
        said = f"{unit.error.type}: {unit.error.message}"
        return ItemRow(key=key, state="failed", attempts=unit.attempts, said=said)
    if unit.is_undone:
        return ItemRow(key=key, state="undone", attempts=unit.attempts)
    if key in items.done and unit.checkpoint is not None:
        made = [f"{name} = {it.preview}" for name, it in unit.checkpoint.outputs.items()]
        return ItemRow(
            key=key,
            state="done",
            attempts=unit.attempts,
            seconds=unit.checkpoint.seconds,
            said=", ".join(made),
        )
    if key in items.doubtful:
        said = "its last attempt may have happened: see %stepwell inbox"
        return ItemRow(key=key, state="needs a person", attempts=unit.attempts, said=said)
    state = "running" if key in items.running else "waiting"
    return ItemRow(key=key, state=state, attempts=unit.attempts)
