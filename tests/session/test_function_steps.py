"""What a function step depends on besides its parameters: what it finds where it was defined."""

import linecache
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import stepwell
from stepwell.api import FunctionStep
from stepwell.errors import InvalidUsage
from stepwell.flow import Change
from stepwell.session._reports import reasons
from stepwell.store import MemoryStore
from stepwell.store.values import SECRETS
from tests.support.sessions import Notebook


class Functions:
    """A script of function steps, run in one session again and again as it is edited."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = 0
        self.notebook = Notebook(folder, MemoryStore())

    def edit(self, text: str, names: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The script is this now, in a process that has nothing else; what it defines."""
        self._versions += 1
        filename = f"{self._folder}/script_{self._versions}.py"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        found = {"__name__": "__main__", "stepwell": stepwell, **(names or {})}
        exec(compile(text, filename, "exec", dont_inherit=True), found)
        made: list[Any] = [it for it in found.values() if isinstance(it, FunctionStep)]
        self.take([it for it in made if it.definition.defer])
        return found

    def take(self, steps: list[FunctionStep[..., Any]]) -> None:
        """These are the steps."""
        session = self.notebook.session
        for made in steps:
            session.surroundings.functions[made.definition.name] = made.function
        session.define([made.definition for made in steps])

    def run(self) -> dict[str, int]:
        """Bring all steps up to date; how often each has run until now."""
        session = self.notebook.session
        names = session.names()
        session.ask(names, by="run")
        session.wait(names, timeout=60)
        return {name: session.state.steps[name].attempts for name in names}

    def changes(self, name: str = "one") -> tuple[Change, ...]:
        """Why the step is stale."""
        return reasons(self.notebook.session, name)

    def why(self, name: str = "one") -> list[str]:
        """The same, in lines."""
        return [change.summary for change in self.changes(name)]


@pytest.fixture
def functions(tmp_path: Path) -> Functions:
    """No step yet."""
    return Functions(tmp_path)


def one(body: str, above: str = "", parameters: str = "") -> str:
    """A script with one step."""
    return f'{above}\n@stepwell.step(out="x", defer=True)\ndef one({parameters}):\n    {body}\n'


EDITS = {
    "helper": (
        one("return helper()", "def helper():\n    return {}\n"),
        "helper function helper() changed",
    ),
    "helper of a helper": (
        one(
            "return helper()",
            "def deep():\n    return {}\ndef helper():\n    return deep()\n",
        ),
        "helper function deep() changed",
    ),
    "constant": (one("return LIMIT", "LIMIT = {}\n"), "LIMIT: 1 → 2"),
    "constant in an inner function": (
        one("return [(lambda: LIMIT)() for _ in range(2)]", "LIMIT = {}\n"),
        "LIMIT: 1 → 2",
    ),
    "class": (
        one("return Pair().get()", "class Pair:\n    def get(self):\n        return {}\n"),
        "helper class Pair changed",
    ),
    "attribute of an instance's class": (
        one(
            "return pair.get()", "class Pair:\n    def get(self):\n        return {}\npair = Pair()"
        ),
        "helper class Pair changed",
    ),
    "default": (one("return limit", "LIMIT = {}\n", "limit=LIMIT"), "one.limit: 1 → 2"),
    "default by keyword": (
        one("return limit", "LIMIT = {}\n", "*, limit=LIMIT"),
        "one.limit: 1 → 2",
    ),
    "recursion": (
        one("return down(3)", "def down(n):\n    return n > 0 and down(n - {})\n"),
        "helper function down() changed",
    ),
    "mutual recursion": (
        one(
            "return even(4)",
            "def even(n):\n    return n <= 0 or odd(n - 1)\n"
            "def odd(n):\n    return n > 0 and even(n - {})\n",
        ),
        "helper function odd() changed",
    ),
    "what calls the step itself": (
        one("return LIMIT if LIMIT else one.function()", "LIMIT = {}\n"),
        "LIMIT: 1 → 2",
    ),
}


@pytest.mark.parametrize("what", EDITS)
def test_what_a_function_reads_makes_it_stale(functions: Functions, what: str) -> None:
    """Edited, it is the reason that is told; the same again, nothing runs."""
    text, reason = EDITS[what]
    functions.edit(text.replace("{}", "1"))
    assert functions.run() == {"one": 1}
    functions.edit(text.replace("{}", "1"))
    assert functions.why() == []
    assert functions.run() == {"one": 1}
    functions.edit(text.replace("{}", "2"))
    assert reason in functions.why()
    assert not any("code of the step" in line for line in functions.why())
    assert functions.run() == {"one": 2}
    assert functions.why() == []


def test_the_difference_is_shown(functions: Functions) -> None:
    """As for helpers of cells."""
    text = one("return helper()", "def helper():\n    return {}\n")
    functions.edit(text.replace("{}", "1"))
    functions.run()
    functions.edit(text.replace("{}", "2"))
    (change,) = functions.changes()
    assert "-    return 1\n+    return 2" in change.diff


DECORATED = """
import functools
MARK = {mark}
def marked(mark):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args):
            return mark, {body}
        return wrapper
    return decorate

@stepwell.step(out="x", defer=True)
@marked(MARK)
def one():
    return 1
"""


@pytest.mark.parametrize(
    ("mark", "body", "reason"),
    [
        ("2", "function(*args)", "marked.<locals>.decorate.<locals>.mark: 1 → 2"),
        ("1", "0, function(*args)", "helper function marked.<locals>.decorate.<locals>.wrapper()"),
    ],
)
def test_decorators_count(functions: Functions, mark: str, body: str, reason: str) -> None:
    """Their code, and what they were given."""
    functions.edit(DECORATED.format(mark="1", body="function(*args)"))
    functions.run()
    functions.edit(DECORATED.format(mark=mark, body=body))
    lines = functions.why()
    assert [line for line in lines if line.startswith(reason)] != []
    assert "code of the step changed" not in lines


def made_in_a_function(limit: Any) -> FunctionStep[..., Any]:
    """A step with a closure."""

    @stepwell.step(name="one", out="x", defer=True)
    def closed() -> Any:
        return limit() if callable(limit) else limit

    return closed


def test_a_closure_counts(functions: Functions) -> None:
    """Its values do, and the functions in it."""
    functions.take([made_in_a_function(1)])
    assert functions.run() == {"one": 1}
    functions.take([made_in_a_function(1)])
    assert functions.run() == {"one": 1}
    functions.take([made_in_a_function(2)])
    assert functions.why() == ["made_in_a_function.<locals>.limit: 1 → 2"]
    assert functions.run() == {"one": 2}
    functions.take([made_in_a_function(lambda: 3)])
    assert functions.run() == {"one": 3}
    functions.take([made_in_a_function(lambda: 4)])
    assert functions.run() == {"one": 4}


def test_what_cannot_be_told_apart_is_told(functions: Functions) -> None:
    """A lock is the same lock; the card says that nobody can know."""
    text = one("return 1 if lock else 2", "import threading\nlock = threading.Lock()\n")
    functions.edit(text)
    functions.run()
    functions.edit(text)
    assert functions.run() == {"one": 1}
    captured = functions.notebook.session.capture("one")[1]
    assert {key: str(kind) for key, kind in captured.opaque.items()} == {"lock": "_thread.lock"}


@pytest.fixture
def api_key() -> Iterator[None]:
    """Is a secret, in one test."""
    SECRETS.mark("API_KEY")
    yield
    SECRETS.forget()


@pytest.mark.usefixtures("api_key")
def test_a_secret_is_told_apart_and_not_told(functions: Functions) -> None:
    """Neither in the environment nor in the reason."""
    text = one("return len(API_KEY)")
    functions.edit(text, {"API_KEY": "hush-hush-one"})
    functions.run()
    functions.edit(text, {"API_KEY": "hush-hush-two"})
    assert functions.why() == ["API_KEY changed"]
    assert "hush" not in repr(functions.notebook.session.capture("one")[1].bindings)


def test_a_name_that_nobody_has_is_no_error(functions: Functions) -> None:
    """It may be on a path that is never taken. When it is there, that is a change."""
    text = one("return 1 if True else later(ever)")
    functions.edit(text)
    assert functions.run() == {"one": 1}
    functions.edit(text, {"later": len})
    assert functions.why() == ["now also reads 'later'"]


def test_a_global_called_like_an_output_is_no_input(functions: Functions) -> None:
    """The function runs where it stands and finds that there; its parameters are its inputs."""
    text = (
        "y = {}\n"
        '@stepwell.step(out="y", defer=True)\ndef other():\n    return 10\n'
        '@stepwell.step(out="x", defer=True)\ndef one():\n    return y\n'
    )
    functions.edit(text.replace("{}", "1"))
    assert functions.run() == {"other": 1, "one": 1}
    session = functions.notebook.session
    assert session.state.flow.upstream("one") == ()
    assert functions.notebook.names["x"] == 1
    functions.edit(text.replace("{}", "2"))
    assert functions.why() == ["__main__.y: 1 → 2"]
    assert functions.run() == {"other": 1, "one": 2}


def test_a_parameter_is_told_from_a_global_of_its_name(functions: Functions) -> None:
    """One that is given, and one that a function it calls finds in the module."""
    text = one("return size + area()", "size = {}\ndef area():\n    return size\n", "size")
    functions.notebook.names["size"] = 5
    functions.edit(text.replace("{}", "1"))
    functions.run()
    assert functions.notebook.names["x"] == 6
    functions.edit(text.replace("{}", "2"))
    assert functions.why() == ["__main__.size: 1 → 2"]
    functions.notebook.names["size"] = 6
    assert functions.why() == ["__main__.size: 1 → 2", "size: 5 → 6"]


CHANGING = {
    "appended to": "log.append(1)",
    "filled": "log[0:0] = [1]",
    "filled by a helper": "note()",
    "assigned": "count_up()",
    "assigned in an object": "box.at += 1",
}

ABOVE = """
from types import SimpleNamespace
log = []
count = 0
box = SimpleNamespace(at=0)
def note():
    log.append(1)
def count_up():
    global count
    count += 1
"""


@pytest.mark.parametrize("what", CHANGING)
def test_what_the_code_itself_changes_does_not_make_it_stale(
    functions: Functions, what: str
) -> None:
    """It would never be up to date."""
    functions.edit(one(CHANGING[what], ABOVE).replace('out="x", ', ""))
    assert functions.run() == {"one": 1}
    assert functions.why() == []
    assert functions.run() == {"one": 1}


def test_steps_that_read_alike_are_not_taken_for_each_other(functions: Functions) -> None:
    """What is shared among steps is shared only where everything is the same."""
    first = functions.edit(one("return LIMIT", "LIMIT = 1\n"))["one"]
    second = functions.edit(
        one("return LIMIT", "LIMIT = 2\n").replace("one", "two").replace('"x"', '"z"')
    )["two"]
    functions.take([first, second])
    functions.run()
    session = functions.notebook.session
    assert session.capture("one")[0] != session.capture("two")[0]
    functions.edit(one("return LIMIT", "LIMIT = 3\n"))
    assert functions.why("one") == ["LIMIT: 1 → 3"]
    assert functions.why("two") == []


def test_a_result_from_before_this_counted(functions: Functions) -> None:
    """Reused no longer: what it was made with is not known, and that is what is said."""
    text = one("return LIMIT", "LIMIT = 1\n")
    functions.edit(text)
    surroundings = functions.notebook.session.surroundings
    del surroundings.functions["one"]
    functions.take([FunctionStep(lambda: 1, functions.notebook.session.state.flow["one"])])
    functions.run()
    functions.edit(text)
    assert functions.why() == ["now also reads 'LIMIT'"]


def test_a_function_that_is_not_here_has_not_changed(tmp_path: Path) -> None:
    """In a new kernel, before its cell is run again, its result is as good as it was."""
    functions = Functions(tmp_path)
    functions.edit(one("return LIMIT", "LIMIT = 1\n"))
    functions.run()
    del functions.notebook.session.surroundings.functions["one"]
    assert functions.why() == []
    assert functions.run() == {"one": 1}


AGENT = """
import asyncio
def helper(text):
    return text * {}

@stepwell.agent
async def doubled(text):
    return helper(text)

pair = stepwell.agent("pair", parameters={"text": str}, out="both")

@pair.step(out="both")
def both(text):
    return [helper(text), helper(text)]

@stepwell.step(out="x", defer=True)
async def one():
    return await {agent}("ab")
"""


@pytest.mark.parametrize("agent", ["doubled", "pair"])
def test_what_an_agents_functions_call_counts(functions: Functions, agent: str) -> None:
    """For the step that calls the agent, and in the run that it is called for."""
    text = AGENT.replace("{agent}", agent)
    functions.edit(text.replace("{}", "2"))
    functions.run()
    before = functions.notebook.names["x"]
    functions.edit(text.replace("{}", "2"))
    assert functions.run() == {"one": 1}
    functions.edit(text.replace("{}", "3"))
    assert functions.why() == ["helper function helper() changed"]
    assert functions.run() == {"one": 2}
    assert "ababab" in functions.notebook.names["x"] != before


def test_in_a_notebook_its_names_are_the_functions(functions: Functions) -> None:
    """A helper edited in another cell is seen."""
    names = functions.notebook.names
    names["__name__"] = "__main__"
    exec("def helper():\n    return 1", names)
    made = '@stepwell.step(out="x", defer=True)\ndef one():\n    return helper()\n'
    exec("import stepwell\n" + made, names)
    functions.take([names["one"]])
    assert functions.run() == {"one": 1}
    exec("def helper():\n    return 2", names)
    assert functions.why() == ["helper function helper() changed"]
    assert functions.run() == {"one": 2}
    assert names["x"] == 2


# -- between two processes --------------------------------------------------------------------


SCRIPT = """
import sys, stepwell, pantry
from pantry import oven

{above}

@stepwell.step(out="x")
def one():
    print("ran one")
    return {body}

with stepwell.run("s.duckdb") as run:
    print("x is", run["x"])
"""

PANTRY = """
import stepwell
RATE = {}
def deep(n):
    return n * RATE
def oven(n):
    return deep(n)

@stepwell.step(out="bread")
def bake():
    print("ran bake")
    return oven(2)
"""


@pytest.fixture
def in_process(tmp_path: Path) -> Callable[..., str]:
    """Run a script beside a module `pantry`; what it prints."""

    def run(body: str, above: str = "", rate: int = 1) -> str:
        (tmp_path / "pantry.py").write_text(PANTRY.replace("{}", str(rate)))
        text = SCRIPT.replace("{above}", above).replace("{body}", body)
        (tmp_path / "s.py").write_text(text)
        command = [sys.executable, "-B", "s.py"]
        done = subprocess.run(
            command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_script_runs_again_what_has_changed_and_nothing_else(
    in_process: Callable[..., str],
) -> None:
    """A helper of the script, and one of a module beside it."""
    above = "def helper(n):\n    return n + {}\nMENU = {'b', 'a', 'c'}"
    body = "helper(oven(1)) + len(MENU)"
    assert "ran one" in in_process(body, above.replace("{}", "1"))
    assert "ran" not in in_process(body, above.replace("{}", "1"))
    out = in_process(body, above.replace("{}", "2"))
    assert "ran one" in out
    assert "ran bake" not in out
    assert "x is 6" in out
    assert "ran" not in in_process(body, above.replace("{}", "2"))
    out = in_process(body, above.replace("{}", "2"), rate=5)
    assert "ran one" in out
    assert "ran bake" in out


def test_a_fork_is_not_given_what_a_function_finds_in_its_module(functions: Functions) -> None:
    """It would run with what is there, whatever the fork was given."""
    from stepwell.session import fork

    functions.edit(one("return LIMIT", "LIMIT = 1\n"))
    functions.run()
    with pytest.raises(InvalidUsage, match="make it a parameter"):
        fork(functions.notebook.session, "current", given={"LIMIT": 2})
