"""Mapped steps from the cell to the store and back, without a kernel."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from controlled import wait_for
from msgspec.structs import replace
from sessions import Notebook

import stepwell
from stepwell.errors import StepFailed
from stepwell.flow import Deadlines, MapOver, Policies, Retry
from stepwell.orchestrator import Phase, RunContinued, RunPaused
from stepwell.session import SessionNotebook
from stepwell.store import MemoryStore


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook with a store in memory, and a place outside where code leaves marks."""
    made = Notebook(tmp_path, MemoryStore())
    made.names["marks"] = queue.SimpleQueue()
    yield made
    made.session.close()


def over(item: str, source: str, **options: Any) -> Policies:
    """Mapped over this."""
    return Policies(map=MapOver(item=item, source=source, **options))


def marks(notebook: Notebook) -> list[Any]:
    """What was left outside since the last look, sorted."""
    found: queue.SimpleQueue[Any] = notebook.names["marks"]
    return sorted(found.get() for _ in range(found.qsize()))


def test_the_code_runs_once_for_each_element_and_results_are_in_order(notebook: Notebook) -> None:
    """A list of a step's; its outputs are lists, readable by who comes after."""
    notebook.step("queries", "queries = ['a', 'b', 'c']")
    notebook.step("search", "hit = query * 2\nsize = len(hit)", policies=over("query", "queries"))
    assert notebook.done("report", "report = [*hit, *size]") == ["aa", "bb", "cc", 2, 2, 2]
    assert notebook.names["hit"] == ["aa", "bb", "cc"]
    view = notebook.view("search")
    assert view.items is not None
    assert (view.items.total, view.items.done, view.items.failed) == (3, 3, 0)


SOURCES: dict[str, tuple[str, list[Any]]] = {
    "list": ("[1, 2]", [1, 2]),
    "tuple": ("(1, 2)", [1, 2]),
    "range": ("range(2)", [0, 1]),
    "dict": ("{'a': 1, 'b': 2}", [("a", 1), ("b", 2)]),
    "empty": ("[]", []),
    "text": ("['', ' ', 'a\\n', 'a' * 200, 'x\\x1fy']", ["", " ", "a\n", "a" * 200, "x\x1fy"]),
    "equal": ("[1, 1, 1]", [1, 1, 1]),
    "deque": ("__import__('collections').deque([3, 2])", [3, 2]),
    "array": ("__import__('numpy').arange(4).reshape(2, 2)", [[0, 1], [2, 3]]),
    "pandas": (
        "__import__('pandas').DataFrame({'n': [1, 2], 's': ['x', 'y']}, index=[5, 9])",
        [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}],
    ),
    "series": ("__import__('pandas').Series([1.5, 2.5])", [1.5, 2.5]),
    "polars": (
        "__import__('polars').DataFrame({'n': [1, 2], 's': ['x', 'y']})",
        [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}],
    ),
    "pyarrow": ("__import__('pyarrow').table({'n': [1, 2]})", [{"n": 1}, {"n": 2}]),
}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("place", ["step", "cell"])
def test_whatever_has_elements_can_be_mapped_over(
    notebook: Notebook, kind: str, place: str
) -> None:
    """Made by a step or by an ordinary cell; of a table the rows, of a dict the pairs."""
    source, expected = SOURCES[kind]
    if place == "step":
        notebook.step("items", f"items = {source}")
    else:
        notebook.names["items"] = eval(source)
    code = "import numpy\ngot = item.tolist() if isinstance(item, numpy.ndarray) else item"
    notebook.done("each", code, policies=over("item", "items"))
    assert notebook.names["got"] == expected


def test_a_set_has_an_order_of_its_own(notebook: Notebook) -> None:
    """The same in every process, whatever Python hashes to."""
    notebook.names["items"] = {"b", "a", "c"}
    notebook.done("each", "got = item", policies=over("item", "items"))
    first = notebook.names["got"]
    assert sorted(first) == ["a", "b", "c"]
    again = notebook.restarted()
    again.names["items"] = {"c", "a", "b"}
    again.done("each", "got = item", policies=over("item", "items"))
    assert again.names["got"] == first
    again.session.close()


@pytest.mark.parametrize("source", ["'text'", "5", "(i for i in range(3))", "None"])
def test_what_has_no_elements_is_refused(notebook: Notebook, source: str) -> None:
    """With the name, the type and what would do."""
    notebook.names["items"] = eval(source)
    with pytest.raises(StepFailed, match="--map goes over 'items'"):
        notebook.done("each", "got = item", policies=over("item", "items"))


@pytest.mark.parametrize("place", ["step", "cell"])
def test_a_list_that_grew_or_was_reordered_reuses_what_it_has(
    notebook: Notebook, place: str
) -> None:
    """Only what is new is paid for; the order is that of the list."""

    def look(items: list[Any]) -> list[Any]:
        if place == "step":
            notebook.step("items", f"items = {items}")
        else:
            notebook.names["items"] = items
        notebook.done("each", "marks.put(item)\ngot = item * 2", policies=over("item", "items"))
        assert notebook.names["got"] == [item * 2 for item in items]
        return marks(notebook)

    assert look([1, 2]) == [1, 2]
    assert look([3, 1, 2]) == [3]
    assert look([2, 1]) == []
    assert look([2, 2, 1]) == [2]


def test_a_key_tells_elements_apart(notebook: Notebook) -> None:
    """An element whose content changed is run again; the others are not, whatever their place."""
    key = over("row", "rows", key="names[row['id']]")
    notebook.names["names"] = {1: "one", 2: "two"}
    notebook.names["rows"] = [{"id": 1, "v": 5}, {"id": 2, "v": 6}]
    notebook.done("each", "marks.put(row['v'])\ngot = row['v']", policies=key)
    assert marks(notebook) == [5, 6]
    assert notebook.session.state.steps["each"].items is not None
    assert list(notebook.session.state.steps["each"].items.by_key) == ["one", "two"]
    notebook.names["rows"] = [{"id": 2, "v": 6}, {"id": 1, "v": 7}]
    notebook.done("each", "marks.put(row['v'])\ngot = row['v']", policies=key)
    assert marks(notebook) == [7]
    assert notebook.names["got"] == [6, 7]


def test_a_key_that_cannot_be_made_fails_the_step(notebook: Notebook) -> None:
    """The error names the key and the element."""
    notebook.names["rows"] = [{"id": 1}, {}]
    with pytest.raises(StepFailed, match="--key row\\['id'\\] of element 2: KeyError: 'id'"):
        notebook.done("each", "got = row", policies=over("row", "rows", key="row['id']"))


def test_a_dicts_pairs_go_by_their_keys(notebook: Notebook) -> None:
    """A value that changed makes that pair run again."""
    code, policy = "marks.put(pair[0])\ngot = pair[1]", over("pair", "pairs")
    notebook.names["pairs"] = {"a": 1, "b": 2}
    notebook.done("each", code, policies=policy)
    notebook.names["pairs"] = {"b": 2, "a": 3, "c": 4}
    assert marks(notebook) == ["a", "b"]
    notebook.done("each", code, policies=policy)
    assert marks(notebook) == ["a", "c"]
    assert notebook.names["got"] == [2, 3, 4]


def test_code_that_reads_the_whole_source_runs_anew_when_any_of_it_changes(
    notebook: Notebook,
) -> None:
    """A result that depends on all elements is not reused for another list."""
    code, policy = "marks.put(item)\ngot = item / len(items)", over("item", "items")
    notebook.names["items"] = [1, 2]
    notebook.done("each", code, policies=policy)
    notebook.names["items"] = [1, 2, 3]
    notebook.done("each", code, policies=policy)
    assert marks(notebook) == [1, 1, 2, 2, 3]


def test_an_item_may_change_its_element_and_others_do_not_see_it(notebook: Notebook) -> None:
    """Each has a copy of its own, and so has the notebook."""
    notebook.names["rows"] = [[1], [1]]
    notebook.done("each", "row.append(2)\ngot = row", policies=over("row", "rows"))
    assert notebook.names["got"] == [[1, 2], [1, 2]]
    assert notebook.names["rows"] == [[1], [1]]


def test_after_a_failure_nothing_further_starts_and_the_error_says_how_many(
    notebook: Notebook,
) -> None:
    """What is done is kept; the first error is told with its item and line."""
    notebook.names["bad"] = threading.Event()
    notebook.names["bad"].set()
    code = (
        "marks.put(item)\nif item == 2 and bad.is_set():\n    raise ValueError('two')\ngot = item"
    )
    policy = over("item", "items", max_parallel=1)
    notebook.names["items"] = [1, 2, 3]
    with pytest.raises(StepFailed, match="1 of 3 items failed"):
        notebook.done("each", code, policies=policy)
    assert marks(notebook) == [1, 2]
    view = notebook.view("each")
    assert view.phase is Phase.FAILED
    assert view.error is not None
    assert "2: ValueError: two" in view.error.message
    assert view.error.line == 4
    notebook.names["bad"].clear()
    notebook.session.rerun_failed(["each"])
    notebook.session.wait(["each"], timeout=60)
    assert marks(notebook) == [2, 3]
    assert notebook.names["got"] == [1, 2, 3]


def test_keeping_going_tries_every_element(notebook: Notebook) -> None:
    """And then fails, or is content with enough of them; the others are None."""
    code = "if item % 10 == 0:\n    raise ValueError(item)\ngot = item"
    notebook.names["items"] = list(range(40))
    with pytest.raises(StepFailed, match="4 of 40 items failed"):
        notebook.done("each", code, policies=over("item", "items", keep_going=True))
    enough = over("item", "items", keep_going=True, min_success=0.9)
    notebook.done("each", code, policies=enough)
    assert notebook.names["got"] == [n if n % 10 else None for n in range(40)]


def test_only_the_failed_ones_are_tried_again(notebook: Notebook) -> None:
    """Also of a step that was content: exactly as many are paid for as had failed."""
    notebook.names["bad"] = threading.Event()
    code = "marks.put(item)\nif item > 97 and not bad.is_set():\n    raise ValueError\ngot = item"
    notebook.names["items"] = list(range(100))
    notebook.done("each", code, policies=over("item", "items", keep_going=True, min_success=0.9))
    assert marks(notebook) == list(range(100))
    notebook.names["bad"].set()
    notebook.session.rerun_failed(["each"])
    notebook.session.wait(["each"], timeout=60)
    assert marks(notebook) == [98, 99]
    assert notebook.names["got"] == list(range(100))
    assert notebook.session.rerun_failed(["each"]) == []
    notebook.session.rerun(["each"])
    notebook.session.wait(["each"], timeout=60)
    assert marks(notebook) == list(range(100))


def test_items_await_side_by_side(notebook: Notebook) -> None:
    """Async code of many items runs at once, as far as `--max-parallel` lets it."""
    code = (
        "import asyncio\nmarks.put(1)\n"
        "while marks.qsize() < 3 and not late: await asyncio.sleep(0.001)\n"
        "got = item"
    )
    notebook.names["items"], notebook.names["late"] = [1, 2, 3], []
    notebook.done("each", code, policies=over("item", "items", max_parallel=3))
    assert notebook.names["got"] == [1, 2, 3]


def test_in_a_new_process_only_what_was_not_done_runs(notebook: Notebook) -> None:
    """Items keep their checkpoints over a restart, whether or not the step came to its end."""
    code = "marks.put(item)\nif item == 3:\n    raise ValueError\ngot = item"
    policy = over("item", "items", max_parallel=1)
    notebook.names["items"] = [1, 2, 3, 4]
    with pytest.raises(StepFailed):
        notebook.done("each", code, policies=policy)
    again = notebook.restarted()
    again.names.update(notebook.names | {"items": [4, 3, 2, 1], "marks": queue.SimpleQueue()})
    with pytest.raises(StepFailed, match="1 of 4 items failed"):
        again.done("each", code, policies=policy)
    assert marks(again) == [3, 4]
    again.session.close()


def test_a_result_that_cannot_be_stored_names_the_item(notebook: Notebook) -> None:
    """It never looks like a failure of the step's code."""
    notebook.names["items"] = [1]
    with pytest.raises(StepFailed, match="1: ValueNotStorable"):
        notebook.done("each", "got = (i for i in ())", policies=over("item", "items"))


def test_items_go_on_one_by_one_from_step_to_step(notebook: Notebook) -> None:
    """What one item has made is worked on while others are still being made."""
    notebook.names["gate"] = threading.Event()
    notebook.names["items"] = [1, 2]
    code = "if item == 1 and not gate.wait(20):\n    raise ValueError('nobody came')\nhit = item"
    notebook.step("search", code, policies=over("item", "items"))
    notebook.step("rate", "gate.set()\nrating = one * 10", policies=over("one", "hit"))
    assert notebook.done("report", "report = rating") == [10, 20]


def test_what_a_content_step_has_not_made_is_none_for_the_next(notebook: Notebook) -> None:
    """It waits for the whole, since only then it is known what is missing."""
    notebook.names["items"] = [1, 2]
    content = over("item", "items", keep_going=True, min_success=0.5)
    notebook.step("search", "if item == 1:\n    raise ValueError\nhit = item", policies=content)
    notebook.step("rate", "rating = str(one)", policies=over("one", "hit"))
    assert notebook.done("report", "report = rating") == ["None", "2"]


def test_a_list_that_grew_is_reused_all_the_way_down(notebook: Notebook) -> None:
    """Each of a row of mapped steps pays for the new elements alone."""

    def look(items: list[int]) -> list[Any]:
        notebook.names["items"] = items
        notebook.step("a", "marks.put(('a', i))\nx = {'v': i}", policies=over("i", "items"))
        code = "marks.put(('b', x1['v']))\ny = x1['v'] * 10"
        notebook.step("b", code, policies=over("x1", "x"))
        assert notebook.done("s", "s = y") == [item * 10 for item in items]
        return marks(notebook)

    assert look([1, 2]) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert look([3, 2, 1]) == [("a", 3), ("b", 3)]
    assert look([1]) == []


def test_each_item_is_retried_by_itself(notebook: Notebook) -> None:
    """What is likely to pass is tried again, for that item alone, with its count of attempts."""
    notebook.names["items"] = [1, 2, 3]
    code = (
        "marks.put(item)\n"
        "if item == 2 and stepwell.current().attempt < 3:\n    raise ConnectionError\n"
        "got = (item, stepwell.current().attempt)"
    )
    notebook.names["stepwell"] = stepwell
    policies = replace(over("item", "items"), retry=Retry(retries=3, backoff=0.01))
    notebook.done("each", code, policies=policies)
    assert notebook.names["got"] == [(1, 1), (2, 3), (3, 1)]
    assert marks(notebook) == [1, 2, 2, 2, 3]


def test_an_item_that_takes_too_long_fails_by_itself(notebook: Notebook) -> None:
    """Each has the whole of the time; the step as such has no limit."""
    notebook.names["items"] = [0, 0.02, 30]
    code = "import asyncio\nawait asyncio.sleep(item)\ngot = item"
    content = over("item", "items", max_parallel=1, keep_going=True, min_success=0.5)
    policies = replace(content, deadlines=Deadlines(attempt=0.5))
    notebook.done("each", code, policies=policies)
    assert notebook.names["got"] == [0, 0.02, None]
    view = notebook.view("each")
    assert view.items is not None
    assert view.items.first_failed[0][1].type == "StepTimedOut"


def test_items_know_which_they_are(notebook: Notebook) -> None:
    """`stepwell.current()` tells the item, and each has an idempotency key of its own."""
    notebook.names["items"], notebook.names["stepwell"] = ["a", "b"], stepwell
    code = "it = stepwell.current()\ngot = (it.step, it.item, it.idempotency_key)"
    notebook.done("each", code, policies=over("item", "items"), outputs=["got"])
    (one, first, key), (_, second, other) = notebook.names["got"]
    assert (one, first, second) == ("each", "a", "b")
    assert key != other


def test_calls_inside_an_item_are_remembered_when_it_is_edited(notebook: Notebook) -> None:
    """An edited body pays for no call twice, whichever item it was made in."""
    notebook.names["items"], notebook.names["stepwell"] = [1, 2], stepwell
    exec("def paid(n):\n    marks.put(n)\n    return n * 10", notebook.names)
    notebook.done("each", "got = await stepwell.call(paid, item)", policies=over("item", "items"))
    assert marks(notebook) == [1, 2]
    notebook.done(
        "each", "got = await stepwell.call(paid, item) + 1", policies=over("item", "items")
    )
    assert notebook.names["got"] == [11, 21]
    assert marks(notebook) == []


def test_a_function_is_mapped_as_a_cell_is(tmp_path: Path) -> None:
    """In plain Python, over what another step gives; other parameters are read as ever."""

    @stepwell.step(out="numbers", defer=True)
    def make(count: int) -> list[int]:
        return list(range(count))

    @stepwell.step(
        out=("twice", "half"), map=("n", "numbers"), key="n % 100", max_parallel=2, defer=True
    )
    def work(n: int, base: int) -> tuple[int, float]:
        return base + 2 * n, n / 2

    @stepwell.step(out="kept", map=("one", "twice"), keep_going=True, min_success="50%", defer=True)
    def check(one: int) -> int:
        if one == 12:
            raise ValueError
        return one

    steps = [make, work, check]
    with stepwell.run(tmp_path / "s.duckdb", steps=steps, count=3, base=10) as run:
        assert run["twice"] == [10, 12, 14]
        assert run["half"] == [0, 0.5, 1.0]
        assert run["kept"] == [10, None, 14]
    assert work(1, 2) == (4, 0.5)


def test_a_mapped_step_over_what_was_skipped_is_skipped(notebook: Notebook) -> None:
    """As any reader is."""
    notebook.names["wanted"] = False
    notebook.step("a", "x = [1]", policies=Policies(when="wanted"))
    notebook.step("b", "y = one", policies=over("one", "x"))
    notebook.session.wait(["b"], timeout=20)
    assert notebook.view("b").phase is Phase.SKIPPED


def test_cancelling_a_mapped_step_ends_its_items(notebook: Notebook) -> None:
    """What is done is kept and reused when it is asked for again."""
    notebook.names["gate"], notebook.names["items"] = threading.Event(), [1, 2]
    code = "marks.put(item)\nif item == 2:\n    gate.wait(20)\ngot = item"
    notebook.step("each", code, policies=over("item", "items", max_parallel=1))
    wait_for(lambda: notebook.names["marks"].qsize() == 2)
    notebook.session.cancel(["each"])
    notebook.names["gate"].set()
    assert notebook.view("each").phase is Phase.CANCELLED
    assert marks(notebook) == [1, 2]
    notebook.done("each", code, policies=over("item", "items", max_parallel=1))
    assert marks(notebook) == [2]


def test_an_agents_step_can_be_mapped_and_an_agent_called_for_each_item(
    notebook: Notebook,
) -> None:
    """Each call is a run of its own, with items of its own."""
    notebook.names["__name__"] = "__main__"
    notebook.session.define_agent("shout(words: list) -> loud", max_depth=3)
    notebook.step("up", "up = word.upper()", flow="shout", policies=over("word", "words"))
    notebook.step("join", "loud = ' '.join(up)", flow="shout")
    notebook.names["lines"] = ["a b", "c d e"]
    code = "said = await shout(words=line.split())"
    notebook.done("all", code, policies=over("line", "lines"))
    assert notebook.names["said"] == ["A B", "C D E"]


@pytest.mark.parametrize("place", ["step", "cell"])
def test_a_helper_that_reads_the_whole_source_finds_it(notebook: Notebook, place: str) -> None:
    """And every item depends on all of it, as if the code had read it itself."""
    exec("def share(n):\n    return n / sum(numbers)", notebook.names)
    for numbers, expected in (([1, 3], [0.25, 0.75]), ([1, 3, 4], [0.125, 0.375, 0.5])):
        if place == "step":
            notebook.step("numbers", f"numbers = {numbers}")
        else:
            notebook.names["numbers"] = numbers
        notebook.done("each", "part = share(n)", policies=over("n", "numbers"))
        assert notebook.names["part"] == expected


def test_a_fork_shares_items_also_where_the_list_grows_in_it(notebook: Notebook) -> None:
    """Of a mapped step over a mapped step only the new element is paid for, in both."""
    verbs = SessionNotebook(notebook.session, None)
    notebook.names["items"] = [1, 2]
    a = ("a", "marks.put(('a', i))\nx = {'v': i}", over("i", "items"))
    b = ("b", "marks.put(('b', x1['v']))\ny = x1['v'] * 10", over("x1", "x"))
    notebook.step(a[0], a[1], policies=a[2])
    notebook.done(b[0], b[1], policies=b[2])
    assert len(marks(notebook)) == 4
    verbs.fork(notebook.session.engine.run, given=["items=[3, 2, 1]"])
    notebook.session.wait(timeout=20)
    assert notebook.names["y"] == [30, 20, 10]
    assert marks(notebook) == [("a", 3), ("b", 3)]


def test_a_paused_run_starts_no_items(notebook: Notebook) -> None:
    """What runs comes to its end; the rest goes on when the run does."""
    notebook.names["gate"], notebook.names["items"] = threading.Event(), [1, 2, 3]
    code = "marks.put(item)\ngate.wait(20)\ngot = item"
    notebook.step("each", code, policies=over("item", "items", max_parallel=1))
    wait_for(lambda: notebook.names["marks"].qsize() == 1)
    engine = notebook.session.engine
    engine.orchestrator.call(lambda: engine.orchestrator.record(engine.run, RunPaused()))
    notebook.names["gate"].set()
    wait_for(lambda: not engine.state.running_items)
    assert marks(notebook) == [1]
    engine.orchestrator.call(lambda: engine.orchestrator.record(engine.run, RunContinued()))
    notebook.session.wait(["each"], timeout=20)
    assert marks(notebook) == [2, 3]


def test_values_of_items_survive_pruning_and_rewriting(tmp_path: Path) -> None:
    """A list that was gathered is whole after the store was written anew."""
    notebook = Notebook(tmp_path, None)
    notebook.names["items"] = [1, 2, 3]
    notebook.done("each", "got = {'n': item}", policies=over("item", "items"))
    notebook.done("s", "s = sum(it['n'] for it in got)")
    SessionNotebook(notebook.session, None).vacuum()
    again = notebook.restarted()
    again.names["items"] = [1, 2, 3]
    again.done("each", "got = {'n': item}", policies=over("item", "items"))
    assert again.names["got"] == [{"n": 1}, {"n": 2}, {"n": 3}]
    again.session.close()


def test_in_a_fork_items_over_shared_items_are_known_by_the_same_keys(notebook: Notebook) -> None:
    """What failed in the one run is all that the other one pays for."""
    verbs = SessionNotebook(notebook.session, None)
    notebook.names["items"], notebook.names["bad"] = [1, 2, 3], threading.Event()
    notebook.step("a", "x = {'v': i}", policies=over("i", "items"))
    code = (
        "marks.put(one['v'])\nif one['v'] == 2 and not bad.is_set():\n    raise ValueError\ny = one"
    )
    with pytest.raises(StepFailed):
        notebook.done("b", code, policies=over("one", "x", max_parallel=1))
    assert marks(notebook) == [1, 2]
    notebook.names["bad"].set()
    verbs.fork(notebook.session.engine.run)
    notebook.session.ask(["b"], by="run")
    notebook.session.wait(timeout=20)
    assert marks(notebook) == [2, 3]
