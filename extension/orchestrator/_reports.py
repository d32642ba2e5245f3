"""From what a worker reports to the event that is written down."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from stepwell.orchestrator._body import kind_of
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
    NOTHING,
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
) -> tuple[Event, Sequence[Blob], Mapping[str, object]]:
    """The event, the blobs it speaks of, and the objects for whoever is in this process."""
    match report:
        case Finished():
            log, blobs = "", report.blobs
            if report.log is not None:
                log, blobs = report.log.digest, [*blobs, report.log]
            seconds, inputs, share = report.seconds, None, 1.0
            if isinstance(unit, StepState) and unit.items is not None:
                seconds, inputs = _pass_seconds(unit, now), _streamed_inputs(state, unit)
                share = 1 - len(unit.items.failed) / max(1, len(unit.items.order))
            done = AttemptCompleted(report.outputs, seconds, log, inputs, share)
            return done, blobs, report.objects
        case Failed():
            definition = state.flow.get(report.id.step)
            due = retry_at(definition, unit, report.failure, now) if definition else 0
            log = report.log.digest if report.log else ""
            error = replace(report.error, failure=report.failure)
            failed = AttemptFailed(error, report.seconds, log, due)
            return failed, [report.log] if report.log else [], NOTHING
        case Skipped():
            run = unit.running
            assert run is not None
            return StepSkipped(report.reason, run.code, run.inputs, run.environment), (), NOTHING
        case Expanded():
            return ItemsExpanded(tuple(report.items), report.environment), (), NOTHING
        case Stopped():
            return AttemptInterrupted(report.reason), (), NOTHING


def _pass_seconds(step: StepState, now: int) -> float:
    """From a mapped step's expansion to its gathering: the worker knows only the latter."""
    return (now - step.running.at) / 1_000_000 if step.running is not None else 0.0


def as_records(happened: Happened, body: bytes, blobs: Sequence[Blob]) -> list[Record]:
    """What is written down: a record for each further blob, and the event's own with the last."""
    run, step, item = happened.run, happened.step, happened.item
    attempt, at = happened.attempt, happened.at
    last = blobs[-1] if blobs else None
    records = [Record(kind_of(happened.event), run, step, item, attempt, at, body, last)]
    if len(blobs) > 1:
        records[:0] = [
            Record("value", run, step, item, attempt, at, b"{}", blob) for blob in blobs[:-1]
        ]
    return records


def _streamed_inputs(state: State, unit: StepState) -> dict[str, str] | None:
    """What a step has read whose items came one by one: known now that all have come."""
    if unit.items is None or not unit.items.source:
        return None
    definition, run = state.flow.get(unit.name), unit.running
    above = state.steps.get(unit.items.source)
    if definition is None or definition.map is None or run is None or above is None:
        return None
    outputs = above.checkpoint.outputs if above.checkpoint is not None else {}
    output = outputs.get(definition.map.source)
    return {**run.inputs, definition.map.source: output.digest if output is not None else ""}
