"""One step from close by, read from the store: what it made, said, called, how it ended.

Read when somebody looks, on the thread of the live view. The state of the current run is
read beside the orchestrator that changes it: each field as it is at that moment.
"""

from functools import cache
from pathlib import Path
from typing import Any, cast

import msgspec

from stepwell.errors import InvalidUsage, StepwellError, UnknownStep
from stepwell.orchestrator import (
    Approval,
    ApprovalRequested,
    Happened,
    Output,
    State,
    StepState,
    Unit,
    approval_view,
    step_view,
)
from stepwell.session._engine import Engine
from stepwell.widgets import (
    SPAN_KINDS,
    Message,
    SpanRecord,
    approval_facts,
    log_ending,
    log_entries,
    output_facts,
    rich,
    text_value,
)

__all__ = ["Details", "span_record"]

_SAID = ("question", "topic", "agent", "name", "reason")
"""What there is to say of a wait, or of an end; in `details.sql` as well."""
_LARGEST_READ = 20_000_000
_MOST_OUTPUTS = 50
_ENDING = 6_000
"""So many characters of a running attempt's log are shown."""
_ENDS = {
    "started": "running",
    "completed": "done",
    "failed": "failed",
    "interrupted": "interrupted",
    "attempt_started": "running",
    "attempt_completed": "done",
    "attempt_failed": "failed",
    "attempt_interrupted": "interrupted",
}


class Details:
    """Answers what a front end asks about the steps of a store's runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def step(self, state: State, name: str, key: str = "") -> Message:
        """Everything about one step, or about one item of it. Raises `UnknownStep`."""
        if name not in state.flow:
            raise UnknownStep(name)
        step = state.step(name)
        unit = _unit(step, key)
        attempts = self._attempts(state.run, name, key)
        found = {
            "outputs": self._outputs(unit),
            "log": self._log(unit, attempts),
            "attempts": attempts,
            "calls": self._calls(state.run, name, key),
            "approvals": self._approvals(state.run, name, key),
        }
        if key:
            return found
        return {
            **found,
            "code": self._code(state, step),
            # Lines of a cell are counted from its %%step, those of a function from its own first.
            "first_line": 1 if state.flow[name].qualname else 2,
            "diff": step_view(state, name).diff,
            "inputs": _inputs(state, step),
            "history": self._history(name),
        }

    def now(self, run: str, name: str, key: str = "") -> Message:
        """What the attempt that is under way has said so far, the end of it."""
        recorder = self._engine.worker.recorder(run, name, key)
        if recorder is None:
            return {"log": []}
        return {"log": log_ending(recorder.ending(_ENDING), _ENDING)}

    def question(self, approval: Approval) -> Message:
        """A question with the value it is about, and what a form for the answer is made from."""
        facts: Message = approval_facts(approval_view(approval))
        request = approval.request
        if not approval.is_pending:
            return facts
        if request.payload is not None and request.payload.preview != "{}":
            facts["payload"] = self.value(request.payload)
        if request.edit or request.form == "ask":
            facts |= self._form(request)
        return facts

    def _form(self, request: ApprovalRequested) -> Message:
        """What may be written: the value as plain data, and its schema where there is one."""
        schema = msgspec.json.decode(request.schema) if request.schema else None
        if request.payload is None:
            return {"can_edit": True, "value": None, "schema": schema}
        try:
            value = plain_data(self._engine.values.load(request.payload.digest))
        except (StepwellError, ValueError) as problem:
            return {"can_edit": False, "why_not": str(problem)}
        if request.edit != ("payload",) and request.form != "ask" and isinstance(value, dict):
            whole = cast("Message", value)
            value = {name: whole[name] for name in request.edit if name in whole}
        return {"can_edit": True, "value": value, "schema": schema}

    def value(self, output: Output) -> Message:
        """The value as something to look at; what cannot be read says why."""
        if not output.stored:
            return text_value(output.preview or "not stored")
        if output.size > _LARGEST_READ:
            return text_value(output.preview)
        try:
            return rich(self._engine.values.load(output.digest))
        except StepwellError as problem:
            return {"kind": "error", "text": str(problem)}

    def spans(self, run: str) -> list[SpanRecord]:
        """Each record that tells when an attempt at a step ran or waited."""
        return [SpanRecord(*row) for row in self._rows("spans", run)]

    # -- parts ------------------------------------------------------------------------------

    def _rows(self, query: str, *parameters: str) -> list[tuple[Any, ...]]:
        return self._engine.store.sql(_queries()[query], parameters).fetchall()

    def _code(self, state: State, step: StepState) -> str:
        ran = step.running or step.failed or step.checkpoint
        now = state.flow[step.name]
        if ran is None or ran.code == now.digest:
            return now.source
        return state.sources.get(ran.code, now.source)

    def _outputs(self, step: Unit) -> list[Message]:
        if step.checkpoint is None:
            return []
        outputs = list(step.checkpoint.outputs.items())[:_MOST_OUTPUTS]
        return [{**output_facts(name, it), "value": self.value(it)} for name, it in outputs]

    def _log(self, step: Unit, attempts: list[Message]) -> list[Message]:
        kept = next((str(attempt["log"]) for attempt in attempts if attempt["log"]), "")
        if step.error is None and step.checkpoint is not None:
            kept = step.checkpoint.log
        if not kept:
            return []
        try:
            entries = cast("list[dict[str, object]]", self._engine.values.load(kept))
        except StepwellError as problem:
            return [{"kind": "error", "text": str(problem)}]
        return log_entries(entries)

    def _attempts(self, run: str, name: str, key: str) -> list[Message]:
        return [
            {
                "attempt": attempt,
                "outcome": _ENDS.get(status, status),
                "started": started,
                "seconds": seconds,
                "worker": worker,
                "error": ": ".join(part for part in (kind, error[:2000]) if part),
                "traceback": traceback[-50_000:],
                "log": log,
            }
            for attempt, status, started, seconds, worker, kind, error, traceback, log in (
                self._rows("attempts", run, name, key)
            )
        ]

    def _calls(self, run: str, name: str, key: str) -> list[Message]:
        return [_call(*row) for row in self._rows("calls", run, name, key, key)]

    def _approvals(self, run: str, name: str, key: str) -> list[Message]:
        names = ("id", "question", "status", "requested", "decided", "by", "note")
        return [
            dict(zip(names, row, strict=True))
            for row in self._rows("approvals", run, name, key, key)
            if row[2] != "pending"
        ]

    def _history(self, name: str) -> list[Message]:
        rows = self._rows("history", name)
        found: list[Message] = []
        for at, (run, attempt, when, last, code, seconds) in enumerate(rows):
            before = rows[at + 1][4] if at + 1 < len(rows) else code
            found.append(
                {
                    "run": run,
                    "attempt": attempt,
                    "when": when,
                    "outcome": _ENDS.get(last, last),
                    "code": code,
                    "changed": code != before,
                    "seconds": seconds,
                }
            )
        return found


def _unit(step: StepState, key: str) -> Unit:
    """The step, or one of its items. Raises `InvalidUsage`."""
    if not key:
        return step
    found = step.items.by_key.get(key) if step.items is not None else None
    if found is None:
        raise InvalidUsage(f"step {step.name!r} has no item {key!r} any more")
    return found


def span_record(what: Happened) -> SpanRecord | None:
    """What the `spans` query tells of this event; None where it tells nothing."""
    event = what.event
    kind = str(type(event).__struct_config__.tag)
    if kind not in SPAN_KINDS:
        return None
    call = getattr(event, "approval", "") or getattr(event, "call", "")
    said = next((text for name in _SAID if (text := getattr(event, name, ""))), "")
    until = getattr(event, "retry_at", 0)
    return SpanRecord(kind, what.step, what.attempt, what.at, call, said, until)


def _inputs(state: State, step: StepState) -> list[Message]:
    ran = step.running or step.checkpoint or step.failed
    found: list[Message] = []
    for name, digest in (ran.inputs if ran else {}).items():
        writer = state.flow.writer_of(name)
        made = state.steps.get(writer.name) if writer else None
        output = made.checkpoint.outputs.get(name) if made and made.checkpoint else None
        if output is None or output.digest != digest:
            # The writer has run again since: of what was read only the digest is at hand.
            output = Output(digest)
        found.append({**output_facts(name, output), "from": writer.name if writer else ""})
    return found


def _call(name: str, status: str, arguments: str, result: str, body: str) -> Message:
    facts: dict[str, Any] = msgspec.json.decode(body)
    usage: dict[str, Any] = facts.get("usage") or {}
    error: dict[str, Any] = facts.get("error") or {}
    return {
        "name": name,
        "state": _ENDS.get(status, status),
        "seconds": facts.get("seconds", 0.0),
        "arguments": text_value(arguments) if arguments else None,
        "result": text_value(result) if result else None,
        "error": ": ".join(str(error[key]) for key in ("type", "message") if error.get(key)),
        "attempts": facts.get("attempts", 1),
        "model": usage.get("model", ""),
        "tokens": usage.get("input_tokens", 0) + usage.get("output_tokens", 0),
        "cost": usage.get("cost", 0.0),
    }


def plain_data(value: object) -> object:
    """The value as JSON has it. Raises `ValueError` for what JSON cannot say."""
    from pydantic_core import PydanticSerializationError, to_json

    try:
        data: object = msgspec.json.decode(to_json(value))
    except PydanticSerializationError as error:
        raise ValueError(f"it cannot be edited in a form: {error}") from error
    return data


@cache
def _queries() -> dict[str, str]:
    text = Path(__file__).with_name("details.sql").read_text(encoding="utf-8")
    parts = [part.partition("\n") for part in text.split("-- name: ")[1:]]
    return {name.strip(): body.strip().rstrip(";") for name, _, body in parts}
