"""Ways to work together: each does what it says, and each turn is remembered for itself."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import stepwell
from stepwell.errors import InvalidUsage, StepFailed
from stepwell.patterns import (
    Conversation,
    Handoff,
    Turn,
    Verdict,
    handoff,
    improve,
    moderated,
    parallel,
    round_robin,
    router,
    sequence,
    swarm,
)
from stepwell.store import MemoryStore
from tests.support.sessions import Notebook

pytestmark = pytest.mark.anyio

ADD = """
def note(what):
    with open(place, 'a') as file:
        file.write(what + ' ')
"""


@pytest.fixture
def anyio_backend() -> str:
    """As in a kernel."""
    return "asyncio"


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """With everything of `stepwell.patterns`, and a place to note what really ran."""
    made = Notebook(tmp_path, MemoryStore())
    made.names.update(__name__="__main__", place=str(tmp_path / "ran"), stepwell=stepwell)
    exec("from stepwell.patterns import *\n" + ADD, made.names)
    yield made
    made.session.close()


def define(notebook: Notebook, source: str) -> None:
    """A cell."""
    exec(source, notebook.names)


def ran(notebook: Notebook) -> list[str]:
    """What has really run."""
    noted = Path(notebook.names["place"])
    return noted.read_text().split() if noted.exists() else []


def inc(value: int) -> int:
    """One more."""
    return value + 1


async def double(value: int) -> int:
    """Twice."""
    return value * 2


def add(*names: str) -> Any:
    """A member that says its name and how much it has heard."""

    def speak(turns: Sequence[Turn]) -> str:
        return f"{names[0]}{len(turns)}"

    speak.__name__ = names[0]
    return speak


async def test_a_sequence_passes_each_result_on() -> None:
    """In order."""
    assert await sequence(1, inc, double, inc) == 5


async def test_parallel_gives_all_the_same() -> None:
    """And their results in their order."""
    assert await parallel(3, inc, double, inc) == [4, 6, 4]


async def test_parallel_raises_the_first_error_as_it_is() -> None:
    """No group around it."""

    def broken(value: int) -> None:
        raise ValueError(str(value))

    with pytest.raises(ValueError, match="3"):
        await parallel(3, inc, broken)


async def test_a_router_sends_the_value_one_way() -> None:
    """Or to the one for everything else, or says what there is."""

    def by_size(value: int) -> str:
        return "small" if value < 10 else "big"

    assert await router(3, by_size, {"small": inc, "big": double}) == 4
    assert await router(30, by_size, {"small": inc}, otherwise=double) == 60
    with pytest.raises(InvalidUsage, match=r"the router by_size chose 'big', .* 'small'|There is"):
        await router(30, by_size, {"small": inc})


async def test_round_robin_lets_everybody_hear_all() -> None:
    """So many rounds, or until it is enough."""
    talk = await round_robin("hello", [add("ann"), add("bob")], rounds=2)
    assert talk.turns[0] == Turn("user", "hello")
    assert [turn.said for turn in talk.turns[1:]] == ["ann1", "bob2", "ann3", "bob4"]
    enough = await round_robin(
        "hi", {"a": add("x"), "b": add("y")}, rounds=9, until=lambda it: it.result == "x3"
    )
    assert enough.speakers == ["a", "b", "a"]
    assert str(enough).splitlines()[0] == "user: hi"


async def test_a_moderator_says_who_speaks_next() -> None:
    """Nobody: then it is over. Somebody who is not there is an error."""

    def choose(turns: Sequence[Turn]) -> str:
        return {1: "bob", 2: "ann"}.get(len(turns), "")

    talk = await moderated("go", [add("ann"), add("bob")], choose)
    assert talk.speakers == ["bob", "ann"]

    def nobody(turns: Sequence[Turn]) -> str:
        return "cid"

    with pytest.raises(InvalidUsage, match="nobody chose 'cid', who is not there"):
        await moderated("go", [add("ann")], nobody)


async def test_handing_over_ends_with_an_answer() -> None:
    """The next one gets the message alone."""

    def triage(message: str) -> Handoff:
        return Handoff("billing", f"re: {message}")

    def billing(message: str) -> str:
        return message.upper()

    done = await handoff("refund", [triage, billing])
    assert (done.speakers, done.result) == (["triage", "billing"], "RE: REFUND")


async def test_a_swarm_hears_everything() -> None:
    """From whoever is named to begin."""

    def planner(turns: Sequence[Turn]) -> Handoff:
        return Handoff("writer")

    def writer(turns: Sequence[Turn]) -> str:
        return f"{turns[0].said} after {len(turns)} turns"

    done = await swarm("ice", [writer, planner], start="planner")
    assert done.result == "ice after 2 turns"


async def test_nobody_hands_over_for_ever() -> None:
    """Saying who had the ball."""

    def ping(message: str) -> Handoff:
        return Handoff("pong")

    def pong(message: str) -> Handoff:
        return Handoff("ping")

    with pytest.raises(InvalidUsage, match="after 5 turns nobody has answered"):
        await handoff("go", [ping, pong], at_most=5)
    with pytest.raises(InvalidUsage, match="ping chose 'pong', who is not there"):
        await swarm("go", {"ping": ping, "bong": pong})


async def test_improving_ends_with_the_first_good_draft() -> None:
    """With the judge's words in the next draft."""

    def make(task: str, feedback: str) -> str:
        return f"{task} {feedback}".strip()

    def judge(task: str, draft: str) -> Verdict:
        return Verdict(draft.endswith("longer"), "longer")

    done = await improve("poem", make, judge)
    assert (done.result, done.is_good, len(done.drafts)) == ("poem longer", True, 2)

    def never(task: str, draft: str) -> Verdict:
        return Verdict(False, "no")

    tired = await improve("poem", make, never, rounds=2)
    assert (tired.is_good, tired.drafts) == (False, ("poem", "poem no"))
    with pytest.raises(InvalidUsage, match="'make' judged with a str; it is to give"):
        await improve("poem", make, make)


NAMELESS: Any = eval("lambda turns: 1")


@pytest.mark.parametrize("team", [[], [inc, inc], [NAMELESS]])
async def test_a_team_without_names_is_refused(team: Any) -> None:
    """Nobody, two of one name, one without."""
    with pytest.raises(InvalidUsage):
        await round_robin("hi", team)


def test_each_turn_is_a_call_of_its_own(notebook: Notebook) -> None:
    """A step that failed in its third turn goes on with the third; a turn is paid for once."""
    define(
        notebook,
        "def ann(turns):\n    note('ann')\n    return 'a' * len(turns)\n"
        "def bob(turns):\n    note('bob')\n    return 'b'",
    )
    source = "talk = await round_robin('go', [ann, bob], rounds={rounds})\n{more}"
    with pytest.raises(StepFailed, match="ZeroDivisionError"):
        notebook.done("talk", source.format(rounds=1, more="1 / 0"))
    talk: Conversation = notebook.done("talk", source.format(rounds=2, more=""))
    assert [turn.said for turn in talk.turns] == ["go", "a", "b", "aaa", "b"]
    assert ran(notebook) == ["ann", "bob", "ann", "bob"]


def test_agents_take_part_as_runs_of_their_own(notebook: Notebook) -> None:
    """A conversation of two agents: every turn of theirs is a child."""
    session = notebook.session
    session.define_agent("ann(turns: list) -> said", max_depth=10)
    notebook.step("speak", "said = f'ann heard {len(turns)}'", flow="ann")
    session.define_agent("bob(turns: list) -> said", max_depth=10)
    notebook.step("speak", "said = f'bob heard {turns[-1].said}'", flow="bob")
    talk: Conversation = notebook.done("talk", "talk = await round_robin('go', [ann, bob])")
    assert talk.result == "bob heard ann heard 1"
    assert [child.agent for child in notebook.view("talk").children] == ["ann", "bob"]
    assert json.dumps(talk.speakers) == '["ann", "bob"]'


def test_a_judge_may_say_it_shortly(notebook: Notebook) -> None:
    """An agent by its outputs' names, a function by a bool, a pair or a dict."""
    notebook.session.define_agent(
        "critic(task: str, draft: str) -> is_good: bool, feedback: str", max_depth=2
    )
    notebook.step("judge", "is_good = len(draft) > 3\nfeedback = 'more'", flow="critic")
    define(notebook, "def make(task, feedback): return task + feedback")
    for name, judge in JUDGES.items():
        define(notebook, f"def judge(task, draft): return {judge}")
        member = "critic" if name == "agent" else "judge"
        notebook.done(name, f"{name} = (await improve('a', make, {member})).result")
    found = {name: notebook.names[name] for name in JUDGES}
    assert found == {"agent": "amore", "plain": "a", "pair": "amore", "named": "amore"}


JUDGES = {
    "agent": "None",
    "plain": "len(draft) > 0",
    "pair": "(len(draft) > 3, 'more')",
    "named": "{'is_good': len(draft) > 3, 'feedback': 'more'}",
}


def test_whoever_takes_a_text_hears_the_transcript(notebook: Notebook) -> None:
    """An agent and a function; who does not say so is given the turns."""
    notebook.session.define_agent("writer(said: str) -> text", max_depth=2)
    notebook.step("write", "text = said.splitlines()[-1]", flow="writer")
    define(
        notebook, "def ann(said: str): return said.count('user')\ndef bob(said): return len(said)"
    )
    talk = notebook.done("talk", "talk = await round_robin('go', [writer, ann, bob])")
    assert [turn.said for turn in talk.turns] == ["go", "user: go", 2, 3]


def test_routes_may_be_a_team(notebook: Notebook) -> None:
    """Each by a name of its own."""
    define(notebook, "def up(it): return it.upper()\ndef choose(it): return 'up'")
    assert notebook.done("a", "a = await router('x', choose, [up])") == "X"


async def test_what_cannot_take_part_is_named() -> None:
    """With what it is."""
    from stepwell.patterns._team import take_turn

    with pytest.raises(InvalidUsage, match=r"5 cannot take part: it is an int"):
        await take_turn(5, "x")  # type: ignore[arg-type]


def test_what_they_give_is_stored_under_its_public_name() -> None:
    """Where a store says what a value is, people find it."""
    assert {kind.__module__ for kind in (Turn, Conversation, Verdict, Handoff)} == {
        "stepwell.patterns"
    }
