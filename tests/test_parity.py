"""Everything a magic does, a plain Python function does too: the tables are compared."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import stepwell
from stepwell.arguments import PolicyArguments
from stepwell.errors import InvalidUsage, UnknownRun, UnknownStep
from stepwell.magics._step import STEP_OPTIONS
from stepwell.magics._verbs import VERBS

METHODS = {"approve": "decide", "reject": "decide", "respond": "decide"}
"""Verbs whose method has another name."""

ARGUMENTS: dict[tuple[str, str], str] = {
    ("plan", "--json"): "",  # it is data
    ("fork", "--from"): "start",
    ("fork", "--set"): "given",
    ("restore", "--into"): "",  # it is what is returned
    ("approve", "--set"): "value",
    ("approve", "--note"): "reason",
    ("limit", "--rate"): "rate per",
    ("limit", "--off"): "",  # without numbers
    ("budget", "--time"): "seconds",
    ("store", "--keep"): "",  # run.prune(runs=…, seconds=…)
}
"""Options of verbs that are arguments of another name, or none."""

STORE_METHODS = ("vacuum", "prune", "check", "snapshot")
"""What comes after `%stepwell store`; with a path, `stepwell.run(PATH)` is on that store."""

STEP_ARGUMENTS = {
    "--in": "",  # a function's parameters
    "--agent": "",  # stepwell.agent(…).step
}


def parameters(method: Callable[..., Any]) -> set[str]:
    """Names that can be given; those that a method takes by ** stand in its docstring."""
    found = set(inspect.signature(method).parameters)
    if "limits" in found:
        text = inspect.getdoc(method) or ""
        found |= {word.strip("`.") for word in text.replace(",", " ").split() if word[:1] == "`"}
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_a_method_with_its_options(verb: str) -> None:
    """Of the run that `stepwell.run` and `stepwell.notebook` give."""
    method = getattr(stepwell.Run, METHODS.get(verb, verb))
    for option in VERBS[verb].options:
        plain = option.name.removeprefix("--").replace("-", "_")
        for name in ARGUMENTS.get((verb, option.name), plain).split():
            assert name in parameters(method), f"{verb} {option.name}"
    if verb == "store":
        assert all(hasattr(stepwell.Run, name) for name in STORE_METHODS)


def test_nothing_is_excepted_that_there_is_not() -> None:
    """The exceptions above are about verbs and options that exist."""
    there = {(verb.name, option.name) for verb in VERBS.values() for option in verb.options}
    assert set(ARGUMENTS) <= there
    assert set(METHODS) <= set(VERBS)
    assert set(STEP_ARGUMENTS) <= {option.name for option in STEP_OPTIONS}


def test_every_option_of_a_step_is_an_argument_of_the_decorator() -> None:
    """And the other way round."""
    known = set(inspect.signature(stepwell.step).parameters) | set(PolicyArguments.__annotations__)
    for option in STEP_OPTIONS:
        if not option.later:
            name = option.name.removeprefix("--").replace("-", "_")
            assert STEP_ARGUMENTS.get(option.name, name) in {"", *known}, option.name
    names = {option.name.removeprefix("--").replace("-", "_") for option in STEP_OPTIONS}
    assert set(PolicyArguments.__annotations__) <= names


# -- what the methods do ------------------------------------------------------------------------

factor = 2


def numbers() -> list[int]:
    """A step's function."""
    return [1, 2, 3]


def total(values: list[int], factor: int) -> int:
    """Another one."""
    return sum(values) * factor


def undo_total(result: int) -> None:
    """What undoes it."""
    undone.append(result)


undone: list[int] = []


@pytest.fixture
def run(tmp_path: Path) -> Iterator[stepwell.Run]:
    """A run of two steps, done."""
    undone.clear()
    steps = [
        stepwell.step(name="numbers", out="values")(numbers),
        stepwell.step(name="total", out="result")(total),
        stepwell.step(name="undo_total", undo_of="total")(undo_total),
    ]
    with stepwell.run(tmp_path / "n.duckdb", steps=steps) as made:
        yield made


def test_a_run_is_looked_at(run: stepwell.Run) -> None:
    """Its state, its plan, a step, its past; what is not there is said."""
    assert run["result"] == 12
    assert (run.status, run.runs()) == ("completed", [run.id])
    assert {row.step: row.action for row in run.plan()}["total"] == "reuse"
    assert run.show("total").outputs["result"].preview == "12"
    assert [it.outcome for it in run.history("total")] == ["done"]
    assert "total" in str(run.view())
    assert vars(run.restore("total"))["result"] == 12
    assert run.sql("select count(*) from steps").fetchall() == [(3,)]
    for wrong in (lambda: run.show("totl"), lambda: run.plan("totl"), lambda: run.rerun("totl")):
        with pytest.raises(UnknownStep, match="total"):
            wrong()
    with pytest.raises(UnknownRun):
        run.diff("nonsense")


def test_a_run_is_steered(run: stepwell.Run) -> None:
    """Paused, gone on with, run again, forked, undone."""
    run.pause()
    run.rerun("total")
    assert run.show("total").held
    assert run.resume() == []
    run.wait("total", timeout=20)
    assert len(run.history("total")) == 2
    first = run.id
    run.fork(given={"values": [5]})
    run.wait(timeout=20)
    assert run["result"] == 10
    changed = {it.step for it in run.diff(first) if not it.is_same}
    assert {"numbers", "total"} <= changed
    run.cancel(undo=True)
    run.wait("undo_total", timeout=20)
    assert undone == [10]
    run.forget("undo_total")
    assert "undo_total" not in run.steps()
    run.limit("model", concurrent=2)
    assert run.limits()["model"].concurrent == 2
    run.budget(calls=5)
    run.budget(off=True)
    run.stop()


def test_a_run_looks_after_its_store(run: stepwell.Run, tmp_path: Path) -> None:
    """Checked, copied, written anew; and exported as a script."""
    assert run.store == tmp_path / "n.duckdb"
    assert run.check() == []
    run.snapshot(tmp_path / "copy.duckdb")
    assert (tmp_path / "copy.duckdb").exists()
    run.run(fresh=True)
    run.wait(timeout=20)
    run.prune(runs=1)
    assert run.runs() == [run.id]
    run.vacuum()
    run.export(tmp_path / "script.py")
    assert "stepwell.run" in (tmp_path / "script.py").read_text()


def test_a_notebooks_run_is_had_in_a_notebook_alone() -> None:
    """Anywhere else there is `stepwell.run`."""
    with pytest.raises(InvalidUsage, match=r"stepwell\.run"):
        stepwell.notebook()
