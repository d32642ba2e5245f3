"""The same in plain Python: functions, steps by steps, and other notebooks as agents."""

import asyncio
from pathlib import Path
from typing import Any

import nbformat
import pytest

import stepwell
from stepwell.errors import InvalidUsage, StepFailed
from stepwell.store import MemoryStore
from tests.support.sessions import Notebook

_format: Any = nbformat


@stepwell.agent
async def doubled(text: str, times: int = 2) -> str:
    """Say it more than once."""
    await asyncio.sleep(0)
    return text * times


@stepwell.agent
def plain(number: int) -> list[int]:
    """Without await."""
    return [number, number + 1]


report = stepwell.agent(
    "report", parameters={"topic": str, "depth": (int, 1)}, out={"text": str, "count": int}
)


@report.step(out="hits")
async def look(topic: str, depth: int) -> list[str]:
    """It calls another agent."""
    return [await doubled(topic) for _ in range(depth)]


@report.step(out=("text", "count"))
def write(hits: list[str]) -> tuple[str, int]:
    """Two outputs."""
    return ", ".join(hits), len(hits)


@stepwell.step(out="answers", defer=True)
async def ask(topic: str) -> list[Any]:
    """Calls them all."""
    first = await doubled(topic, times=3)
    second = await report(topic=topic, depth=2)
    return [first, second.text, second.count, await plain(number=4)]


def test_functions_are_agents(tmp_path: Path) -> None:
    """Called from a function step of a script; each call is a run, found again next time."""
    for _ in range(2):
        with stepwell.run(tmp_path / "s.duckdb", steps=[ask], topic="ab") as run:
            assert run["answers"] == ["ababab", "abab, abab", 2, [4, 5]]
    with stepwell.open(tmp_path / "s.duckdb") as store:
        rows = store.sql("select flow, count(*) from runs group by flow order by flow").fetchall()
        above = store.sql("select distinct flow, caller, depth from runs order by all").fetchall()
    assert rows == [("", 1), ("doubled", 3), ("plain", 1), ("report", 1)]
    assert above == [
        ("", "", 0),
        ("doubled", "ask", 1),
        ("doubled", "look", 2),
        ("plain", "ask", 1),
        ("report", "ask", 1),
    ]


def test_an_agent_keeps_its_types() -> None:
    """For whoever reads it, and for pydantic."""
    assert repr(doubled) == "<agent doubled(text: str, times: int = 2) -> result: str: 1 steps>"
    assert doubled.__doc__ == "Say it more than once."
    assert repr(report).startswith("<agent report(topic: str, depth: int = 1) -> text: str, count")


def test_outside_of_a_step_nothing_is_called() -> None:
    """It would not be durable."""
    with pytest.raises(InvalidUsage, match="agent 'doubled' runs inside a step"):
        asyncio.run(doubled("a"))


@pytest.mark.parametrize("what", [3, "researcher", None])
def test_what_is_no_agent_is_refused(what: Any) -> None:
    """Saying what there is."""
    with pytest.raises(InvalidUsage, match="give it a function, the path of a notebook"):
        stepwell.agent(what)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A notebook with parameters, a setup cell and two steps."""
    new: Any = _format.v4
    declared = new.new_code_cell("city: str = 'Oslo'\ndays = 2")
    declared.metadata["tags"] = ["parameters"]
    cells = [
        new.new_code_cell("%load_ext stepwell"),
        declared,
        new.new_code_cell("%%setup\nimport math\ndef warm(it):\n    return math.ceil(it) * factor"),
        new.new_code_cell("%%setup\nfactor = 10"),
        new.new_markdown_cell("# Not code"),
        new.new_code_cell("%%step forecast\nseries = [warm(day + 0.5) for day in range(days)]"),
        new.new_code_cell("raise SystemExit('an ordinary cell is not run')"),
        new.new_code_cell("%%step summary\ntext = f'{city}: {series}'"),
    ]
    path = tmp_path / "weather report.ipynb"
    _format.write(new.new_notebook(cells=cells), path)
    return path


def test_another_notebooks_flow_is_an_agent(tmp_path: Path, other: Path) -> None:
    """Its parameters go in by name, its outputs come out by name, on this store."""
    weather = stepwell.agent(other)

    @stepwell.step(out="found", defer=True)
    async def call() -> list[Any]:
        both = await weather(city="Rome")
        return [both.text, both.series, (await weather(days=1)).text]

    with stepwell.run(tmp_path / "s.duckdb", steps=[call]) as run:
        assert run["found"] == ["Rome: [10, 20]", [10, 20], "Oslo: [10]"]


def test_of_another_notebook_one_output_can_be_asked_for(tmp_path: Path, other: Path) -> None:
    """Then it is the value; a parameter of the wrong type is refused."""
    weather = stepwell.agent(other, name="weather", out="text")

    @stepwell.step(out="found", defer=True)
    async def call(city: Any) -> str:
        answer: str = await weather(city=city)
        return answer

    with stepwell.run(tmp_path / "s.duckdb", steps=[call], city="Rome") as run:
        assert run["found"] == "Rome: [10, 20]"
    with pytest.raises(StepFailed, match=r"parameter 'city' is an int \(7\), expected str"):
        stepwell.run(tmp_path / "s.duckdb", steps=[call], city=7)


def test_a_notebook_that_is_not_there_is_told(tmp_path: Path) -> None:
    """When it is named, not when it is called."""
    with pytest.raises(InvalidUsage, match="there is no notebook at"):
        stepwell.agent(tmp_path / "none.ipynb")


AGENTS = (
    ("parameters", "city = 'Oslo'\nunits = 'C'"),
    ("", "%load_ext stepwell\n%agent measure(hour: int) -> degrees: str"),
    ("", "%%setup\nasync def sign(n):\n    return '-' if n % 2 else '+'"),
    ("", "%%step scale\nfactor = len(city)"),
    ("", "%%step read --agent measure\nfound = await sign(hour) + str(hour * factor) + units"),
    ("", "%%step check --agent measure\ndegrees = f'{city} {found}'"),
    ("", "%agent worst(hours: int, depth: int = 2) -> all --max-depth 4"),
    (
        "",
        "%%step try_all --agent worst\nmine = [await measure(h) for h in range(hours)]\n"
        "all = mine + (await worst(1, depth=depth - 1) if depth else [])",
    ),
    ("", "%%step report\ntext = await worst(hours, depth)\n_ = city"),
)


def written(path: Path, cells: Any, **more: str) -> Path:
    """A notebook of these cells, each with its tag; `more` parameters."""
    new: Any = _format.v4
    made: list[Any] = []
    for tag, source in cells:
        given = "".join(f"\n{name} = {value}" for name, value in more.items()) if tag else ""
        cell = new.new_code_cell(source + given)
        cell.metadata["tags"] = [tag] if tag else []
        made.append(cell)
    _format.write(new.new_notebook(cells=made), path)
    return path


def test_a_notebook_that_uses_agents_is_an_agent(tmp_path: Path) -> None:
    """They find its parameters, setup and steps; their names are its own, whatever others are."""
    path = written(tmp_path / "inner.ipynb", AGENTS, hours="2", depth="1")
    weather = stepwell.agent(path, name="weather", out="text")

    @stepwell.agent
    async def measure(hour: int) -> str:
        raise ValueError(f"another agent of this name was called: {hour}")

    @stepwell.step(out="found", defer=True)
    async def call(city: str) -> Any:
        return await weather(city=city)

    @stepwell.step(out="mine", defer=True)
    async def call_mine(found: Any) -> str:
        try:
            return str(await measure(1))
        except stepwell.StepwellError as error:
            return str(error)

    expected = ["Rome +0C", "Rome -4C", "Rome +0C"]
    with stepwell.run(tmp_path / "s.duckdb", steps=[call, call_mine], city="Rome") as run:
        assert run["found"] == expected
        assert "another agent of this name" in run["mine"]
    with stepwell.open(tmp_path / "s.duckdb") as store:
        flows = store.sql("select flow, count(*) from runs group by all order by 1").fetchall()
    assert flows == [("", 1), ("measure", 4), ("weather", 1), ("worst", 2)]


def test_an_edited_agent_of_another_notebook_makes_its_caller_stale(tmp_path: Path) -> None:
    """As if it were of this one; what has not changed is not run again."""
    notebook, cells = Notebook(tmp_path, MemoryStore()), list(AGENTS)
    for unit in ("C", "F"):
        cells[5] = ("", f"%%step check --agent measure\ndegrees = f'{{city}} {{found}} {unit}'")
        path = written(tmp_path / "inner.ipynb", cells, hours="1", depth="0")
        notebook.names["weather"] = stepwell.agent(path, name="weather", out="text")
        assert notebook.done("found", "found = await weather()") == [f"Oslo +0C {unit}"]
    kinds = ["attempt_completed"]
    done = [row.step for row in notebook.session.engine.store.rows(kinds=kinds)]
    notebook.session.close()
    assert (done.count("scale"), done.count("read"), done.count("check")) == (1, 1, 2)


def test_an_agent_of_another_notebook_may_not_call_itself_without_end(tmp_path: Path) -> None:
    """To the depth that its line allows."""
    path = written(tmp_path / "inner.ipynb", AGENTS, hours="0", depth="9")
    weather = stepwell.agent(path, name="weather", out="text")

    @stepwell.step(out="found", defer=True)
    async def call() -> Any:
        return await weather()

    with pytest.raises(StepFailed, match="agent 'weather' failed at its step 'report'"):
        stepwell.run(tmp_path / "s.duckdb", steps=[call])
    with stepwell.open(tmp_path / "s.duckdb") as store:
        said = store.sql("select error from attempts where status = 'failed'").fetchall()
    assert any("'worst' is called 4 runs deep" in str(row) for row in said)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([("", "%%step a --agent lost\nx = 1")], "belongs to an agent 'lost' that no %agent"),
        ([("", "%agent one(x: int) -> y")], "no %%step cells of its own; its agents are one"),
        ([("", "%agent inner(x: int) -> y"), ("", "%%step a\nx = 1")], "is its own name here"),
    ],
)
def test_a_notebook_that_is_no_agent_says_why(tmp_path: Path, cells: Any, said: str) -> None:
    """When it is named."""
    with pytest.raises(InvalidUsage, match=said):
        stepwell.agent(written(tmp_path / "inner.ipynb", cells))
