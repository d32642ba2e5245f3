"""Durable calls: remembered one by one, by what they are."""

import pytest
from effects import Effects, durable_cells, fails
from sessions import Notebook

# -- what is paid for once ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "a = await stepwell.call(ask, 'one')",
        "a = await stepwell.call(look, 'one')",
        "a = await search('one')",
        "a = read('one')",
        "await asyncio.sleep(0); a = read('one')",
        "a = await stepwell.call(read, 'one')",
    ],
)
def test_a_completed_call_is_answered_from_the_store(
    notebook: Notebook, effects: Effects, line: str
) -> None:
    """The step fails behind it; mended, it goes on and does not call again."""
    fails(notebook, "a", f"{line}\nraise ValueError('later')")
    assert effects.take() == ["one"]
    notebook.done("a", f"{line}\nb = a")
    assert effects.take() == []
    assert notebook.names["a"] == notebook.names["b"] != None  # noqa: E711 - whatever it is


def test_an_edited_loop_pays_only_for_what_is_new(notebook: Notebook, effects: Effects) -> None:
    """Put in front, taken out, in another order: known calls are known."""
    loop = "a = [await stepwell.call(ask, word) for word in {}]"
    notebook.done("a", loop.format("['x', 'y', 'z']"))
    assert effects.take() == ["x", "y", "z"]
    notebook.done("a", loop.format("['new', 'z', 'x', 'y', 'x']"))
    assert effects.take() == ["new", "x"]
    assert notebook.names["a"] == ["NEW", "Z", "X", "Y", "X"]


def test_a_loop_that_failed_at_its_37th_round_goes_on_there(
    notebook: Notebook, effects: Effects
) -> None:
    """Of forty rounds, 37 calls are made before the failure and 3 after it."""
    durable_cells(
        notebook,
        effects,
        "def work(i):\n"
        "    effects.add(i)\n"
        "    if i == 37 and not effects.gate.is_set(): raise OSError('gone')\n"
        "    return i\n",
    )
    loop = "a = []\nfor i in range(40): a.append(await stepwell.call(work, i))"
    fails(notebook, "a", loop)
    assert effects.take() == list(range(38))
    effects.gate.set()
    notebook.done("a", loop)
    assert effects.take() == [37, 38, 39]
    assert notebook.names["a"] == list(range(40))


@pytest.mark.parametrize(
    "together",
    [
        "a = await asyncio.gather(*[stepwell.call(ask, w) for w in words])",
        "async with asyncio.TaskGroup() as group:\n"
        "    tasks = [group.create_task(stepwell.call(ask, w)) for w in words]\n"
        "a = [task.result() for task in tasks]; del tasks, group",
        "import anyio\n"
        "a = [None] * len(words)\n"
        "async def _one(at, w): a[at] = await stepwell.call(ask, w)\n"
        "async with anyio.create_task_group() as _group:\n"
        "    for at, w in enumerate(words): _group.start_soon(_one, at, w)\n"
        "del at, w",
        "a = await asyncio.gather(*[asyncio.to_thread(lambda w=w: [read(w)]) for w in words])",
    ],
)
def test_calls_that_run_side_by_side_are_told_apart(
    notebook: Notebook, effects: Effects, together: str
) -> None:
    """Each is answered as it was, in whichever order they come to their end."""
    words = "words = ['b', 'a', 'b', 'cc', 'a']\n"
    fails(notebook, "a", f"{words}{together}\nraise ValueError")
    assert sorted(effects.take()) == ["a", "a", "b", "b", "cc"]
    notebook.done("a", f"{words}{together}\nend = 1")
    assert effects.take() == []
    assert [str(it).strip("[]").upper() for it in notebook.names["a"]] in (
        ["B", "A", "B", "CC", "A"],
        ["1", "1", "1", "2", "1"],
    )


def test_calls_side_by_side_are_not_serialised(notebook: Notebook, effects: Effects) -> None:
    """All of them are under way before the first has ended."""
    durable_cells(
        notebook,
        effects,
        "barrier = asyncio.Barrier\n"
        "async def meet(n, barrier):\n"
        "    await asyncio.wait_for(barrier.wait(), 5)\n"
        "    return n\n"
        "meet = stepwell.durable(key=lambda n, barrier: n)(meet)\n",
    )
    notebook.done(
        "a", "_b = barrier(20)\na = await asyncio.gather(*[meet(n, _b) for n in range(20)])"
    )
    assert notebook.names["a"] == list(range(20))


def test_positional_or_by_name_it_is_the_same_call(notebook: Notebook, effects: Effects) -> None:
    """And what has a default is the same whether it was written or not."""
    notebook.done("a", "a = [await search('q'), await stepwell.call(ask, 'x')]")
    assert effects.take() == ["q", "x"]
    by_name = "await stepwell.call(ask, question='x', model='small')"
    notebook.done("a", f"a = [await search(limit=3, query='q'), {by_name}]")
    assert effects.take() == []


def test_another_argument_is_another_call(notebook: Notebook, effects: Effects) -> None:
    """A hit with other arguments is not a hit."""
    notebook.done("a", "a = await search('q')")
    notebook.done("a", "a = await search('q', 2)")
    assert effects.take() == ["q", "q"]
    assert notebook.names["a"] == ["q", "q"]


def test_each_reader_has_a_result_of_its_own(notebook: Notebook, effects: Effects) -> None:
    """Changing what a call gave does not change what is remembered."""
    notebook.done("a", "a = await search('q')\na.append('changed')")
    notebook.done("a", "a = await search('q')")
    assert notebook.names["a"] == ["q", "q", "q"]
    assert effects.take() == ["q"]


def test_calls_within_calls_are_remembered_too(notebook: Notebook, effects: Effects) -> None:
    """A call that failed half-way pays again for its own half only."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable\n"
        "async def research(topic):\n"
        "    found = await search(topic, 1)\n"
        "    if not effects.gate.is_set(): raise ValueError('half-way')\n"
        "    return found + await search(topic, 1)\n",
    )
    fails(notebook, "a", "a = await research('t')")
    assert effects.take() == ["t"]
    effects.gate.set()
    notebook.done("a", "a = await research('t')")
    assert effects.take() == ["t"]
    assert notebook.names["a"] == ["t", "t"]


def test_equal_calls_below_different_calls_are_different(
    notebook: Notebook, effects: Effects
) -> None:
    """The path tells them apart: adding one above does not shift those below another."""
    durable_cells(
        notebook,
        effects,
        "@stepwell.durable\nasync def outer(name):\n    return await stepwell.call(ask, 'same')\n",
    )
    notebook.done("a", "a = await outer('x')")
    notebook.done("a", "a = [await outer('w'), await outer('x')]")
    assert effects.take() == ["same", "same"]


def test_running_a_step_afresh_forgets_its_calls(notebook: Notebook, effects: Effects) -> None:
    """`rerun` is the way to pay again."""
    notebook.done("a", "a = await search('q')")
    notebook.session.rerun(["a"])
    notebook.session.wait(["a"], timeout=60)
    assert effects.take() == ["q", "q"]


def test_outside_of_steps_the_function_is_just_the_function(
    notebook: Notebook, effects: Effects
) -> None:
    """Same name, same signature, nothing stored."""
    import asyncio
    import inspect

    import stepwell

    search, read, ask = (notebook.names[name] for name in ("search", "read", "ask"))
    assert asyncio.run(search("q", 1)) == ["q"]
    assert read("four") == 4
    assert asyncio.run(stepwell.call(ask, "x")) == "X"
    assert search.__name__ == "search"
    assert list(inspect.signature(search).parameters) == ["query", "limit"]
    assert effects.take() == ["q", "four", "x"]


def test_methods_are_known_by_their_class(notebook: Notebook, effects: Effects) -> None:
    """An object with a connection in it does not matter; a value object does."""
    durable_cells(
        notebook,
        effects,
        "import dataclasses, threading\n"
        "class Client:\n"
        "    def __init__(self): self.lock = threading.Lock()\n"
        "    @stepwell.durable\n"
        "    async def get(self, url): effects.add(url); return url\n"
        "    def plain(self, url): effects.add(url); return url\n"
        "@dataclasses.dataclass\n"
        "class Agent:\n"
        "    name: str\n"
        "    @stepwell.durable\n"
        "    def say(self, what): effects.add(self.name); return self.name + what\n",
    )
    source = (
        "_c = Client()\n"
        "a = [await _c.get('/1'), await stepwell.call(_c.get, '/1'), "
        "await stepwell.call(_c.plain, '/2'), Agent('x').say('!'), Agent('y').say('!')]"
    )
    fails(notebook, "a", source + "\nraise ValueError")
    assert effects.take() == ["/1", "/1", "/2", "x", "y"]
    notebook.done("a", source)
    assert effects.take() == []
    assert notebook.names["a"] == ["/1", "/1", "/2", "x!", "y!"]


# -- what cannot be told or kept ------------------------------------------------------------------


def test_an_argument_that_nothing_tells_apart_is_named(notebook: Notebook) -> None:
    """With its type, and the way out."""
    durable_cells(notebook, Effects(), "import threading")
    said = fails(notebook, "a", "_lock = threading.Lock()\na = await stepwell.call(ask, _lock)")
    assert "'question'" in said
    assert "lock" in said
    assert "key=" in said


def test_a_key_says_what_a_call_is(notebook: Notebook, effects: Effects) -> None:
    """Then its arguments may be anything."""
    durable_cells(
        notebook,
        effects,
        "import threading\n"
        "@stepwell.durable(key=lambda lock, n: n)\n"
        "async def work(lock, n): effects.add(n); return n\n",
    )
    source = "_lock = threading.Lock()\na = [await work(_lock, n) for n in (1, 2)]"
    fails(notebook, "a", source + "\nraise ValueError")
    notebook.done("a", source)
    assert effects.take() == [1, 2]


def test_a_lambda_is_refused(notebook: Notebook) -> None:
    """It has no name, and hides what it uses."""
    assert "lambda" in fails(notebook, "a", "x = 1\na = await stepwell.call(lambda: x)")


def test_a_result_that_cannot_be_stored_is_named_and_the_step_is_not_tried_again(
    notebook: Notebook, effects: Effects
) -> None:
    """The call's name, the path in the result, its type."""
    durable_cells(
        notebook,
        effects,
        "import threading\n"
        "@stepwell.durable(retries=3, backoff=0)\n"
        "async def connect(): effects.add('made'); return {'lock': threading.Lock()}\n",
    )
    said = fails(notebook, "a", "a = await connect()")
    assert "connect()['lock']" in said
    assert "_thread.lock" in said or "lock" in said
    assert effects.take() == ["made"]


def test_what_wraps_a_generator_is_a_function_like_any_other(notebook: Notebook) -> None:
    """Only what `contextlib` has made is entered."""
    source = (
        "import functools\n"
        "def listed(f):\n"
        "    @functools.wraps(f)\n"
        "    def made(*args): return list(f(*args))\n"
        "    return made\n"
        "@stepwell.durable\n@listed\n"
        "def upto(n):\n    yield from range(n)\n"
        "a = upto(3)"
    )
    assert notebook.done("a", source) == [0, 1, 2]


def test_an_unknown_option_is_named() -> None:
    """With the likeliest of those there are."""
    import stepwell
    from stepwell.errors import InvalidUsage

    with pytest.raises(InvalidUsage, match=r"'retrys'.*'retries'"):
        stepwell.durable(retrys=3)  # type: ignore[call-overload]
    with pytest.raises(InvalidUsage, match="timeout=-1"):
        stepwell.durable(timeout=-1)


def test_secrets_are_not_part_of_a_call(notebook: Notebook, effects: Effects) -> None:
    """A changed key buys nothing again, and is not to be found in what is written."""
    durable_cells(
        notebook,
        effects,
        "from pydantic import SecretStr\n"
        "async def get(url, api_key): effects.add(url); return url\n",
    )
    source = "a = await stepwell.call(get, '/1', SecretStr('{}'))"
    notebook.done("a", source.format("hush-1"))
    notebook.done("a", source.format("hush-2"))
    assert effects.take() == ["/1"]
    engine = notebook.session.engine
    written = [row.body for row in engine.store.rows(engine.run) if row.kind == "call_completed"]
    assert written
    assert not any(b"hush" in body for body in written)
