"""What calls consume: recognised, told, and counted once."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from effects import Effects, durable_cells, fails, written
from sessions import Notebook

import stepwell
from stepwell.inside._usage import as_usage, total, usage_of
from stepwell.orchestrator import Usage


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"usage": {"input_tokens": 7, "output_tokens": 2}, "model": "m"}, Usage(7, 2, 0, "m")),
        (
            SimpleNamespace(usage=SimpleNamespace(prompt_tokens=7, completion_tokens=2), model="m"),
            Usage(7, 2, 0, "m"),
        ),
        ({"usage": {"input_tokens": 7, "cost": 0.5}}, Usage(7, 0, 0.5)),
        ({"usage_metadata": {"prompt_token_count": 3, "candidates_token_count": 1}}, Usage(3, 1)),
        ({"usage": "heavy"}, None),
        ({"usage": None}, None),
        ({}, None),
        ("usage", None),
        (SimpleNamespace(usage=lambda: 1 / 0), None),
    ],
)
def test_usage_is_recognised(result: Any, expected: Usage | None) -> None:
    """In the words of the model APIs; anything else says nothing."""
    assert usage_of(result) == expected


def test_usage_may_be_told_in_several_ways() -> None:
    """A number is a cost; parts add up."""
    assert as_usage(0.25) == Usage(cost=0.25)
    assert as_usage({"prompt_tokens": 4, "cost": 1}) == Usage(4, 0, 1.0)
    assert as_usage(None) is None
    assert total([]) is None
    assert total([Usage(1, 2, 0.5, "a"), Usage(3, 4, 0.25)]) == Usage(4, 6, 0.75, "a")


MODEL = """
@stepwell.durable
async def ask(question):
    effects.add(question)
    used = {"input_tokens": 10, "output_tokens": 5}
    return {"answer": question.upper(), "model": "m", "usage": used}

@stepwell.durable(usage=lambda answer: {"input_tokens": len(answer), "cost": 0.5})
def price(question):
    return question * 2

@stepwell.durable(retries=1, backoff=0)
def costly():
    stepwell.cost(0.25)
    effects.add("costly")
    if effects.all.count("costly") == 1:
        raise ConnectionError
    return 1
"""


@pytest.fixture(autouse=True)
def tools(notebook: Notebook, effects: Effects) -> None:
    """A model that counts."""
    durable_cells(notebook, effects, MODEL)


def test_usage_is_stored_with_the_call(notebook: Notebook) -> None:
    """Recognised in the result, found by a function, said from inside; tries add up."""
    notebook.done("a", "await ask('x'); price('abc'); costly(); stepwell.usage(output_tokens=3)")
    calls = written(notebook, "call_completed")
    assert {it.get("name"): msgspec.convert(it["usage"], Usage) for it in calls} == {
        "ask": Usage(10, 5, 0.0, "m"),
        "price": Usage(6, 0, 0.5),
        "costly": Usage(cost=0.5),
        None: Usage(0, 3),
    }


def test_the_views_show_what_was_consumed(notebook: Notebook) -> None:
    """One row to a call in `calls`; sums by step, function and model in `costs`."""
    notebook.done("a", "await ask('x'); await ask('y'); price('abc'); stepwell.cost(2)")
    sql = notebook.session.engine.store.sql
    calls = "SELECT name, arguments, result, attempts, input_tokens, cost, model FROM calls"
    assert sql(calls + " WHERE name = 'price'").fetchall() == [
        ("price", '{"question":"abc"}', '"abcabc"', 1, 6, 0.5, "")
    ]
    assert sql("SELECT count(*), sum(output_tokens) FROM calls").fetchall() == [(3, 10)]
    costs = "SELECT step, name, model, calls, input_tokens, output_tokens, cost FROM costs"
    assert sql(costs).fetchall() == [
        ("a", "ask", "m", 2, 20, 10, 0.0),
        ("a", "price", "", 1, 6, 0, 0.5),
        ("a", "", "", 0, 0, 0, 2.0),
    ]


def test_a_call_within_a_call_says_so(notebook: Notebook, effects: Effects) -> None:
    """By the key of the call around it."""
    source = "@stepwell.durable\nasync def research(topic): return await ask(topic)\n"
    durable_cells(notebook, effects, source)
    notebook.done("a", "await research('t')")
    sql = notebook.session.engine.store.sql
    rows = sql("SELECT name, key, within FROM calls").fetchall()
    (inner, _, within), (outer, key, top) = rows
    assert (inner, outer, top) == ("ask", "research", "")
    assert within == key


def test_a_result_that_is_handed_on_is_counted_once(notebook: Notebook, effects: Effects) -> None:
    """A call that returns what a call inside it has returned has not consumed that again."""
    durable_cells(notebook, effects, "@stepwell.durable\nasync def agent(q): return await ask(q)\n")
    notebook.done("a", "await agent('x')")
    assert notebook.view("a").tokens == 15


def test_what_is_answered_from_the_store_costs_nothing(notebook: Notebook) -> None:
    """Neither do calls, nor what the step itself has said."""
    source = "await ask('x'); stepwell.cost(2)"
    fails(notebook, "a", source + "\nraise ValueError")
    notebook.done("a", source)
    assert len(written(notebook, "call_completed")) == 2


def test_outside_of_steps_nothing_is_counted() -> None:
    """A tool may say what it costs wherever it is used."""
    stepwell.cost(1.0)
    stepwell.usage(input_tokens=3)
