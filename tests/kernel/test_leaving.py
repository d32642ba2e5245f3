"""Stopping: a wait, the extension, the kernel. Nothing is left behind and nothing is lost."""

import ast
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kernels import Answer, Kernel

import stepwell

SLOW = {
    "sync": "import time\nwhile not os.path.exists('gate'): time.sleep(0.01)",
    "async": "import asyncio\nwhile not os.path.exists('gate'): await asyncio.sleep(0.01)",
}
WAITS = {
    "cell": ("later", "KeyboardInterrupt"),
    "wait": ("%stepwell wait", "KeyboardInterrupt"),
    "cell that awaits": ("import asyncio\nawait asyncio.sleep(0)\nlater", "CancelledError"),
}


# ipykernel never answers a cell that is interrupted before its own first line has begun.
_SAY_WHEN_WAITING = """
def _saying(wait):
    def waiting(*names, **options):
        open("waiting", "w")
        return wait(*names, **options)
    return waiting
import stepwell.waiting as _waiting
from stepwell.session import Session as _Session
for _home, _name in ((_waiting, "wait_for"), (_waiting, "wait_for_in_await"), (_Session, "wait")):
    setattr(_home, _name, _saying(getattr(_home, _name)))
"""


@pytest.mark.parametrize("kind", SLOW)
@pytest.mark.parametrize("way", WAITS)
def test_interrupting_stops_the_waiting_and_never_the_run(
    kernel: Kernel, kind: str, way: str
) -> None:
    """■ gives the kernel back at once; the step goes on, and can be waited for again."""
    cell, ename = WAITS[way]
    kernel.ok("import os")
    kernel.ok(f"%%step a\nopen('began', 'a').write('a')\n{SLOW[kind]}\nlater = 1")
    wait_for((kernel.folder / "began").exists)
    kernel.ok(_SAY_WHEN_WAITING)
    request = kernel.send(cell)
    wait_for((kernel.folder / "waiting").exists)
    begun = time.monotonic()
    kernel.interrupt()
    assert kernel.reply(request).ename == ename
    assert time.monotonic() - begun < 2
    kernel.ok("1 + 1")
    (kernel.folder / "gate").touch()
    kernel.ok("assert later == 1")
    assert (kernel.folder / "began").read_text() == "a"


# What a kernel consists of, as far as an extension can add to it. Our short-lived threads
# are given the time they need to end.
_PARTS = """(lambda shell: {
    "threads": sorted(t.name for t in __import__("threading").enumerate()),
    "streams": [type(getattr(__import__("sys"), name)).__name__ for name in ("stdout", "stderr")],
    "ast transformers": len(shell.ast_transformers),
    "cleanups": len(shell.input_transformers_cleanup),
    "transformers": len(shell.input_transformers_post),
    "cell magics": sorted(shell.magics_manager.magics["cell"]),
    "line magics": sorted(shell.magics_manager.magics["line"]),
    "matchers": len(shell.Completer.custom_matchers),
    "callbacks": {name: len(found) for name, found in shell.events.callbacks.items()},
    "requests": [
        getattr(shell.kernel, name).__qualname__
        for name in ("pre_handler_hook", "post_handler_hook")
    ],
    "shutdown": shell.kernel.do_shutdown.__qualname__,
    "thread start": __import__("threading").Thread.start.__module__,
    "names": sorted(name for name in shell.user_ns if "stepwell" in name),
})(get_ipython())"""


def test_unloading_leaves_nothing_behind(tmp_path: Path) -> None:
    """Threads, streams, magics, transformers, hooks: all as they were; outputs stay."""
    with Kernel(tmp_path) as kernel:
        before = parts(kernel)
        kernel.ok("%load_ext stepwell")
        use(kernel)
        assert parts(kernel) != before
        kernel.ok("%unload_ext stepwell")
        wait_for(lambda: parts(kernel) == before)
        kernel.ok("assert (plain, awaited) == (1, 2)")
        assert kernel.run("%stepwell status").status == "error"
        assert kernel.text(kernel.ok("print('after')")) == "after\n"


def test_reloading_starts_nothing_twice(tmp_path: Path) -> None:
    """However often: one of each, and finished steps are answered from the store."""
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        use(kernel)
        kernel.ok("%reload_ext stepwell")
        use(kernel)
        wait_for(lambda: "stepwell-output" not in parts(kernel)["threads"])
        before = parts(kernel)
        for _ in range(3):
            kernel.ok("%reload_ext stepwell")
            kernel.ok("%load_ext stepwell")
        step = use(kernel)
        wait_for(lambda: parts(kernel) == before)
        assert kernel.cards(step)[-1]["restored"] is True
        assert (tmp_path / "log").read_text() == "a"


def test_unloading_while_a_step_runs_leaves_it_in_doubt(tmp_path: Path) -> None:
    """Its late end changes nothing; loaded again, it runs again with the same key."""
    with Kernel(tmp_path) as kernel:
        kernel.ok("import os")
        kernel.ok("%load_ext stepwell")
        cell = f"%%step a\nopen('began', 'a').write('a')\n{SLOW['sync']}\nlater = 1"
        kernel.ok(cell)
        wait_for((tmp_path / "began").exists)
        kernel.ok("%reload_ext stepwell")
        kernel.ok(cell)
        wait_for(lambda: (tmp_path / "began").read_text() == "aa")
        (tmp_path / "gate").touch()
        kernel.ok("assert later == 1")
        kernel.shutdown()
    with stepwell.open(tmp_path / ".stepwell" / "nb.duckdb") as reader:
        found = reader.sql("select status, idempotency_key from attempts order by attempt")
        (first, key), (second, same) = found.fetchall()
    assert (first, second, key) == ("interrupted", "completed", same)


RUNNING = {
    "sleeping": "import time\ntime.sleep(60)",
    "busy": "while True: pass",
    "awaiting": "import asyncio\nawait asyncio.sleep(60)",
    "blocking the loop": "import asyncio, time\nawait asyncio.sleep(0)\ntime.sleep(60)",
    "not listening": (
        "import asyncio\nwhile True:\n    try: await asyncio.sleep(60)\n"
        "    except asyncio.CancelledError: pass"
    ),
}


@pytest.mark.parametrize("kind", RUNNING)
def test_a_kernel_asked_to_end_does_so_orderly_and_soon(tmp_path: Path, kind: str) -> None:
    """Whatever its steps do: the store is closed, with no log left to be replayed."""
    store = tmp_path / ".stepwell" / "nb.duckdb"
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("%%step a\ndone = 1")
        kernel.ok("done")
        kernel.ok(f"%%step b\nopen('began', 'w')\n{RUNNING[kind]}\nnever = 1")
        wait_for((tmp_path / "began").exists)
        begun = time.monotonic()
        kernel.shutdown()
        # After that the front end would kill it, and leave the log.
        assert time.monotonic() - begun < 5
    assert not store.with_name("nb.duckdb.wal").exists()
    with stepwell.open(store) as reader:
        statuses = dict(reader.sql("select step, status from attempts").fetchall())
    assert statuses["a"] == "completed"
    assert statuses["b"] in {"started", "interrupted"}


def use(kernel: Kernel) -> Answer:
    """Run one step of each kind to its end; the answer of the first one's cell."""
    step = kernel.ok("%%step a\nopen('log', 'a').write('a')\nprint('said')\nplain = 1")
    kernel.ok("%%step b\nimport asyncio\nawait asyncio.sleep(0)\nawaited = 2")
    kernel.ok("plain, awaited")
    kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "done")
    return step


def parts(kernel: Kernel) -> dict[str, list[str]]:
    """What the kernel consists of just now."""
    found: dict[str, list[str]] = ast.literal_eval(kernel.value(_PARTS))
    # These come and go by themselves, with what there is to do.
    passing = {"stepwell-cards", "stepwell-restore", "stepwell-async", "stepwell-step"}
    if "stepwell-store" in found["threads"]:
        found["threads"] = [name for name in found["threads"] if name not in passing]
    return found


def wait_for(is_there: Callable[[], bool], *, seconds: float = 90) -> None:
    """Return as soon as the condition holds."""
    until = time.monotonic() + seconds
    while not is_there():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.01)
