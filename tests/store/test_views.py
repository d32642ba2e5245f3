"""The views that people read, over records as the orchestrator writes them."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from stepwell.flow import Step
from stepwell.orchestrator import (
    AttemptCompleted,
    AttemptFailed,
    AttemptInterrupted,
    AttemptsStarted,
    AttemptStarted,
    ErrorInfo,
    Output,
    RunSettled,
    RunStarted,
    Start,
    StepReused,
    StepsDefined,
    StepsRequested,
)
from stepwell.store import Blob, MemoryStore, Record

MakeBlob = Callable[..., Blob]

NOON = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000


class _Tape:
    """Records events a second apart."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self._at = NOON

    def __call__(self, event: msgspec.Struct, step: str = "", attempt: int = 0) -> None:
        self._at += 1_000_000
        kind = event.__struct_config__.tag
        assert isinstance(kind, str)
        body = msgspec.json.encode(event)
        self.store.commit([Record(kind, "r1", step, "", attempt, self._at, body)])

    def ask(self, query: str) -> list[tuple[object, ...]]:
        return self.store.sql(query).fetchall()


def _second(number: int) -> datetime:
    return datetime(2026, 1, 1, 12, 0, number)


@pytest.fixture
def tape(make_blob: MakeBlob) -> _Tape:
    """Give a run of two steps, of which one has failed and one was interrupted once."""
    tape = _Tape()
    value = make_blob(b'["a", "b"]', preview='["a", "b"]')
    tape(RunStarted(notebook="agent.ipynb", user="ada", host="vm"))
    steps = tuple(
        Step(name=name, source=f"{name} = 1", code=f"{name} = 1", digest=name)
        for name in ("plan", "draft", "later")
    )
    tape(StepsDefined(steps=steps))
    tape(StepsRequested(environments={"plan": "e", "draft": "e", "later": "e"}, by="run"))
    tape(AttemptStarted(key="k1"), "plan", 1)
    tape(AttemptInterrupted(), "plan", 1)
    tape(AttemptStarted(key="k1"), "plan", 2)
    tape.store.commit([Record("value", "r1", "plan", at=NOON, blob=value)])
    tape(
        AttemptCompleted(
            outputs={"queries": Output(digest=value.digest, type="list")}, seconds=1.5
        ),
        "plan",
        2,
    )
    tape(AttemptStarted(key="k2", worker="process"), "draft", 1)
    tape(
        AttemptFailed(error=ErrorInfo(type="ValueError", message="too long"), seconds=0.5),
        "draft",
        1,
    )
    return tape


def test_runs(tape: _Tape) -> None:
    """One row per run: what it is, how it stands, what it took."""
    query = "SELECT run, status, started, attempts, steps_completed, seconds FROM runs"
    assert tape.ask(query) == [("r1", "active", _second(1), 3, 1, 2.0)]
    tape(RunSettled(status="failed"))
    assert tape.ask('SELECT status, notebook, "user", host FROM runs') == [
        ("failed", "agent.ipynb", "ada", "vm")
    ]
    tape(AttemptStarted(), "draft", 2)
    assert tape.ask("SELECT status FROM runs") == [("active",)]


def test_steps(tape: _Tape) -> None:
    """One row per step of a run, as it stands now, also for one that has not begun."""
    assert tape.ask("SELECT step, status, attempts, outputs, error, source FROM steps") == [
        ("plan", "completed", 2, ["queries"], "", "plan = 1"),
        ("draft", "failed", 1, [], "ValueError: too long", "draft = 1"),
        ("later", "pending", 0, [], "", "later = 1"),
    ]
    tape(StepReused(), "plan")
    assert tape.ask("SELECT status, seconds FROM steps WHERE step = 'plan'") == [("reused", 1.5)]


def test_attempts(tape: _Tape) -> None:
    """One row per attempt, with when, where, how it ended and why."""
    query = """
        SELECT step, attempt, status, started, finished, seconds, worker, error_type, error
        FROM attempts
    """
    assert tape.ask(query) == [
        ("plan", 1, "interrupted", _second(4), _second(5), None, "kernel", "", ""),
        ("plan", 2, "completed", _second(6), _second(7), 1.5, "kernel", "", ""),
        ("draft", 1, "failed", _second(8), _second(9), 0.5, "process", "ValueError", "too long"),
    ]
    assert tape.ask("SELECT idempotency_key FROM attempts WHERE step = 'plan'") == [
        ("k1",),
        ("k1",),
    ]


def test_attempts_that_began_together_are_told_one_by_one(tape: _Tape) -> None:
    """One record holds several, and every other view has a row for each all the same."""
    starts = [("draft", "", 2), ("later", "", 1), ("later", "b", 1), ("later", "a", 1)]
    tape(
        AttemptsStarted(
            tuple(
                Start(step, item, attempt, NOON + attempt, AttemptStarted(key=f"{step}{item}"))
                for step, item, attempt in starts
            )
        )
    )
    query = "SELECT step, item, attempt, idempotency_key FROM attempts WHERE status = 'started'"
    assert tape.ask(query) == [(*start, f"{start[0]}{start[1]}") for start in starts]
    assert tape.ask("SELECT step, status, attempts, items FROM steps OFFSET 1") == [
        ("draft", "started", 2, 0),
        ("later", "started", 1, 2),
    ]
    assert tape.ask("SELECT attempts FROM runs") == [(7,)]
    assert tape.ask("SELECT count(*) FROM happenings") == [(14,)]


@pytest.mark.parametrize("name", ["values", '"values"', "stored_values"])
def test_values(tape: _Tape, name: str) -> None:
    """One row per stored value, readable, under every name it has."""
    assert tape.ask(f"SELECT outputs, type, preview, size, place, step FROM {name}") == [
        (["plan.queries"], "bytes", '["a", "b"]', 10, "row", "plan")
    ]


def test_calls_and_approvals(tape: _Tape) -> None:
    """Both are there to be queried before the first call or question, and after."""
    assert tape.ask("SELECT * FROM calls") == []
    assert tape.ask("SELECT * FROM approvals") == []
    tape.store.commit(
        [
            Record("call_completed", "r1", "plan", body=b'{"name":"llm","seconds":1.5}'),
            Record(
                "call_failed", "r1", "plan", body=b'{"name":"web","error":{"type":"Timeout"}}'
            ),
            Record(
                "approval_requested", "r1", "draft", body=b'{"approval":"a1","question":"Send?"}'
            ),
            Record(
                "approval_decided", "r1", "draft",
                body=b'{"approval":"a1","decision":"approved","by":"ada"}',
            ),
            Record(
                "approval_decided", "r1", "draft",
                body=b'{"approval":"a1","decision":"rejected","by":"bob"}',
            ),
            Record("approval_requested", "r1", "later", body=b'{"approval":"a2"}'),
        ]
    )  # fmt: skip
    assert tape.ask("SELECT name, status, seconds, error_type FROM calls") == [
        ("llm", "completed", 1.5, ""),
        ("web", "failed", None, "Timeout"),
    ]
    assert tape.ask("SELECT approval, step, question, status, decided_by FROM approvals") == [
        ("a1", "draft", "Send?", "approved", "ada"),
        ("a2", "later", "", "pending", ""),
    ]


def test_records(tape: _Tape) -> None:
    """Everything in the order it happened, its particulars as JSON."""
    assert tape.ask("SELECT count(*), min(time), max(time) FROM records") == [
        (10, _second(0), _second(9))
    ]
    query = "SELECT kind, body ->> '$.error.message' FROM records ORDER BY seq DESC LIMIT 1"
    assert tape.ask(query) == [("attempt_failed", "too long")]
