"""Agents called from steps: runs of their own, durable, checked, seen, and ended with them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stepwell.errors import InvalidUsage, StepFailed, UnknownName
from stepwell.flow import MapOver, Policies, Retry
from stepwell.orchestrator import Phase, RunContinued, RunPaused, calls_of, load, runs
from stepwell.session._forking import fork
from stepwell.session._reports import all_runs
from stepwell.store import MemoryStore
from tests.support.sessions import Notebook

TICK = """
def tick(what):
    with open(place, "a") as file:
        file.write(what + " ")
"""


class Agents(Notebook):
    """A notebook with agents."""

    def __init__(self, folder: Path, store: MemoryStore) -> None:
        super().__init__(folder, store)
        self.folder = folder
        self.names["__name__"] = "__main__"

    def agent(self, signature: str, max_depth: int = 10) -> Any:
        """An `%agent` line."""
        return self.session.define_agent(signature, max_depth=max_depth)

    def of(self, agent: str, name: str, source: str, **options: Any) -> None:
        """A `%%step … --agent` cell."""
        self.step(name, source, flow=agent, **options)

    def flows(self) -> list[str]:
        """The agents of the runs there are, oldest first."""
        return [event.flow for _, _, event in runs(self.session.engine.store)]

    def close(self) -> None:
        """The kernel ends."""
        self.session.close()


@pytest.fixture
def notebook(tmp_path: Path) -> Any:
    """In memory."""
    made = Agents(tmp_path, MemoryStore())
    yield made
    made.close()


def note_in(notebook: Agents) -> None:
    """Give the notebook a function that notes what runs."""
    notebook.names["place"] = str(notebook.folder / "ran")
    exec(TICK, notebook.names)


def researcher(notebook: Agents) -> None:
    """An agent of two steps, which counts how often each runs."""
    note_in(notebook)
    notebook.agent("researcher(topic: str, depth: int = 1) -> report")
    notebook.of("researcher", "look", "tick('look')\nhits = [topic] * depth")
    notebook.of("researcher", "write", "tick('write')\nreport = ', '.join(hits)")


def ran(notebook: Agents) -> list[str]:
    """What has run, as noted outside of everything that is stored."""
    noted = notebook.folder / "ran"
    return sorted(noted.read_text().split()) if noted.exists() else []


def test_a_step_calls_an_agent_and_gets_its_result(notebook: Agents) -> None:
    """One output is the value itself; nothing of the agent's shows in the notebook."""
    researcher(notebook)
    report = notebook.done("report1", "report1 = await researcher(topic='ice', depth=2)")
    assert report == "ice, ice"
    assert not {"hits", "report"} & set(notebook.names)
    assert notebook.flows() == ["", "researcher"]


def test_the_card_tells_the_runs_that_a_step_has_called(notebook: Agents) -> None:
    """With their parameters, for people."""
    researcher(notebook)
    notebook.done("report1", "report1 = await researcher('ice')")
    (child,) = notebook.view("report1").children
    assert (child.agent, child.status) == ("researcher", "completed")
    assert child.parameters == 'topic="ice", depth=1'


def test_many_calls_run_at_once(notebook: Agents) -> None:
    """Each a run of its own, also with equal parameters."""
    researcher(notebook)
    source = (
        "import asyncio\nreports = await asyncio.gather(*(researcher(t) for t in ['a', 'b', 'b']))"
    )
    notebook.step("reports", source)
    notebook.session.wait(["reports"], timeout=20)
    assert notebook.names["reports"] == ["a", "b", "b"]
    assert notebook.flows().count("researcher") == 3


def test_several_outputs_come_by_name(notebook: Agents) -> None:
    """And in order, for whoever takes them apart."""
    notebook.agent("split(text: str) -> head, tail: list[str]")
    notebook.of("split", "cut", "head, *tail = text.split()")
    source = "parts = await split('a b c')\none = parts.head\nhead, tail = parts\ntwo = tail"
    notebook.done("cut", source, outputs=["one", "two"])
    assert (notebook.names["one"], notebook.names["two"]) == ("a", ["b", "c"])


def test_a_function_step_without_await_calls_an_agent(notebook: Agents) -> None:
    """`run` waits on the step's own thread."""
    researcher(notebook)
    assert notebook.done("report1", "report1 = researcher.run(topic='ice')") == "ice"


def test_an_agent_finds_the_notebook_as_it_was_when_its_caller_was_asked_for(
    notebook: Agents,
) -> None:
    """Helpers, constants and outputs of the notebook's steps, each of which counts."""
    notebook.names["factor"] = 3
    notebook.step("load", "corpus = 'abc'")
    notebook.agent("repeat(word: str) -> out")
    notebook.of("repeat", "many", "out = (word + corpus) * factor")
    source = "result = await repeat('x')"
    notebook.step("result", source)
    notebook.names["factor"] = 1
    notebook.session.wait(["result"], timeout=20)
    assert notebook.names["result"] == "xabcxabcxabc"
    assert notebook.done("result", source) == "xabc"


def test_an_agent_calls_itself_to_the_depth_that_is_allowed(notebook: Agents) -> None:
    """The way out is in the message."""
    notebook.agent("count(n: int) -> total", max_depth=3)
    notebook.of("count", "down", "total = 0 if n == 0 else 1 + await count(n - 1)")
    assert notebook.done("two", "two = await count(2)") == 2
    with pytest.raises(StepFailed, match="agent 'count' failed at its step 'down'"):
        notebook.done("three", "three = await count(3)")
    states = [load(notebook.session.engine.store, run) for run, _, _ in runs_of(notebook)]
    depths = [state.started.depth for state in states if state.started is not None]
    assert max(depths) == 3
    said = [step.error.message for state in states for step in state.steps.values() if step.error]
    assert any("is called 3 runs deep" in text and "--max-depth" in text for text in said)


def runs_of(notebook: Agents) -> Any:
    """All there are."""
    return runs(notebook.session.engine.store)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("researcher()", "parameter 'topic' is missing. It is called as researcher(topic: str"),
        ("researcher(5)", "parameter 'topic' is an int (5), expected str"),
        ("researcher('a', depth='deep')", "parameter 'depth' is a str ('deep'), expected int"),
        ("researcher('a', dept=2)", "has no parameter 'dept'. Did you mean 'depth'?"),
        ("researcher('a', 1, 2)", "takes 2 parameters, 3 were given"),
        ("researcher('a', topic='b')", "'topic' is given twice"),
    ],
)
def test_wrong_parameters_are_refused(notebook: Agents, call: str, said: str) -> None:
    """With the parameter's name, the type given and the one expected; no run begins."""
    researcher(notebook)
    with pytest.raises(StepFailed) as caught:
        notebook.done("r", f"r = await {call}")
    assert said in str(caught.value)
    assert notebook.flows() == [""]


def test_types_are_what_the_notebook_says(notebook: Agents) -> None:
    """A model of the notebook's: plain data is made into it, what does not fit is refused."""
    exec(
        "from pydantic import BaseModel\n"
        "class Query(BaseModel):\n    text: str\n    limit: int = 5",
        notebook.names,
    )
    notebook.agent("search(query: Query) -> found: int")
    notebook.of("search", "find", "found = query.limit if query.text else 'nothing'")
    assert notebook.done("a", "a = await search({'text': 'ice', 'limit': '7'})") == 7
    with pytest.raises(StepFailed, match=r"parameter 'query' is a dict .* expected Query: text"):
        notebook.done("b", "b = await search({'limit': 1})")
    with pytest.raises(StepFailed, match=r"output 'found' is a str .*, expected int"):
        notebook.done("c", "c = await search(Query(text=''))")


def test_a_failed_agent_is_named_and_goes_on_where_it_stopped(notebook: Agents) -> None:
    """Its step's cell is mended, the caller's run: the same run, and nothing is done twice."""
    researcher(notebook)
    notebook.of("researcher", "write", "tick('write')\nreport = 1 / 0")
    with pytest.raises(StepFailed, match="failed at its step 'write': ZeroDivisionError"):
        notebook.done("r", "r = await researcher('ice')")
    notebook.of("researcher", "write", "tick('write')\nreport = ', '.join(hits)")
    assert notebook.done("r", "r = await researcher('ice')") == "ice"
    assert ran(notebook) == ["look", "write", "write"]
    assert notebook.flows() == ["", "researcher"]


def test_an_edited_agent_makes_its_caller_stale(notebook: Agents) -> None:
    """And only what has changed runs again."""
    researcher(notebook)
    source = "r = await researcher('ice')"
    notebook.done("r", source)
    notebook.done("r", source)
    assert ran(notebook) == ["look", "write"]
    notebook.of("researcher", "write", "tick('write')\nreport = '; '.join(hits) + '!'")
    assert notebook.done("r", source) == "ice!"
    assert ran(notebook) == ["look", "write", "write"]


def test_what_an_agents_helper_does_is_part_of_it(notebook: Agents) -> None:
    """A constant that only the agent reads makes the caller stale."""
    notebook.names["suffix"] = "!"
    notebook.agent("shout(word: str) -> out")
    notebook.of("shout", "loud", "out = word + suffix")
    assert notebook.done("r", "r = await shout('hey')") == "hey!"
    notebook.names["suffix"] = "?"
    assert notebook.done("r", "r = await shout('hey')") == "hey?"


def test_an_agent_without_steps_says_so(notebook: Agents) -> None:
    """Its cells come after the one that calls it."""
    notebook.agent("empty(x: int) -> y")
    with pytest.raises(StepFailed, match="agent 'empty' has no steps yet"):
        notebook.done("r", "r = await empty(1)")


def test_a_step_of_an_agent_that_reads_what_nobody_has_is_refused(notebook: Agents) -> None:
    """The name is in the message."""
    notebook.agent("lost(x: int) -> y")
    notebook.of("lost", "find", "y = x + nowhere")
    with pytest.raises(StepFailed, match="reads 'nowhere', which no step writes"):
        notebook.done("r", "r = await lost(1)")


def test_a_cell_calls_an_agent(notebook: Agents) -> None:
    """A run of its own; the same call again is answered from the store."""
    researcher(notebook)
    session = notebook.session
    agent = notebook.names["researcher"]
    assert asyncio.run(session.call_agent(agent, ("ice",), {})) == "ice"
    assert asyncio.run(session.call_agent(agent, ("ice",), {})) == "ice"
    assert ran(notebook) == ["look", "write"]
    assert notebook.flows() == ["", "researcher"]
    session.start_agent(agent, ("ice",), {}, fresh=True)
    session.wait(timeout=20)
    assert ran(notebook) == ["look", "look", "write", "write"]


def test_a_cell_that_calls_an_agent_in_vain_may_call_it_again(notebook: Agents) -> None:
    """A person asks, so what has failed is tried again."""
    from stepwell.errors import AgentFailed

    note_in(notebook)
    notebook.agent("weak(x: int) -> y")
    body = "from pathlib import Path\ntick('x')\ny = x / (len(Path(place).read_text().split()) - 1)"
    notebook.of("weak", "try_it", body)
    agent = notebook.names["weak"]
    with pytest.raises(AgentFailed, match="'weak' failed at its step 'try_it': ZeroDivision"):
        asyncio.run(notebook.session.call_agent(agent, (4,), {}))
    assert asyncio.run(notebook.session.call_agent(agent, (4,), {})) == 4.0


def test_outside_of_steps_and_notebooks_an_agent_says_where_it_belongs(notebook: Agents) -> None:
    """Nothing runs that is not durable."""
    researcher(notebook)
    with pytest.raises(InvalidUsage, match="runs inside a step, or in a notebook"):
        asyncio.run(notebook.names["researcher"]("ice"))


def test_cancelling_a_step_cancels_the_runs_it_has_called(notebook: Agents) -> None:
    """For good, with everything below."""
    notebook.agent("slow(n: int) -> out")
    body = "import asyncio\nout = await slow(n - 1) if n else await asyncio.sleep(60)"
    notebook.of("slow", "nap", body)
    notebook.step("r", "r = await slow(2)")
    engine = notebook.session.engine
    wait_until(lambda: len(runs(engine.store)) == 4)
    notebook.session.cancel(["r"])
    wait_until(lambda: [state.run for state in engine.orchestrator.states()] == [engine.run])
    statuses = {load(engine.store, run).settled for run, _, _ in runs(engine.store)}
    assert statuses == {"cancelled"}
    assert notebook.view("r").phase is Phase.CANCELLED


def wait_until(is_there: Any) -> None:
    """As soon as it is."""
    from tests.support.controlled import wait_for

    wait_for(is_there)


def test_a_child_that_nobody_waits_for_any_more_is_cancelled(notebook: Agents) -> None:
    """A step that ends without its answer takes it along."""
    notebook.agent("slow(n: int) -> out")
    notebook.of("slow", "nap", "import asyncio\nout = await asyncio.sleep(n)")
    source = (
        "import asyncio\ntask = asyncio.ensure_future(slow(60))\n"
        "try:\n    await asyncio.wait_for(asyncio.shield(task), 0.3)\n"
        "except TimeoutError:\n    r = 'too slow'"
    )
    assert notebook.done("r", source, outputs=["r"]) == "too slow"
    engine = notebook.session.engine
    wait_until(lambda: len(engine.orchestrator.states()) == 1)
    assert load(engine.store, runs(engine.store)[-1][0]).settled == "cancelled"


def test_a_step_of_an_agent_nobody_has_declared_is_refused(notebook: Agents) -> None:
    """With near misses."""
    notebook.agent("researcher(topic: str) -> report")
    with pytest.raises(InvalidUsage, match=r"no agent 'researchr'.* mean 'researcher'"):
        notebook.session.agents.check_declared(notebook.session.engine, "researchr")


def test_a_missing_name_is_told_to_a_cell_too(notebook: Agents) -> None:
    """Before anything begins."""
    notebook.agent("lost(x: int) -> y")
    notebook.of("lost", "find", "y = x + nowhere")
    with pytest.raises(UnknownName, match="nowhere"):
        asyncio.run(notebook.session.call_agent(notebook.names["lost"], (1,), {}))


def test_runs_are_listed_below_those_that_called_them(notebook: Agents) -> None:
    """With the step that did; what nobody called comes first."""
    notebook.agent("count(n: int) -> total")
    notebook.of("count", "down", "total = 0 if n == 0 else 1 + await count(n - 1)")
    notebook.done("one", "one = await count(1)")
    said = str(all_runs(notebook.session).bundle["text/plain"]).splitlines()
    ids = [run for run, _, _ in runs_of(notebook)]
    rows = [next(row for row in said if run in row) for run in ids]
    assert said.index(rows[0]) < said.index(rows[1]) < said.index(rows[2])
    assert rows[1].startswith(f"└ {ids[1]}")
    assert rows[2].startswith(f"└─ {ids[2]}")
    assert ("called by one" in rows[1], "called by down" in rows[2]) == (True, True)


def test_the_card_says_which_runs_the_step_waits_for(notebook: Agents) -> None:
    """While it does; their parameters among it."""
    notebook.agent("slow(n: int) -> out")
    notebook.of("slow", "nap", "import asyncio\nout = await asyncio.sleep(60)")
    notebook.step("r", "r = await slow(7)")
    wait_until(lambda: notebook.pane.says("r: running", "calls slow(n=7): 1 running"))


def test_each_element_of_a_mapped_step_calls_its_own(notebook: Agents) -> None:
    """A child to an item; one that fails takes its item along and no other."""
    notebook.names["topics"] = ["a", "", "b"]
    notebook.agent("shout(word: str) -> out: str")
    notebook.of("shout", "loud", "out = word.upper() + '!'[len(word) - 1]")
    over = MapOver(item="word", source="topics", keep_going=True, min_success=0.5)
    notebook.names["topics"] = ["a", "bb", "c"]
    notebook.step("said", "said = await shout(word)", policies=Policies(map=over))
    notebook.session.wait(["said"], timeout=20)
    assert notebook.names["said"] == ["A!", None, "C!"]
    children = notebook.view("said").children
    assert sorted(child.status for child in children) == ["completed", "completed", "failed"]


def test_a_child_that_is_begun_in_a_paused_run_waits_with_it(notebook: Agents) -> None:
    """And goes on with it."""
    researcher(notebook)
    engine = notebook.session.engine
    notebook.step("r", "import asyncio\nawait asyncio.sleep(0.1)\nr = await researcher('ice')")
    wait_until(lambda: engine.state.steps["r"].running is not None)
    engine.orchestrator.call(lambda: engine.orchestrator.record(engine.run, RunPaused()))
    wait_until(lambda: len(engine.orchestrator.states()) == 2)
    child = runs_of(notebook)[-1][0]
    assert engine.orchestrator.look(lambda: engine.orchestrator.state(child).is_paused)
    assert ran(notebook) == []
    engine.orchestrator.call(lambda: engine.orchestrator.record(engine.run, RunContinued()))
    notebook.session.wait(["r"], timeout=20)
    assert notebook.names["r"] == "ice"


def test_a_fork_knows_the_agents_of_its_parent(notebook: Agents) -> None:
    """Its steps call them anew; what it shares was called before."""
    researcher(notebook)
    notebook.done("one", "one = await researcher('a')")
    notebook.done("two", "two = one + await researcher('b')")
    fork(notebook.session, notebook.session.engine.run, start="two")
    notebook.session.wait(timeout=20)
    assert notebook.names["two"] == "ab"
    assert ran(notebook) == ["look"] * 3 + ["write"] * 3
    notebook.session.agents.check_declared(notebook.session.engine, "researcher")


def test_the_store_tells_who_called_whom(notebook: Agents) -> None:
    """And what the whole began with."""
    notebook.agent("count(n: int) -> total")
    notebook.of("count", "down", "total = 0 if n == 0 else 1 + await count(n - 1)")
    notebook.done("one", "one = await count(1)")
    rows = [
        (event.depth, event.step, event.root == notebook.session.engine.run)
        for _, _, event in runs_of(notebook)
    ]
    assert rows == [(0, "", False), (1, "one", True), (2, "down", True)]


def test_an_agent_of_an_earlier_process_is_found(tmp_path: Path) -> None:
    """Before any of its cells has run again; what it was asked then is answered from the store."""
    store = MemoryStore()
    before = Agents(tmp_path, store)
    researcher(before)
    assert asyncio.run(before.session.call_agent(before.names["researcher"], ("ice",), {})) == "ice"
    before.session.engine.worker.close()
    before.session.engine.orchestrator.stop()
    after = Agents(tmp_path, store)
    note_in(after)
    session = after.session
    agent = session.agents.find(session.state, "researcher")
    assert agent is not None
    assert asyncio.run(after.session.call_agent(agent, ("ice",), {})) == "ice"
    assert ran(after) == ["look", "write"]
    assert session.agents.find(session.state, "researchr") is None
    after.close()


# -- tried again, and left ----------------------------------------------------------------------

FLAKY = """
from pathlib import Path
tick('try')
if Path(place).read_text().split().count('try') < 3:
    raise {error}
out = word.upper()
"""


def flaky(notebook: Agents, error: str) -> None:
    """An agent whose second step fails twice."""
    note_in(notebook)
    notebook.agent("shout(word: str) -> out")
    notebook.of("shout", "look", "tick('look')\nlooked = word")
    notebook.of("shout", "loud", "looked\n" + FLAKY.format(error=error))


def test_the_callers_retries_try_a_child_again_that_failed_in_passing(notebook: Agents) -> None:
    """The same run goes on with the step that had failed, and with nothing else."""
    flaky(notebook, "ConnectionError('gone')")
    trying = Policies(retry=Retry(retries=3, backoff=0.01))
    assert notebook.done("r", "r = await shout('ice')", policies=trying) == "ICE"
    assert ran(notebook) == ["look", "try", "try", "try"]
    assert notebook.flows() == ["", "shout"]
    assert notebook.session.state.steps["r"].attempts == 3


def test_the_callers_retries_do_not_try_a_child_again_that_failed_for_good(
    notebook: Agents,
) -> None:
    """One attempt is enough to know, unless the caller says what it would try again after."""
    flaky(notebook, "ValueError('never')")
    trying = Policies(retry=Retry(retries=3, backoff=0.01))
    with pytest.raises(StepFailed, match="failed at its step 'loud': ValueError: never"):
        notebook.done("r", "r = await shout('ice')", policies=trying)
    assert notebook.session.state.steps["r"].attempts == 1
    said = Policies(retry=Retry(retries=3, backoff=0.01, retry_on=("ValueError",)))
    assert notebook.done("r", "r = await shout('ice')", policies=said) == "ICE"
    assert ran(notebook) == ["look", "try", "try", "try"]


def test_what_says_that_it_is_terminal_ends_the_callers_retries_too(notebook: Agents) -> None:
    """Through two agents, too."""
    flaky(notebook, "__import__('stepwell').TerminalError('no such topic')")
    notebook.agent("asker(word: str) -> answer")
    notebook.of("asker", "ask", "answer = await shout(word)")
    trying = Policies(retry=Retry(retries=3, backoff=0.01, retry_on=("Exception",)))
    with pytest.raises(StepFailed, match="agent 'asker' failed at its step 'ask'"):
        notebook.done("r", "r = await asker('ice')", policies=trying)
    assert ran(notebook) == ["look", "try"]


LEAVING = {
    "a time-out": "import asyncio\ntry:\n    async with asyncio.timeout(0.3):\n"
    "        await slow(60)\nexcept TimeoutError:\n    r = 'left'\n",
    "a cancelled task": "import asyncio\ntask = asyncio.create_task(slow(60))\n"
    "await asyncio.sleep(0.3)\ntask.cancel()\nr = 'left'\n",
    "a sibling's failure": "import asyncio\nasync def fail():\n    await asyncio.sleep(0.3)\n"
    "    raise ValueError\ntry:\n    async with asyncio.TaskGroup() as tasks:\n"
    "        tasks.create_task(slow(60))\n        tasks.create_task(fail())\n"
    "except* ValueError:\n    pass\nr = 'left'\n",
}


@pytest.mark.parametrize("way", LEAVING)
def test_a_child_is_cancelled_as_soon_as_its_caller_does_not_wait_for_it(
    notebook: Agents, way: str
) -> None:
    """And not when its step ends, which may be much later; other children go on."""
    notebook.agent("slow(n: int) -> out")
    notebook.of("slow", "nap", "import asyncio\nout = await asyncio.sleep(n)")
    notebook.agent("quick(n: int) -> out")
    notebook.of("quick", "nap", "import asyncio\nout = await asyncio.sleep(n)")
    rest = "await quick(1)\nawait asyncio.sleep(60)"
    notebook.step("r", LEAVING[way] + rest, outputs=["r"])
    engine = notebook.session.engine
    wait_until(lambda: settled(notebook) == {"slow": "cancelled", "quick": "completed"})
    assert engine.state.steps["r"].running is not None
    calls = {call.agent: call for call in calls_of(engine.state.steps["r"])}
    assert (calls["slow"].status, calls["quick"].status) == ("cancelled", "completed")


def settled(notebook: Agents) -> dict[str, str]:
    """How the runs of agents have ended, by agent."""
    store = notebook.session.engine.store
    return {event.flow: load(store, run).settled for run, _, event in runs_of(notebook)[1:]}


def test_an_edited_caller_takes_its_running_child_along(notebook: Agents) -> None:
    """The attempt that is stopped for its new code has not ceased to wait."""
    note_in(notebook)
    notebook.agent("slow(n: float) -> out")
    notebook.of("slow", "nap", "import asyncio\ntick('nap')\nout = await asyncio.sleep(n, n)")
    notebook.step("r", "r = await slow(0.7)")
    wait_until(lambda: ran(notebook) == ["nap"])
    assert notebook.done("r", "r = await slow(0.7) + 1") == 1.7
    assert ran(notebook) == ["nap"]
    assert notebook.flows() == ["", "slow"]


def test_an_item_tries_its_own_child_again(notebook: Agents) -> None:
    """That which failed in passing goes on; those of other items are left alone."""
    flaky(notebook, "ConnectionError('gone')")
    notebook.names["words"] = ["a", "b"]
    over = MapOver(item="word", source="words", max_parallel=1)
    trying = Policies(map=over, retry=Retry(retries=3, backoff=0.01))
    notebook.step("said", "said = await shout(word)", policies=trying)
    notebook.session.wait(["said"], timeout=20)
    assert notebook.names["said"] == ["A", "B"]
    assert (ran(notebook).count("look"), ran(notebook).count("try")) == (2, 4)
    assert notebook.flows() == ["", "shout", "shout"]


def test_the_first_error_of_several_ends_the_others_and_a_retry_takes_them_up(
    notebook: Agents,
) -> None:
    """`parallel`: what was left on the way goes on in the same run."""
    flaky(notebook, "ConnectionError('gone')")
    # What is cut off while it runs may run again: it fails when the other has come further.
    met = "while 'nap' not in Path(place).read_text(): await asyncio.sleep(0.005)"
    imports = "import asyncio\nfrom pathlib import Path"
    notebook.of("shout", "look", f"{imports}\n{met}\nlooked = word", outputs=["looked"])
    notebook.agent("slow(word: str) -> out")
    notebook.of("slow", "once", "tick('once')\nfirst = word")
    lines = (
        "tick('nap')",
        "import asyncio",
        "from pathlib import Path",
        "has_passed = Path(place).read_text().count('try') == 3",
        "out = await asyncio.sleep(0 if has_passed else 60, first)",
    )
    notebook.of("slow", "nap", "\n".join(lines), outputs=["out"])
    exec("from stepwell.patterns import parallel", notebook.names)
    trying = Policies(retry=Retry(retries=5, backoff=0.3, jitter=0.0))
    source = "r = await parallel('ice', slow, shout)"
    notebook.step("r", source, policies=trying)
    wait_until(lambda: ran(notebook).count("try") == 3)
    notebook.session.cancel(["r"])
    assert notebook.done("r", source, policies=trying) == ["ice", "ICE"]
    assert ran(notebook).count("once") == 1
    assert notebook.flows().count("slow") == 1


def test_a_run_that_a_cell_has_called_is_cancelled_alone(notebook: Agents) -> None:
    """Awaited again, it goes on."""
    note_in(notebook)
    notebook.names["naps"] = 60
    notebook.agent("slow(n: int) -> out")
    notebook.of("slow", "nap", "import asyncio\ntick('nap')\nout = await asyncio.sleep(naps, n)")
    session, agent = notebook.session, notebook.names["slow"]
    session.start_agent(agent, (3,), {})
    wait_until(lambda: ran(notebook) == ["nap"])
    session.cancel(["slow"])
    notebook.names["naps"] = 0
    assert settled(notebook) == {"slow": "cancelled"}
    assert asyncio.run(session.call_agent(agent, (3,), {})) == 3
    with pytest.raises(InvalidUsage, match=r"nothing of 'slow' is going on: .* completed"):
        session.cancel(["slow"])
