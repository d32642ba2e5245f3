"""Calls recorded in a file, and answered from it."""

import itertools
import json
import linecache
from pathlib import Path

import pytest
from effects import Effects, durable_cells, fails, written
from sessions import Notebook

from stepwell.errors import CassetteProblem
from stepwell.inside import Player, Recorder
from stepwell.store import MemoryStore

TOOLS = """
import dataclasses

@dataclasses.dataclass
class Answer:
    text: str
    score: float

class Busy(Exception):
    def __init__(self, service, *, seconds):
        super().__init__(f"{service} is busy")
        self.seconds = seconds

@stepwell.durable
async def ask(question, *, headers=None):
    effects.add(question)
    usage = {"input_tokens": 7}
    return {"text": f"about {question} #{len(effects.all)}", "usage": usage}

@stepwell.durable
def rate(text):
    effects.add(text)
    return Answer(text, 0.5)

@stepwell.durable
def book(service):
    effects.add(service)
    raise Busy(service, seconds=3)

@stepwell.durable
async def write(topic):
    for word in topic.split():
        effects.add(word)
        yield word

@stepwell.durable
async def research(topic):
    return await ask(topic)
"""
CELL = """
a = [await ask(q) for q in ("x", "y", "x")]
b = rate("good")
try: book("hotel")
except Busy as error: c = [str(error), error.seconds]
d = [word async for word in write("one two")]
e = await research("deep")
"""
OUTPUTS = ("a", "b", "c", "d", "e")


@pytest.fixture(autouse=True)
def tools(notebook: Notebook, effects: Effects) -> None:
    """A model, a scale, a service that is busy, a writer."""
    durable_cells(notebook, effects, TOOLS)


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    """Where calls are recorded."""
    return tmp_path / "cassette.json"


def record(notebook: Notebook, cassette: Path, cell: str = CELL) -> None:
    """Run a step and record what it calls."""
    notebook.session.use_cassette(Recorder(cassette))
    notebook.done("a", cell)
    notebook.session.use_cassette(None)


@pytest.fixture
def another(tmp_path: Path, effects: Effects) -> Notebook:
    """The same notebook, with nothing in its store."""
    made = Notebook(tmp_path, MemoryStore())
    durable_cells(made, effects, TOOLS)
    return made


def test_calls_are_answered_from_the_recording(
    notebook: Notebook, effects: Effects, cassette: Path, another: Notebook
) -> None:
    """Results, errors, streams, what was consumed: all as it was, and nothing is called."""
    record(notebook, cassette)
    effects.take()
    another.session.use_cassette(Player(cassette))
    another.done("a", CELL)
    assert effects.take() == []
    for name in OUTPUTS:
        assert repr(another.names[name]) == repr(notebook.names[name])
    assert another.view("a").tokens == notebook.view("a").tokens > 0
    another.session.close()


def test_the_file_can_be_read_and_does_not_depend_on_time(
    notebook: Notebook, effects: Effects, cassette: Path, another: Notebook
) -> None:
    """Sorted, one block to a call; recorded again in another order it is the same."""
    record(notebook, cassette)
    first = cassette.read_text()
    calls = json.loads(first)["calls"]
    assert [(it["call"], it.get("number", 0)) for it in calls] == [
        ("ask", 0),
        ("ask", 1),
        ("ask", 0),
        ("book", 0),
        ("rate", 0),
        ("research", 0),
        ("write", 0),
    ]
    assert calls[0]["arguments"] == {"question": "x", "headers": None}
    assert calls[4]["result"]["v"][1] == {"text": "good", "score": 0.5}
    effects.take()
    lines = CELL.strip().splitlines()
    record(another, cassette, "\n".join([*lines[1:], lines[0]]).replace("#", "#"))
    again = json.loads(cassette.read_text())["calls"]
    assert [it["arguments"] for it in again] == [it["arguments"] for it in calls]
    another.session.close()


def test_recording_what_the_store_answers_gives_the_same_file(
    notebook: Notebook, effects: Effects, cassette: Path
) -> None:
    """Only what had failed is called again. Calls inside others are not made: what the file has
    of them stays, and a new file has nothing of them.
    """
    record(notebook, cassette)
    first = cassette.read_text()
    effects.take()
    record(notebook, cassette, CELL + "f = 1\n")
    assert effects.take() == ["hotel"]
    assert cassette.read_text() == first
    cassette.unlink()
    record(notebook, cassette, CELL + "f = 2\n")
    whole, bare = json.loads(first)["calls"], json.loads(cassette.read_text())["calls"]
    assert [{**it, "code": 0, "calls": 0} for it in bare] == [
        {**it, "code": 0, "calls": 0} for it in whole
    ]


def test_a_call_that_is_not_recorded_fails_with_the_difference(
    notebook: Notebook, effects: Effects, cassette: Path, another: Notebook
) -> None:
    """To the nearest that is; it is not made, and not remembered as failed."""
    record(notebook, cassette)
    effects.take()
    another.session.use_cassette(Player(cassette))
    fails(another, "a", CELL.replace('"y"', '"why"'))
    said = message(another)
    assert "call 'ask' of step 'a' is not in cassette.json" in said
    assert '-    "question": "y"' in said
    assert '+    "question": "why"' in said
    assert effects.take() == []
    assert written(another, "call_failed") == []
    fails(another, "a", CELL.replace('"x")]', '"x", "x")]'))
    assert "made once more" in message(another)
    another.session.close()


def message(notebook: Notebook) -> str:
    """The error of step `a`, in full."""
    error = notebook.view("a").error
    assert error is not None
    return error.message


_number = itertools.count()
AGENT = """
@stepwell.durable(approve=approve)
async def agent(task, rounds=2):
    found = []
    for n in range(rounds):
        found.append((await ask(f"{task} {n}"))["text"])
    return " | ".join(found)
"""


def agents(notebook: Notebook, effects: Effects, source: str = AGENT) -> None:
    """An agent that asks several times, and may itself have to be allowed."""

    def approve(task: str, rounds: int = 2) -> bool:
        return effects.gate.is_set()

    notebook.names["approve"] = approve
    # As in a notebook, whose cells can be read again.
    name = f"<cell {next(_number)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), notebook.names)


def test_calls_inside_others_stand_below_them(
    notebook: Notebook, effects: Effects, cassette: Path
) -> None:
    """With a digest of the code that has made them."""
    agents(notebook, effects)
    record(notebook, cassette, "a = await agent('sum')")
    [outer] = json.loads(cassette.read_text())["calls"]
    assert [it["arguments"]["question"] for it in outer["calls"]] == ["sum 0", "sum 1"]
    assert "step" not in outer["calls"][0]
    assert len(outer["code"]) == 32


def test_a_changed_call_is_made_of_the_calls_inside_it(
    notebook: Notebook, effects: Effects, cassette: Path, another: Notebook
) -> None:
    """Other arguments, or other code: its function runs, and nothing is called, nobody asked."""
    agents(notebook, effects)
    record(notebook, cassette, "a = await agent('sum')")
    effects.take()
    effects.gate.set()
    another.session.use_cassette(Player(cassette))
    agents(another, effects)
    first = notebook.names["a"].split(" | ")
    assert another.done("a", "a = await agent('sum', rounds=1)") == first[0]
    agents(another, effects, AGENT.replace('" | "', '" & "'))
    assert another.done("a", "a = await agent('sum')\nb = 1") == " & ".join(first)
    another.session.begin_fresh()
    agents(another, effects, AGENT.replace("(approve=approve)", "  # decorators do not count"))
    assert another.done("a", "a = await agent('sum')\nc = 1") == " | ".join(first)
    assert effects.take() == []
    another.session.close()


def test_a_call_inside_a_changed_one_that_is_not_recorded_fails_with_the_difference(
    notebook: Notebook, effects: Effects, cassette: Path, another: Notebook
) -> None:
    """To the nearest, wherever that is; and one that was recorded whole is not made."""
    agents(notebook, effects)
    record(notebook, cassette, "a = await agent('sum')\nb = rate('good')")
    effects.take()
    another.session.use_cassette(Player(cassette))
    agents(another, effects)
    fails(another, "a", "a = await agent('sum', rounds=3)")
    assert "call 'ask' of step 'a' is not in" in message(another)
    assert '+    "question": "sum 2"' in message(another)
    fails(another, "a", "a = rate('bad')")
    assert "call 'rate' of step 'a' is not in" in message(another)
    assert effects.take() == []
    another.session.close()


def test_calls_that_were_put_into_a_function_or_taken_out_are_found(
    notebook: Notebook, effects: Effects, cassette: Path, another: Notebook
) -> None:
    """The same question has the same answer."""
    agents(notebook, effects)
    record(notebook, cassette, "a = await agent('sum')")
    effects.take()
    another.session.use_cassette(Player(cassette))
    another.done("a", "a = [await ask('sum 0'), await ask('sum 1')]")
    assert " | ".join(it["text"] for it in another.names["a"]) == notebook.names["a"]
    assert effects.take() == []
    another.session.close()


def test_a_renamed_step_has_the_same_calls(
    notebook: Notebook, effects: Effects, cassette: Path, another: Notebook
) -> None:
    """The step's name is looked at first, and is not needed."""
    record(notebook, cassette)
    effects.take()
    another.session.use_cassette(Player(cassette))
    another.done("b", CELL)
    assert effects.take() == []
    another.session.close()


def test_a_recording_is_kept_up_to_date_step_by_step(notebook: Notebook, cassette: Path) -> None:
    """What a step does not call any more is gone; other steps' calls stay."""
    notebook.session.use_cassette(Recorder(cassette))
    notebook.done("a", "a = rate('one')")
    notebook.done("b", "b = rate('two')")
    notebook.session.use_cassette(None)
    notebook.session.use_cassette(Recorder(cassette))
    notebook.done("a", "a = rate('three')")
    notebook.session.use_cassette(None)
    calls = json.loads(cassette.read_text())["calls"]
    assert [it["arguments"]["text"] for it in calls] == ["three", "two"]


def test_the_file_is_free_of_secrets(notebook: Notebook, cassette: Path) -> None:
    """By type, by name, by look; and a recording made with one key answers another."""
    durable_cells(
        notebook,
        Effects(),
        "from pydantic import SecretStr\n"
        "@stepwell.durable\n"
        "def get(url, key, headers):\n"
        "    return {'url': url, 'session_token': 'tell-nobody', 'n_tokens': 3}\n",
    )
    call = "a = get('/1', SecretStr(mine), {'Authorization': mine, 'x': f'sk-{mine}-{mine}'})"
    notebook.names["mine"] = "hush-1234567"
    record(notebook, cassette, call)
    text = cassette.read_text()
    assert "hush" not in text
    assert "tell-nobody" not in text
    assert '"n_tokens": 3' in text
    notebook.session.begin_fresh()
    notebook.session.use_cassette(Player(cassette))
    notebook.names["mine"] = "another-key-12"
    notebook.done("a", call)
    assert notebook.names["a"]["url"] == "/1"


def test_a_result_that_only_pickle_brings_back_cannot_be_recorded(
    notebook: Notebook, cassette: Path
) -> None:
    """It is named; a file that is shared holds nothing that runs code."""
    durable_cells(
        notebook,
        Effects(),
        "class Odd:\n"
        "    def __reduce__(self): return (Odd, ())\n"
        "@stepwell.durable\n"
        "def odd(): return Odd()\n",
    )
    notebook.session.use_cassette(Recorder(cassette))
    assert "call 'odd' of step 'a' cannot be recorded" in fails(notebook, "a", "a = [odd()]")
    notebook.session.use_cassette(None)
    notebook.done("a", "a = [odd()]")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"stepwell": "recorded calls 9", "calls": []}', '{"calls": 1}']
)
def test_a_file_that_is_no_recording_is_refused(cassette: Path, content: str) -> None:
    """Before anything runs; so is one that is not there."""
    with pytest.raises(CassetteProblem, match=r"no recording at .*%stepwell record"):
        Player(cassette)
    cassette.write_text(content)
    with pytest.raises(CassetteProblem, match=r"no recording|Record it anew"):
        Player(cassette)


def test_in_plain_python(tmp_path: Path, effects: Effects, cassette: Path) -> None:
    """`stepwell.run(record=…)` and `stepwell.run(replay=…)`."""
    import stepwell

    @stepwell.durable
    def look(word: str) -> str:
        effects.add(word)
        return word.upper()

    @stepwell.step(out="found", defer=True)
    def search(word: str) -> str:
        return look(word)

    with stepwell.run(steps=[search], record=cassette, word="x") as run:
        assert run["found"] == "X"
    with stepwell.run(steps=[search], replay=cassette, word="x") as run:
        assert run["found"] == "X"
    assert effects.take() == ["x"]
    with pytest.raises(stepwell.StepwellError, match="choose one"):
        stepwell.run(steps=[search], replay=cassette, record=cassette, word="x")
