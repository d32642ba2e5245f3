"""Secrets in a real kernel: neither in the store, nor on a card, nor in what steps say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernels import Kernel

SECRET = 'hunter2-\N{SNOWMAN}"quoted"'
MADE = "import os, stepwell\nkey = os.environ['API_KEY']\nstepwell.secret('key')"


@pytest.fixture
def secretive(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel that has a secret; afterwards nobody has."""
    with Kernel(tmp_path, API_KEY=SECRET) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok(f"%%setup\n{MADE}")
        yield kernel
        kernel.listen()
        assert "hunter2" not in str(kernel.messages)
        kernel.shutdown()
    assert written_with(tmp_path, "hunter2") == []


def written_with(folder: Path, text: str) -> list[Path]:
    """Files of the store with the text in them."""
    files = [path for path in (folder / ".stepwell").rglob("*") if path.is_file()]
    assert files
    return [path for path in files if text.encode() in path.read_bytes()]


def test_a_secret_is_read_and_not_kept(secretive: Kernel) -> None:
    """A step may use it; that it has changed is seen."""
    kernel = secretive
    kernel.ok("%%step a\nlength = len(key)")
    kernel.ok("assert length == 17")
    kernel.ok("%stepwell plan")
    kernel.ok("%stepwell status")
    kernel.ok("key = key[:13]")
    [plan] = kernel.of(kernel.ok("%stepwell plan"), "execute_result")
    assert "key changed" in plan["data"]["text/plain"]
    kernel.ok("%%step a\nlength = len(key)")
    kernel.ok("assert length == 13")


@pytest.mark.parametrize(
    "code",
    [
        "import sys\nprint('it is', key)\nprint(key, file=sys.stderr)",
        "from IPython.display import display, Markdown\ndisplay({'k': key}, Markdown(key))",
        "!echo $API_KEY",
        "key",
    ],
)
def test_what_a_step_says_has_it_covered(secretive: Kernel, code: str) -> None:
    """While it runs, and when it is restored."""
    kernel = secretive
    first = kernel.ok(f"%%step a\nx = 1\n{code}")
    kernel.ok("x")
    second = kernel.ok(f"%%step a\nx = 1\n{code}")
    kernel.ok("%stepwell wait")
    for cell in (first, second):
        kernel.listen_until(
            lambda cell=cell: (
                "•••" in str(kernel.of(cell, "stream"))
                or "•••" in str(kernel.of(cell, "display_data"))
            )
        )


def test_an_error_has_it_covered(secretive: Kernel) -> None:
    """On the card, in the cell that waits, and in the store."""
    kernel = secretive
    step = kernel.ok("%%step a\nx = 1\nraise RuntimeError(f'refused: {key}')")
    answer = kernel.run("x")
    assert "refused: •••" in answer.error
    kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "failed")


@pytest.mark.parametrize(
    "code", ["{'auth': 'Bearer ' + key}", "[(key,)]", "'<' + key + '>'", "set([key, 'b'])"]
)
def test_a_result_with_a_secret_in_it_is_refused(secretive: Kernel, code: str) -> None:
    """It says which, and what to do; it is no mistake of the code's."""
    kernel = secretive
    kernel.ok(f"%%step a\nx = {code}")
    answer = kernel.run("x")
    assert answer.ename == "StepFailed"
    assert "though not for its code: ValueNotStorable" in answer.error
    assert "it holds the secret 'key' in clear" in answer.error


def test_a_constant_with_a_secret_in_it_is_not_stored(secretive: Kernel) -> None:
    """It can be read; after a restart its cell is to be run."""
    kernel = secretive
    kernel.ok("headers = {'auth': 'Bearer ' + key}")
    kernel.ok("%%step a\nsize = len(headers['auth'])")
    kernel.ok("assert size == 24")


def test_an_output_may_be_secret(secretive: Kernel) -> None:
    """It is not stored; kept for this kernel, it can be read on."""
    kernel = secretive
    kernel.ok("stepwell.secret('token')")
    kernel.ok("%%step login\ntoken = os.environ['API_KEY'][:8] * 2")
    answer = kernel.run("token")
    assert "marked as secret" in answer.error
    assert "--transient token" in answer.error
    kernel.ok("%%step login --transient token\ntoken = os.environ['API_KEY'][:8] * 2")
    use = kernel.ok("%%step use\nprint(token)\nsize = len(token)")
    kernel.ok("assert size == 16")
    kernel.listen_until(lambda: "•••" in kernel.text(use))


def test_code_with_a_secret_in_it_is_refused(secretive: Kernel) -> None:
    """Code is stored; whoever writes a secret into it is told before it is."""
    kernel = secretive
    kernel.ok("key = stepwell_secret_file = 'hun' + 'ter2-plain'\nstepwell.secret('key')")
    # What is typed is the front end's: the kernel sends it back.
    for cell in ("%%step a\nx = login('hunter2-plain')", "%%setup\nlogin = 'hunter2-plain'"):
        message = kernel.send(cell)
        answer = kernel.reply(message)
        assert answer.ename in ("InvalidStep", "InvalidUsage")
        assert "holds the secret 'key' in clear" in answer.error
        kernel.messages = [it for it in kernel.messages if it["msg_type"] != "execute_input"]


def test_a_secret_in_code_that_is_stored_is_told(kernel: Kernel) -> None:
    """Too late to keep it out of the store, so it is to be changed."""
    kernel.ok("import stepwell")
    answer = kernel.run("%%setup\nkey = 'hunter2-setup'\nstepwell.secret('key')")
    assert answer.ename == "InvalidUsage"
    assert "the code of a setup cell holds the secret 'key' in clear" in answer.error
    assert "change the secret" in answer.error


def test_after_a_restart_a_secret_is_secret_before_anybody_says_so(tmp_path: Path) -> None:
    """`resume` runs the setup cell; without one it names the cell that is missing."""
    with Kernel(tmp_path, API_KEY=SECRET) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok(MADE)
        kernel.ok("%%step a\nlength = len(key)")
        kernel.ok("length")
        kernel.kill()
    with Kernel(tmp_path, API_KEY=SECRET) as kernel:
        kernel.ok("%load_ext stepwell")
        [said] = kernel.of(kernel.ok("%stepwell resume"), "execute_result")
        assert "key did not come back: secrets are not stored" in said["data"]["text/plain"]
        kernel.ok("import os\nkey = os.environ['API_KEY'][:11]")
        step = kernel.ok("%%step a\nprint(key)\nlength = len(key)")
        kernel.ok("assert length == 11")
        kernel.listen_until(lambda: "•••" in kernel.text(step))
        kernel.shutdown()
    assert written_with(tmp_path, "hunter2") == []


def test_an_equal_secret_leaves_the_result_valid(tmp_path: Path) -> None:
    """In another kernel of the same user."""
    for _ in range(2):
        with Kernel(tmp_path, API_KEY=SECRET) as kernel:
            kernel.ok("%load_ext stepwell")
            kernel.ok(f"%%setup\n{MADE}")
            kernel.ok("%%step a\nopen('log', 'a').write('a')\nlength = len(key)")
            kernel.ok("length")
            kernel.shutdown()
    assert (tmp_path / "log").read_text() == "a"


def test_secret_takes_names(kernel: Kernel) -> None:
    """Whoever gives the value instead is told so, without a word of it."""
    kernel.ok("import stepwell\nkey = 'hunter2-' * 2 + ' '")
    for call in ("stepwell.secret(key)", "stepwell.secret()", "stepwell.secret(3)"):
        answer = kernel.run(call)
        assert answer.ename == "InvalidUsage"
        assert "hunter2" not in answer.error
        assert 'stepwell.secret("api_key")' in answer.error
