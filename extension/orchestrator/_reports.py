"""From what a worker reports to the event that is written down."""

from collections.abc import Sequence

from stepwell.orchestrator._deadlines import retry_at
from stepwell.orchestrator._events import (
    AttemptCompleted,
    AttemptFailed,
    AttemptInterrupted,
    Event,
    ItemsExpanded,
    StepSkipped,
)
from stepwell.orchestrator._port import (
    Expanded,
    Failed,
    Finished,
    Happened,
    Report,
    Skipped,
    Stopped,
)
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import StepState, Unit
from stepwell.store import Blob, Record

__all__ = ["as_event", "as_records"]


def as_event(
    state: State, unit: Unit, report: Report, *, now: int
) -> tuple[Event, Sequence[Blob], dict[str, object]]:
    """The event, the blobs it speaks of, and the objects for whoever is in this process."""
    match report:
        case Finished():
            log = report.log.digest if report.log else ""
            inputs = _streamed_inputs(state, unit)
            event = AttemptCompleted(report.outputs, _seconds(unit, report, now), log, inputs)
            blobs = [*report.blobs, *([report.log] if report.log else [])]
            return event, blobs, dict(report.objects)
        case Failed():
            definition = state.flow.get(report.id.step)
            due = retry_at(definition, unit, report.failure, now) if definition else 0
            log = report.log.digest if report.log else ""
            failed = AttemptFailed(report.error, report.seconds, log, due)
            return failed, [report.log] if report.log else [], {}
        case Skipped():
            run = unit.running
            assert run is not None
            return StepSkipped(report.reason, run.code, run.inputs, run.environment), (), {}
        case Expanded():
            return ItemsExpanded(tuple(report.items), report.environment), (), {}
        case Stopped():
            return AttemptInterrupted(report.reason), (), {}


def _seconds(unit: Unit, report: Finished, now: int) -> float:
    """Of a mapped step, from its expansion to its gathering: the worker knows only that."""
    if isinstance(unit, StepState) and unit.items is not None and unit.running is not None:
        return (now - unit.running.at) / 1_000_000
    return report.seconds


def as_records(happened: Happened, body: bytes, blobs: Sequence[Blob]) -> list[Record]:
    """What is written down: a record for each further blob, and the event's own with the last."""
    run, step, attempt, at = happened.run, happened.step, happened.attempt, happened.at
    *others, last = blobs or (None,)
    records = [
        Record("value", run, step, happened.item, attempt, at, b"{}", blob) for blob in others
    ]
    kind: str = type(happened.event).__struct_config__.tag  # type: ignore[assignment]
    records.append(Record(kind, run, step, happened.item, attempt, at, body, last))
    return records


def _streamed_inputs(state: State, unit: Unit) -> dict[str, str] | None:
    """What a step has read whose items came one by one: known now that all have come."""
    if not isinstance(unit, StepState) or unit.items is None or not unit.items.source:
        return None
    definition, run = state.flow.get(unit.name), unit.running
    above = state.steps.get(unit.items.source)
    if definition is None or definition.map is None or run is None or above is None:
        return None
    outputs = above.checkpoint.outputs if above.checkpoint is not None else {}
    output = outputs.get(definition.map.source)
    return {**run.inputs, definition.map.source: output.digest if output is not None else ""}
