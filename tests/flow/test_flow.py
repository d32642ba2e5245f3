"""The graph of steps: order, writers, circles."""

import random
from collections.abc import Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.errors import CyclicFlow, FlowError, InvalidStep, TwoWriters, UnknownStep
from stepwell.flow import Flow, Step


def step(name: str, reads: str = "", writes: str = "", after: str = "", **more: object) -> Step:
    """A step of which only the wiring matters."""
    return Step(
        name=name,
        source="",
        code="",
        digest="",
        reads=tuple(reads.split()),
        writes=tuple(writes.split()),
        after=tuple(after.split()),
        **more,  # type: ignore[arg-type]
    )


def flow_of(*steps: Step) -> Flow:
    """A flow with these steps, added in this order."""
    flow = Flow()
    for one in steps:
        flow.add(one)
    return flow


@pytest.fixture
def research() -> Flow:
    """Plan, search, draft and publish, with an independent step between."""
    return flow_of(
        step("plan", "llm topic", "queries"),
        step("search", "web queries", "hits"),
        step("clock", "", "now"),
        step("draft", "llm topic hits", "report"),
        step("publish", "cms report", "url", after="clock"),
    )


def test_a_step_waits_for_the_writers_of_what_it_reads(research: Flow) -> None:
    """An edge is a name that one step writes and another reads, or an `after`."""
    assert research.upstream("search") == ("plan",)
    assert research.upstream("publish") == ("clock", "draft")
    assert research.downstream("plan") == ("search",)
    assert research.downstream("clock") == ("publish",)
    assert research.ancestors("draft") == ("plan", "search")
    assert research.ancestors(["draft", "plan"]) == ("plan", "search")
    assert research.descendants(["plan"]) == ("search", "draft", "publish")
    assert research.sources("draft") == {"llm": "", "topic": "", "hits": "search"}


def test_a_flow_is_a_collection_of_its_steps(research: Flow) -> None:
    """In definition order, by name, with near misses for a name it does not have."""
    assert [one.name for one in research] == ["plan", "search", "clock", "draft", "publish"]
    assert len(research) == 5
    assert "plan" in research
    assert "plam" not in research
    assert research["plan"].writes == ("queries",)
    assert research.get("plam") is None
    with pytest.raises(UnknownStep, match=r"no step 'plam'.*'plan'"):
        research["plam"]
    for ask in (research.upstream, research.downstream, research.remove, research.ancestors):
        with pytest.raises(UnknownStep):
            ask("plam")


def test_the_writer_of_a_name_is_known(research: Flow) -> None:
    """A name of the environment has none."""
    writer = research.writer_of("hits")
    assert writer is not None
    assert writer.name == "search"
    assert research.writer_of("topic") is None


def test_order_is_the_definition_order_where_that_is_possible(research: Flow) -> None:
    """Nothing moves without need."""
    assert research.order() == ("plan", "search", "clock", "draft", "publish")
    assert research.order(["publish", "plan", "clock"]) == ("plan", "clock", "publish")


def test_readers_may_be_defined_before_writers() -> None:
    """Cells are run in any order; the graph is the same, and order follows it."""
    flow = flow_of(step("c", "b"), step("other"), step("b", "a", "b"), step("a", "", "a"))
    assert flow.order() == ("other", "a", "b", "c")
    assert flow.order(["c", "a"]) == ("a", "c")


def test_a_step_replaces_the_one_of_its_name(research: Flow) -> None:
    """An edited cell keeps its place; its edges are the new ones."""
    research.add(step("search", "web topic", "hits pages"))
    assert [one.name for one in research] == ["plan", "search", "clock", "draft", "publish"]
    assert research.downstream("plan") == ()
    assert research.descendants("search") == ("draft", "publish")
    writer = research.writer_of("pages")
    assert writer is research["search"]


def test_a_removed_step_leaves_its_names_to_the_environment(research: Flow) -> None:
    """Its readers stay; another step may write the names, and the old name may come back."""
    research.remove("search")
    assert research.writer_of("hits") is None
    assert research.upstream("draft") == ()
    research.add(step("crawl", "", "hits"))
    assert research.upstream("draft") == ("crawl",)
    assert research.order() == ("plan", "clock", "crawl", "draft", "publish")


def test_a_name_has_one_writer(research: Flow) -> None:
    """The error names the name and both steps."""
    with pytest.raises(TwoWriters) as caught:
        research.add(step("again", "", "hits"))
    error = caught.value
    assert (error.name, error.first, error.second) == ("hits", "search", "again")


def test_a_circle_is_shown() -> None:
    """The steps that wait for each other, in the order of the data."""
    flow = flow_of(step("a", "c", "a"), step("b", "a", "b"))
    with pytest.raises(CyclicFlow, match="c → a → b → c") as caught:
        flow.add(step("c", "b", "c"))
    assert caught.value.steps == ("c", "a", "b")
    with pytest.raises(CyclicFlow, match="x → b → x"):
        flow_of(step("b", "", "b", after="x")).add(step("x", "b"))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (step("s", "x", "x"), "reads 'x' and writes 'x'"),
        (step("s", "", "", after="s"), "after itself"),
    ],
)
def test_a_step_cannot_wait_for_itself(wrong: Step, reason: str) -> None:
    """Its own result would be its input."""
    with pytest.raises(InvalidStep, match=reason):
        Flow().add(wrong)


def test_a_name_that_may_be_missing_is_no_reason_to_refuse() -> None:
    """`x = !echo $x`: the shell's name, not the step's own result."""
    flow = flow_of(step("s", "x", "x", optional=("x",)))
    assert flow.upstream("s") == flow.downstream("s") == ()


def test_after_is_checked_when_asked() -> None:
    """A step may be defined before the one it comes after; running it needs both."""
    flow = flow_of(step("b", after="aa"))
    with pytest.raises(UnknownStep, match="'aa'"):
        flow.check()
    flow.add(step("c"))
    flow.check(["c"])
    flow.add(step("aa"))
    flow.check()
    assert flow.order() == ("c", "aa", "b")


Wiring = tuple[str, list[str], list[str], list[str]]
words = st.sampled_from(list("abcdef"))
wirings = st.tuples(
    words.map(str.upper),
    st.lists(words, max_size=3),
    st.lists(words, max_size=2, unique=True),
    st.lists(words.map(str.upper), max_size=1),
)


def answers(flow: Flow) -> object:
    """Everything a flow can be asked."""
    return (
        list(flow),
        flow.order(),
        {name: flow.writer_of(name) for name in "abcdef"},
        {s.name: (flow.upstream(s.name), flow.downstream(s.name)) for s in flow},
        {s.name: (flow.ancestors(s.name), flow.descendants(s.name)) for s in flow},
    )


def edges(steps: Sequence[Step]) -> dict[str, set[str]]:
    """The same graph by brute force."""
    writers = {name: s.name for s in steps for name in s.writes}
    known = {s.name for s in steps}
    return {
        s.name: {writers[n] for n in s.reads if n in writers} | (known & set(s.after))
        for s in steps
    }


@settings(max_examples=300, deadline=None)
@given(st.lists(wirings, max_size=14), st.randoms(use_true_random=False))
def test_any_history_of_changes_leads_to_the_same_graph(
    history: list[Wiring], chance: random.Random
) -> None:
    """A refused step changes nothing; what is refused is what brute force refuses.

    A flow that was made again of its steps is as it was.
    """
    flow, model = Flow(), dict[str, Step]()
    for name, reads, writes, after in history:
        if chance.random() < 0.1:
            flow = Flow.restored("", list(flow))
        if name in model and chance.random() < 0.2:
            flow.remove(name)
            del model[name]
            continue
        new = step(name, " ".join(reads), " ".join(writes), " ".join(after))
        wanted = {**model, name: new}
        before = answers(flow) if chance.random() < 0.5 else None
        error = _error_of_adding(flow, new)
        assert _is_wrong(list(wanted.values()), error) is (error is not None)
        if error is None:
            model = wanted
        elif before is not None:
            assert answers(flow) == before
    rebuilt = flow_of(*model.values())
    assert answers(flow) == answers(rebuilt)
    assert [s.name for s in flow] == list(model)
    _check_order(flow, edges(list(model.values())))


def _error_of_adding(flow: Flow, new: Step) -> FlowError | None:
    try:
        flow.add(new)
    except FlowError as error:
        return error
    return None


def _is_wrong(steps: list[Step], error: FlowError | None) -> bool:
    # In the way the error says; in any way at all, if there is none.
    writes = [name for s in steps for name in s.writes]
    has_two_writers = len(writes) != len(set(writes))
    waits_for_itself = any(set(s.reads) & set(s.writes) or s.name in s.after for s in steps)
    match error:
        case TwoWriters():
            return has_two_writers
        case InvalidStep():
            return waits_for_itself
        case CyclicFlow():
            return _is_cyclic(steps)
        case _:
            return has_two_writers or waits_for_itself or _is_cyclic(steps)


def _is_cyclic(steps: list[Step]) -> bool:
    try:
        TopologicalSorter(edges(steps)).prepare()
    except CycleError:
        return True
    return False


def _check_order(flow: Flow, graph: dict[str, set[str]]) -> None:
    # Of what could come next, the step defined first does.
    places = {s.name: place for place, s in enumerate(flow)}
    done: list[str] = []
    for name in flow.order():
        ready = [n for n in graph if n not in done and graph[n] <= set(done)]
        assert name == min(ready, key=places.__getitem__)
        done.append(name)
    assert len(done) == len(flow)


def test_many_steps_in_any_order_of_definition() -> None:
    """Ten thousand steps of a chain, a fan and a net, whatever cell is run first."""
    chance = random.Random(1)
    chain = [step(f"c{i}", f"x{i}", f"x{i + 1}") for i in range(4000)]
    fan = [step("root", "", "r"), *(step(f"f{i}", "r", f"y{i}") for i in range(3000))]
    end = [step("end", " ".join(f"y{i}" for i in range(3000)), "z")]
    net = [
        step(f"n{i}", " ".join(f"v{chance.randrange(i)}" for _ in range(3)) if i else "", f"v{i}")
        for i in range(3000)
    ]
    steps = chain + fan + end + net
    forwards, backwards = flow_of(*steps), flow_of(*reversed(steps))
    shuffled = flow_of(*chance.sample(steps, len(steps)))
    assert forwards.order() == tuple(s.name for s in steps)
    for flow in (backwards, shuffled):
        ranks = {name: rank for rank, name in enumerate(flow.order())}
        for name, earlier in edges(steps).items():
            assert all(ranks[one] < ranks[name] for one in earlier)
    assert len(shuffled.ancestors("end")) == 3001
    with pytest.raises(CyclicFlow) as caught:
        shuffled.add(step("c0", "x4000", "x1"))
    assert len(caught.value.steps) == 4000


@given(st.data())
def test_adding_many_at_once_is_adding_each(data: st.DataObject) -> None:
    """`extend` accepts and refuses what `add` would, and after a refusal nothing has changed."""
    names = [f"s{number}" for number in range(6)]
    steps = [
        Step(
            name=name,
            source="",
            code="",
            digest="",
            reads=tuple(data.draw(st.lists(st.sampled_from(names), max_size=2, unique=True))),
            writes=(data.draw(st.sampled_from(names)),),
        )
        for name in data.draw(st.lists(st.sampled_from(names), max_size=6))
    ]
    one_by_one, together = Flow(), Flow()
    first = Step(name="first", source="", code="", digest="", writes=("s0",))
    one_by_one.add(first)
    together.add(first)
    try:
        for step in steps:
            one_by_one.add(step)
    except FlowError:
        # Only an order of adding may be refused that is fine as a whole; never the reverse.
        before = [*together]
        with suppress(FlowError):
            together.extend(steps)
            return
        assert [*together] == before
        assert together.order() == ("first",)
        return
    together.extend(steps)
    assert [*together] == [*one_by_one]
    assert together.order() == one_by_one.order()
