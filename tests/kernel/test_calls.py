"""Durable calls in a kernel that is killed: inside calls, and between effect and commit."""

import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from kernels import Kernel

import stepwell

LOAD = "%load_ext stepwell\nimport asyncio, os, signal, stepwell"
COUNT = 40
KILLS = 5

TOOLS = """
def effect(*words):
    # The world outside: one line to an effect, whole or not at all.
    line = " ".join(map(str, words)) + "\\n"
    file = os.open("ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, line.encode())
    os.close(file)

@stepwell.durable
async def tool(n):
    effect(n, stepwell.current().idempotency_key, os.getpid())
    await asyncio.sleep(0.004)
    return n * n

@stepwell.durable
async def outer(n):
    return [await tool(n), await tool(n + 1000)]
"""

ONE_BY_ONE = f"%%step a\na = [await tool(n) for n in range({COUNT})]"
AT_ONCE = (
    "%%step a\n_lane = asyncio.Semaphore(4)\n"
    "async def _one(n):\n    async with _lane: return await tool(n)\n"
    f"a = await asyncio.gather(*[_one(n) for n in range({COUNT})])"
)
NESTED = f"%%step a\na = [(await outer(n))[0] for n in range({COUNT})]"


def ledger(folder: Path) -> list[list[str]]:
    """What has happened outside, in order."""
    file = folder / "ledger"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def send(kernel: Kernel, step: str) -> None:
    """As *Run All* does; the step goes on in the background."""
    kernel.ok(LOAD)
    kernel.ok(TOOLS)
    kernel.send(step)


def finish(kernel: Kernel, step: str) -> None:
    """Let it come to its end."""
    with kernel:
        kernel.ok(LOAD)
        kernel.ok(TOOLS)
        kernel.ok(step)
        kernel.ok("%stepwell wait")
        assert kernel.value(f"a == [n * n for n in range({COUNT})]") == "True"
        kernel.shutdown()


@pytest.mark.parametrize(
    ("step", "in_flight", "calls"),
    [(ONE_BY_ONE, 1, COUNT), (AT_ONCE, 4, COUNT), (NESTED, 1, 2 * COUNT)],
    ids=["one by one", "at once", "nested"],
)
def test_completed_calls_are_never_made_again_however_often_the_kernel_is_killed(
    tmp_path: Path, step: str, in_flight: int, calls: int
) -> None:
    """Each kill costs at most what was in flight; a call made again has the same key."""
    choice = Random(step)
    kernel = Kernel(tmp_path)
    for _ in range(KILLS):
        kernel.start()
        send(kernel, step)
        goal = min(calls, len(ledger(tmp_path)) + choice.randint(1, calls // KILLS))
        end = time.monotonic() + 30
        while len(ledger(tmp_path)) < goal and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(choice.uniform(0, 0.01))
        kernel.kill()
    finish(kernel, step)
    lines = ledger(tmp_path)
    made = Counter(number for number, _, _ in lines)
    keys = {(number, key) for number, key, _ in lines}
    assert len(made) == calls
    assert len(lines) <= calls + KILLS * in_flight
    assert len(keys) == len({key for _, key in keys}) == calls
    with stepwell.open(tmp_path / ".stepwell" / "nb.duckdb") as reader:
        rows = reader.sql("SELECT name, key FROM calls").fetchall()
    assert len(rows) == len({key for _, key in rows})
    assert sum(name == "tool" for name, _ in rows) == calls


DYING = """
@stepwell.durable
def pay(amount):
    effect(amount, stepwell.current().idempotency_key, os.getpid())
    if not os.path.exists("died"):
        open("died", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return amount
"""


def test_a_kill_between_effect_and_commit_repeats_the_call_with_the_same_key(
    tmp_path: Path,
) -> None:
    """At least once: whoever takes an idempotency key sees that it is the same payment."""
    step = "%%step a\na = [await stepwell.call(pay, 1), await stepwell.call(pay, 2)]"
    kernel = Kernel(tmp_path)
    kernel.start()
    kernel.ok(LOAD)
    kernel.ok(TOOLS + DYING)
    kernel.send(step)
    end = time.monotonic() + 30
    while not (tmp_path / "died").exists() and time.monotonic() < end:
        time.sleep(0.005)
    kernel.kill()
    with kernel:
        kernel.ok(LOAD)
        kernel.ok(TOOLS + DYING)
        kernel.ok(step)
        kernel.ok("%stepwell wait")
        assert kernel.value("a") == "[1, 2]"
    first, again, other = ledger(tmp_path)
    assert first[:2] == again[:2]
    assert first[2] != again[2]
    assert other[0] == "2"
    assert other[1] != first[1]


PIECES = """
from contextlib import asynccontextmanager, contextmanager

def piece(n):
    effect("piece", n, 0)
    if n == 3 and not os.path.exists("died"):
        open("died", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return n

async def pieces():
    for n in range(5):
        yield piece(n)

@stepwell.durable
async def write():
    async for n in pieces():
        yield n

@stepwell.durable
def count():
    for n in range(5):
        yield piece(n)

@stepwell.durable
@asynccontextmanager
async def writing():
    effect("in", 0, 0)
    yield stepwell.Stream(pieces(), result=lambda: "end")

@stepwell.durable
@contextmanager
def reading():
    effect("in", 0, 0)
    yield map(piece, range(5))
"""
READERS = {
    "async generator": "a = [n async for n in write()]",
    "generator": "a = list(count())",
    "async with": "async with writing() as it:\n    a = [n async for n in it]\nassert it.result",
    "with": "with reading() as it:\n    a = list(it)",
}


@pytest.mark.parametrize("how", READERS)
def test_a_stream_that_is_cut_off_is_made_again_from_its_beginning(
    tmp_path: Path, how: str
) -> None:
    """Half a stream is not a result; the calls before it are kept. One that is whole stays."""
    step = f"%%step a\nb = await tool(7)\n{READERS[how]}\n_again = os.path.exists('again')\n"
    dying = (
        "if not _again:\n    open('again', 'w').close()\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    kernel = Kernel(tmp_path)
    kernel.start()
    kernel.ok(LOAD)
    kernel.ok(TOOLS + PIECES)
    kernel.send(step + dying)
    _until_killed(kernel, tmp_path / "died")
    kernel.start()
    kernel.ok(LOAD)
    kernel.ok(TOOLS + PIECES)
    kernel.send("%stepwell resume")
    _until_killed(kernel, tmp_path / "again")
    with kernel:
        kernel.ok(LOAD)
        kernel.ok(TOOLS + PIECES)
        kernel.ok("%stepwell resume")
        kernel.ok("%stepwell wait")
        assert kernel.value("(a, b)") == "([0, 1, 2, 3, 4], 49)"
    made = Counter(line[0] for line in ledger(tmp_path))
    assert made == {"7": 1, "piece": 4 + 5} | ({"in": 2} if "with" in how else {})


def _until_killed(kernel: Kernel, mark: Path) -> None:
    """It leaves a mark and kills itself."""
    end = time.monotonic() + 30
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.005)
    assert mark.exists()
    kernel.kill()
