"""What people do by mistake, and what machines do to them: each gets a clear word and no harm."""

import re
from pathlib import Path

import duckdb
import pytest
from kernels import Answer, Kernel

# -- stores -------------------------------------------------------------------------------


def test_a_second_kernel_learns_who_has_the_store_and_works_once_it_is_free(
    tmp_path: Path,
) -> None:
    """The message says who and what to do; ordinary cells go on; no restart is needed after."""
    with Kernel(tmp_path) as first, Kernel(tmp_path) as second:
        for kernel in (first, second):
            kernel.ok("%load_ext stepwell")
        first.ok("%%step a\nvalue = 1")
        first.ok("value")
        for cell in ("%%step a\nvalue = 1", "%stepwell status", "value"):
            answer = second.run(cell)
            assert answer.ename == "StoreLocked", cell
            assert f"process {first.pid}" in answer.error
            assert "nb.ipynb" in answer.error
            assert "%stepwell store PATH" in answer.error
        ordinary = second.ok("print([i for i in range(3)])\nfor j in range(2): print(j)")
        assert second.text(ordinary) == "[0, 1, 2]\n0\n1\n"
        first.shutdown()
        step = second.ok("%%step a\nvalue = 1")
        second.ok("%%step slow\nimport time\ntime.sleep(0.3)\nlater = value + 1")
        # Cells still wait, also after some of them have found the store in use.
        assert second.text(second.ok("print(later)")) == "2\n"
        assert second.cards(step)[-1]["restored"] is True


def test_a_place_that_cannot_be_written_is_named_and_can_be_changed(tmp_path: Path) -> None:
    """Nothing is run without being kept; another path helps at once."""
    # Not even root can make a file there.
    with Kernel(tmp_path, STEPWELL_STORE="/sys/nb.duckdb") as kernel:
        kernel.ok("%load_ext stepwell")
        answer = kernel.run("%%step a\nopen('ran', 'w')\nvalue = 1")
        assert answer.ename == "StoreReadOnly"
        assert "/sys/nb.duckdb" in answer.error
        assert "%stepwell store PATH" in answer.error
        assert not (tmp_path / "ran").exists()
        kernel.ok("%stepwell store elsewhere.duckdb")
        kernel.ok("%%step a\nvalue = 1")
        kernel.ok("assert value == 1")
        assert (tmp_path / "elsewhere.duckdb").exists()


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """The message says which version can read it, and how to go on without."""
    store = tmp_path / ".stepwell" / "nb.duckdb"
    with Kernel(tmp_path) as kernel:
        run_a_step(kernel)
        kernel.shutdown()
    with duckdb.connect(store) as connection:
        connection.execute("insert into meta values ('schema', '999')")
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        for cell in ("%%step a\nvalue = 1", "value"):
            answer = kernel.run(cell)
            assert answer.ename == "StoreVersionMismatch"
            assert "schema 999" in answer.error
            assert "%stepwell store PATH" in answer.error
        kernel.ok("1 + 1")


def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    """Neither a text nor somebody else's database is touched."""
    folder = tmp_path / ".stepwell"
    folder.mkdir()
    (folder / "text.duckdb").write_text("I am a diary.\n" * 500)
    with duckdb.connect(folder / "other.duckdb") as connection:
        connection.execute("create table recipes (name text)")
    for name, said in (("text", "not a stepwell store"), ("other", "it holds the tables recipes")):
        before = (folder / f"{name}.duckdb").read_bytes()
        with Kernel(tmp_path, notebook=f"{name}.ipynb") as kernel:
            kernel.ok("%load_ext stepwell")
            answer = kernel.run("%%step a\nvalue = 1")
            assert answer.ename == "StoreError"
            assert said in answer.error
            assert "was not touched" in answer.error
        assert (folder / f"{name}.duckdb").read_bytes() == before


def test_a_renamed_notebook_is_told_where_its_store_is(tmp_path: Path) -> None:
    """Said once, with the command that helps; then what was done is not done again."""
    (tmp_path / "old.ipynb").write_text("{}")
    cell = "%%step a\nwith open('log', 'a') as file: file.write('a')\nvalue = 1"
    with Kernel(tmp_path, notebook="old.ipynb") as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok(cell)
        kernel.ok("value")
        kernel.shutdown()
    (tmp_path / "old.ipynb").rename(tmp_path / "new.ipynb")
    with Kernel(tmp_path, notebook="new.ipynb") as kernel:
        kernel.ok("%load_ext stepwell")
        said = kernel.text(kernel.ok("%%step other\nunrelated = 1"), "stderr")
        (advice,) = re.findall(r"`(%stepwell store .*?)`", said)
        assert "old.ipynb" in said
        kernel.ok(advice)
        step = kernel.ok(cell)
        kernel.ok("value")
        kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "done")
        assert kernel.cards(step)[-1]["restored"] is True
    assert (tmp_path / "log").read_text() == "a"


# -- a full disk ----------------------------------------------------------------------------

_LIMIT = """
import os, resource
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
"""


def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_space(tmp_path: Path) -> None:
    """Nothing acknowledged is lost; a finished step is not paid for again."""
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok(_LIMIT)
        kernel.ok("%%step a\nfirst = os.urandom(1000)")
        kernel.ok("first")
        # Room for the request, with plenty to spare, and none for the result.
        kernel.ok("limit(os.path.getsize('.stepwell/nb.duckdb.wal') + 20_000)")
        step = kernel.ok(
            "%%step b\nwith open('log', 'a') as file: file.write('b')\nsecond = os.urandom(60_000)"
        )
        kernel.listen_until(lambda: "disk is full" in shown(kernel, step))
        assert kernel.cards(step)[-1]["phase"] == "running"
        for cell in ("len(second)", "%stepwell wait", "%%step c\nthird = 1"):
            answer = kernel.run(cell)
            assert answer.ename == "StoreFull", cell
            assert "Free some space" in answer.error
        [status] = kernel.of(kernel.ok("%stepwell status"), "execute_result")
        assert "Free some space" in str(status["data"]["text/plain"])
        kernel.ok("assert len(first) == 1000")
        kernel.ok("limit(resource.RLIM_INFINITY)")
        kernel.ok("assert len(second) == 60_000")
        kernel.ok("%%step c\nthird = 1")
        kernel.ok("third")
        kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "done")
        assert "disk is full" not in shown(kernel, step)
        kernel.kill()
    assert (tmp_path / "log").read_text() == "b"
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("%stepwell resume")
        kernel.ok("%stepwell wait")
        assert kernel.value("(len(first), len(second), third)") == "(1000, 60000, 1)"


def test_a_large_value_waits_for_room_as_a_small_one_does(tmp_path: Path) -> None:
    """It is said on the card; with space, the result is kept and nothing runs again."""
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok(_LIMIT)
        kernel.ok("%%step a\nfirst = 1")
        kernel.ok("first")
        kernel.ok("limit(1 << 20)")
        step = kernel.ok(
            "%%step b\nwith open('log', 'a') as file: file.write('b')\n"
            "large = os.urandom(3_000_000)"
        )
        kernel.listen_until(lambda: "no room for a value" in shown(kernel, step))
        assert kernel.cards(step)[-1]["phase"] == "running"
        answer = kernel.run("len(large)")
        assert answer.ename == "StoreFull"
        assert "free some space" in answer.error
        kernel.ok("limit(resource.RLIM_INFINITY)")
        kernel.ok("assert len(large) == 3_000_000 and first == 1")
        kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "done")
        kernel.kill()
    assert (tmp_path / "log").read_text() == "b"
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("%stepwell resume")
        kernel.ok("assert len(large) == 3_000_000")


# -- values ---------------------------------------------------------------------------------

UNSTORABLE = {
    "import threading\nresult = threading.Lock()": ("_thread.lock", "threads of this process"),
    "result = (i for i in range(3))": ("generator", "code under way"),
    "result = open('/dev/null')": ("io.TextIOWrapper", "a handle of this process"),
    "import socket\nresult = socket.socket()": ("socket.socket", "a live connection"),
    "from pydantic import SecretStr\nresult = SecretStr('hunter2')": (
        "pydantic.SecretStr",
        "secrets are never stored",
    ),
}


def test_what_cannot_be_stored_is_said_with_its_place_and_a_way_out(kernel: Kernel) -> None:
    """Step, variable, type and what to do; it does not look like a mistake in the code."""
    for code, (kind, reason) in UNSTORABLE.items():
        step = kernel.ok(f"%%step a\n{code}")
        answer = kernel.run("result")
        assert answer.ename == "StepFailed"
        assert answer.error.startswith(
            "step 'a' could not be completed, though not for its code: ValueNotStorable: "
            f"step 'a', variable 'result': {'an' if kind[0] in 'aeiou' else 'a'} {kind} "
            "cannot be stored: "
        )
        assert reason in answer.error
        assert "--transient result" in answer.error
        kernel.listen_until(lambda step=step: "cannot be stored" in shown(kernel, step))
        card = shown(kernel, step)
        assert "its code ran to its end, but the result cannot be stored" in card
        assert "--transient result" in card
        assert "Traceback" not in card


def test_what_cannot_be_stored_is_found_inside_of_other_values(kernel: Kernel) -> None:
    """The message says where in the value the trouble is."""
    kernel.ok("%%step a\nimport threading\nresult = {'tools': [1, threading.Lock()]}")
    assert "variable \"result['tools'][1]\"" in kernel.run("result").error


def test_a_client_made_in_the_notebook_can_be_used_by_steps(kernel: Kernel) -> None:
    """What cannot be written down may still be read: it is this process's own."""
    kernel.ok(
        "import threading\nclass Client:\n    def __init__(self): self.lock = threading.Lock()\n"
        "    def ask(self): return 42\nclient = Client()"
    )
    kernel.ok("%%step a\nanswer = client.ask()")
    kernel.ok("assert answer == 42")


def test_a_secret_is_nowhere_in_the_store(tmp_path: Path) -> None:
    """Neither as a result that was refused, nor as a setting that a step reads."""
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("from pydantic import SecretStr\nkey = SecretStr('hunter2-' + 'x' * 3)")
        kernel.ok("%%step a\nlength = len(key.get_secret_value())\ncopy = key")
        assert kernel.run("length").ename == "StepFailed"
        kernel.ok("%%step a --out length\nlength = len(key.get_secret_value())\ncopy = key")
        kernel.ok("assert length == 11")
        kernel.shutdown()
    files = [path for path in (tmp_path / ".stepwell").rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert b"hunter2-xxx" not in path.read_bytes()


def test_large_results_are_kept(kernel: Kernel) -> None:
    """Fifty megabytes come and go; the next step reads them."""
    kernel.ok("%%step a\nimport os\nlarge = os.urandom(50_000_000)")
    kernel.ok("%%step b\nlength = len(large)")
    kernel.ok("assert length == len(large) == 50_000_000")


# -- what is typed --------------------------------------------------------------------------

MISTAKES = {
    "%%step a\nvalue = topci": ("UnknownName", "reads 'topci'", "Did you mean 'topic'?"),
    "%%step other\nfirst = 2": ("TwoWriters", "step 'one' and by step 'other'", "forget one"),
    "%%step two --defer\nsecond = third\n": None,
    "%%step three --defer\nthird = second": ("CyclicFlow", "three → two → three", "--after"),
    "%%step a --after onne\nvalue = 1": ("UnknownStep", "'a' names it", "Did you mean 'one'?"),
    "%%step a --rettries 3\nvalue = 1": ("InvalidUsage", "--rettries", "'--retries'"),
    "%%step a --retries x\nvalue = 1": ("InvalidUsage", "--retries 'x'", "not a number"),
    "%%step a --when 1+\nvalue = 1": ("InvalidStep", "--when '1+'", "not an expression"),
    "%%step a --out q\nvalue = 1": ("InvalidStep", "does not assign", "it assigns value"),
    "%%step a --transient q\nvalue = 1": ("InvalidStep", "'q'", "it writes value"),
    "%%step a --in\nvalue = 1": ("InvalidUsage", "--in needs a value", "NAME"),
    "%%step\nvalue = 1": ("InvalidUsage", "a step needs a name", "%%step NAME"),
    "%%step a\nvalue = = 1": ("InvalidStep", "line 2: invalid syntax", "value = = 1"),
    "%%step a\n\nvalue = 1\nreturn value": ("InvalidStep", "line 4: 'return' outside function"),
    f"%%step {'a' * 101}\nvalue = 1": ("InvalidUsage", "101 characters", "limit is 100"),
    "%%step a\ntopic = topic + '!'": ("InvalidStep", "'topic' before it assigns", "another name"),
    "%stepwell rerun onee": ("UnknownStep", "'onee'", "Did you mean 'one'?"),
    "%stepwell resume zzzz": ("UnknownRun", "'zzzz'", "%stepwell runs"),
    "%stepwell statsu": ("InvalidUsage", "'statsu'", "'status'"),
    "%stepwell sql drop table journal": ("InvalidUsage", "can only be read", "DROP"),
}


def test_mistakes_in_what_is_typed_are_named_with_what_was_likely_meant(kernel: Kernel) -> None:
    """One line each, no traceback of ours; and what was there before still works."""
    kernel.ok("topic = 'x'")
    kernel.ok("%%step one\nfirst = 1")
    for cell, expected in MISTAKES.items():
        answer = kernel.run(cell)
        if expected is None:
            assert answer.status == "ok", answer.error
            continue
        name, *words = expected
        assert answer.ename == name, f"{cell}: {answer.ename}: {answer.error}"
        assert all(word in answer.error for word in words), f"{cell}: {answer.error}"
        assert len(answer.traceback) == 1, cell
    kernel.ok("assert first == 1")


HOSTILE = (
    "<script>alert(1)</script>", "../../etc/passwd", "'; drop table journal; --", "-x", "--", "a.b",
    "a/b", "1", "_", "__init__", "\u202eabc", "$HOME", "{topic}", "`ls`", "a\x1fb", "\x00",
)  # fmt: skip


def test_hostile_step_names_are_refused(kernel: Kernel) -> None:
    """A name is a letter, then letters, digits, _ and -; nothing is run under another."""
    for name in HOSTILE:
        answer = kernel.run(f"%%step {name}\nopen('ran', 'w')\nvalue = 1")
        assert answer.ename == "InvalidUsage", name
        assert len(answer.traceback) == 1, name
    assert not (kernel.folder / "ran").exists()


def test_steps_may_be_called_like_builtins_and_keywords(kernel: Kernel) -> None:
    """A step's name is no Python name: it shadows nothing and nothing shadows it."""
    for name in ("print", "list", "class", "None", "self", "récit", "step-1"):
        kernel.ok(f"%%step {name}\nprint('in a step')\nout_{name.replace('-', '_')} = list('ab')")
    answer = kernel.ok("print(out_print, out_None, list('x'))")
    assert kernel.text(answer) == "['a', 'b'] ['a', 'b'] ['x']\n"


def test_a_step_may_write_a_name_like_a_builtins(kernel: Kernel) -> None:
    """As in any notebook, whoever does it has it so."""
    kernel.ok("%%step a\nlist = [1, 2]")
    kernel.ok("%%step b\nlength = len(list)")
    kernel.ok("assert (length, list) == (2, [1, 2])")


# -- how steps end --------------------------------------------------------------------------

ENDINGS = {
    "raise SystemExit(3)": "SystemExit: 3",
    "import sys\nsys.exit('bye')": "SystemExit: bye",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise GeneratorExit": "GeneratorExit",
    "def again(): return again()\nagain()": "RecursionError: maximum recursion depth",
    "raise BaseExceptionGroup('many', [KeyboardInterrupt(), ValueError('x')])": (
        "BaseExceptionGroup: many (2 sub-exceptions)"
    ),
    "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd": "Odd: (its",
    "import asyncio\nraise asyncio.CancelledError": "CancelledError",
}


@pytest.mark.parametrize("prefix", ["", "import asyncio\nawait asyncio.sleep(0)\n"])
def test_a_step_may_end_in_any_way_and_the_kernel_goes_on(kernel: Kernel, prefix: str) -> None:
    """Whatever it raises is the step's failure; workers, loops and the kernel survive it."""
    for number, (code, said) in enumerate(ENDINGS.items()):
        step = kernel.ok(f"%%step s{number}\n{prefix}{code}\nresult{number} = 1")
        answer = kernel.run(f"result{number}")
        assert answer.ename == "StepFailed"
        assert f"step 's{number}' failed: {said}" in answer.error
        kernel.listen_until(lambda step=step: kernel.cards(step)[-1]["phase"] == "failed")
    kernel.ok(f"%%step fine\n{prefix}good = 1")
    kernel.ok("assert good == 1")


# -- what steps say -------------------------------------------------------------------------


def test_a_step_that_prints_without_end_does_not_flood(kernel: Kernel) -> None:
    """A million characters are kept; how many were not is said below the cell and kept, too."""
    step = kernel.ok("%%step a\nfor i in range(100_000): print('line', i)\ndone = True")
    kernel.ok("done")
    kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "done")
    assert kernel.text(step).startswith("line 0\nline 1\n")
    assert 990_000 < len(kernel.text(step)) <= 1_000_000
    assert "88,891 more characters" in kernel.text(step, "stderr")
    assert len(kernel.of(step, "stream")) < 200


def test_what_threads_of_a_step_print_goes_to_the_steps_cell(kernel: Kernel) -> None:
    """Threads the step starts speak for it, while others speak for themselves."""
    step = kernel.ok(
        "%%step a\nimport threading, time\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "from IPython.display import display\n"
        "def say(i): time.sleep(0.05); print(f'thread {i}\\n', end=''); display({i: i})\n"
        "_threads = [threading.Thread(target=say, args=(i,)) for i in range(3)]\n"
        "for _thread in _threads: _thread.start()\nfor _thread in _threads: _thread.join()\n"
        "with ThreadPoolExecutor(2) as _pool: _said = list(_pool.map(say, range(3, 6)))\n"
        "done = True"
    )
    other = kernel.ok("done")
    kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "done")
    assert sorted(kernel.text(step).splitlines()) == [f"thread {i}" for i in range(6)]
    assert kernel.text(other) == ""
    displays = [content["data"].get("text/plain") for content in kernel.of(step, "display_data")]
    assert {f"{{{i}: {i}}}" for i in range(6)} <= set(displays)


def run_a_step(kernel: Kernel) -> Answer:
    """Load the extension and run a step to its end."""
    kernel.ok("%load_ext stepwell")
    step = kernel.ok("%%step a\nvalue = 1")
    kernel.ok("value")
    return step


def shown(kernel: Kernel, step: Answer) -> str:
    """A step's card as it is now, as text."""
    kernel.listen()
    cards = kernel.of(step, "display_data") + kernel.of(step, "update_display_data")
    return str(cards[-1]["data"]["text/plain"])
