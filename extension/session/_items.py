"""A mapped step's items, one by one, for people."""

from stepwell.orchestrator import Items, ItemState, StepState
from stepwell.widgets import ItemRow

__all__ = ["item_rows"]


def item_rows(step: StepState) -> list[ItemRow]:
    """Every item the step has now, in the order of its source; none for other steps."""
    items = step.items
    if items is None:
        return []
    found = [(key, items.by_key.get(key)) for key in items.order]
    return [_row(items, key, unit) for key, unit in found]


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
