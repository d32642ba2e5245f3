"""Kernels that are killed while their agents are in the middle of something; the store read after.

Whatever the moment: one child to a call, one decision to a question, and no step that was
completed runs again.
"""

from collections import Counter
from pathlib import Path
from random import Random
from time import sleep

import pytest
from kernels import Kernel

import stepwell

SETUP = """%%setup
import asyncio, stepwell
from stepwell.patterns import Handoff, handoff, router
def note(what):
    with open("ledger", "a") as file:
        file.write(what + "\\n")
"""
WORKER = (
    "%agent worker(n: int) -> out",
    "%%step begin --agent worker\nnote(f'begin {n}')\nawait asyncio.sleep(n % 5 / 50)\nhalf = n",
    "%%step finish --agent worker\nnote(f'finish {n}')\nawait asyncio.sleep(0.1)\nout = half * 2",
)
MANY = "%%step many\nmany = await asyncio.gather(*(worker(n) for n in range(20)))"
ASKER = (
    "%agent asker(text: str) -> said",
    "%%step draft --agent asker\nnote('draft')\nsketch = text.upper()",
    "%%step ask --agent asker\nnote('ask')\nawait stepwell.approve('Send?', sketch)\nsaid = sketch",
    "%%step send --agent asker\nnote('send')\nsent = said",
)
NAPPER = (
    "%agent napper(n: int) -> rest",
    "%%step doze --agent napper\nnote(f'doze {n}')\nawait asyncio.sleep(0)\nlain = n",
    "%%step sleep --agent napper\nnote(f'sleep {n}')\nawait asyncio.sleep(nap)\nrest = lain",
)
TALK = (
    "%agent clerk(text: str) -> answer",
    "%%step look --agent clerk\nnote(f'look {text}')\nawait asyncio.sleep(0.05)\nseen = text",
    "%%step tell --agent clerk\nnote(f'tell {text}')\nanswer = Handoff('boss', seen + '!')",
    """%%setup
async def boss(text):
    note(f'boss {text}')
    await asyncio.sleep(0.05)
    return Handoff('last', text + '?')
async def last(text):
    note(f'last {text}')
    await asyncio.sleep(0.05)
    return text
async def choose(text):
    note(f'choose {text}')
    await asyncio.sleep(0.05)
    return 'talk' if text else 'none'
async def talk(text):
    return (await handoff(text, {'clerk': clerk, 'boss': boss, 'last': last})).result
""",
    "%%step chat\nchat = [await router(it, choose, {'talk': talk}) for it in ('a', 'b', 'c')]",
)


def ledger(folder: Path) -> Counter[str]:
    """How often each piece of work has begun, as noted outside of the store."""
    noted = folder / "ledger"
    return Counter(noted.read_text().splitlines() if noted.exists() else [])


def run_all(kernel: Kernel, *cells: str) -> None:
    """*Run All*, in a process that may be new."""
    kernel.messages.clear()
    for cell in ("%load_ext stepwell", SETUP, *cells):
        kernel.ok(cell)


def killed(kernel: Kernel, choose: Random, *cells: str, seconds: float) -> None:
    """A process that runs all cells, and is killed at some moment after."""
    kernel.start()
    run_all(kernel, *cells)
    kernel.run(f"import time; time.sleep({choose.random() * seconds})")
    kernel.kill()


def check(folder: Path, *, children: int) -> None:
    """One child to a call, no step of a run completed twice, no question decided twice."""
    with stepwell.open(folder / ".stepwell" / "nb.duckdb") as store:
        (found,) = store.sql(
            "select count(*), count(distinct parent || step || call) from "
            "(select body ->> '$.parent' as parent, body ->> '$.step' as step, "
            "body ->> '$.call' as call from records where kind = 'run_started' "
            "and body ->> '$.parent' <> '')"
        ).fetchall()
        twice = store.sql(
            "select run, step from records where kind = 'attempt_completed' "
            "group by all having count(*) > 1"
        ).fetchall()
        decided = store.sql(
            "select body ->> '$.approval' from records where kind = 'approval_decided' "
            "group by all having count(*) > 1"
        ).fetchall()
    assert found == (children, children)
    assert twice == []
    assert decided == []


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_while_many_children_run_at_once(tmp_path: Path, seed: int) -> None:
    """Twenty of them, killed three times."""
    kernel, choose = Kernel(tmp_path), Random(seed)
    for _ in range(3):
        killed(kernel, choose, *WORKER, MANY, seconds=0.3)
    with kernel:
        run_all(kernel, *WORKER, MANY)
        kernel.ok("assert many == [n * 2 for n in range(20)]")
    check(tmp_path, children=20)
    begun = ledger(tmp_path)
    assert len(begun) == 40
    assert max(begun.values()) <= 4


@pytest.mark.parametrize("way", ["run all", "resume"])
def test_killed_while_a_child_waits_for_a_person(tmp_path: Path, way: str) -> None:
    """Before the question is decided, and right after: it is one question, decided once."""
    kernel = Kernel(tmp_path)
    cells = (*ASKER, "%%step a --timeout 20s\na = await asker('hello')")
    kernel.start()
    run_all(kernel, *cells)
    kernel.listen_until(lambda: "Send?" in kernel.value("repr(stepwell.inbox())"))
    asked = kernel.value("stepwell.inbox()[0].id")
    kernel.kill()
    kernel.start()
    run_all(kernel, *cells) if way == "run all" else run_all(kernel, "%stepwell resume")
    kernel.listen_until(lambda: kernel.value("stepwell.inbox()[0].id") == asked)
    kernel.ok("%stepwell approve asker/ask")
    kernel.kill()
    with kernel:
        run_all(kernel, *cells) if way == "run all" else run_all(kernel, "%stepwell resume")
        kernel.ok("%stepwell wait")
        kernel.ok("assert a == 'HELLO'")
    check(tmp_path, children=1)
    begun = ledger(tmp_path)
    assert (begun["draft"], begun["send"]) == (1, 1)


@pytest.mark.parametrize("milliseconds", [0, 2, 5, 15])
def test_killed_while_children_are_cancelled_with_their_parent(
    tmp_path: Path, milliseconds: int
) -> None:
    """All of them are cancelled, or none is; asked for again they go on where they were."""
    kernel = Kernel(tmp_path)
    cells = (*NAPPER, "%%step a\na = await asyncio.gather(*(napper(n) for n in range(8)))")
    kernel.start()
    run_all(kernel, "nap = 60", *cells)
    kernel.listen_until(lambda: sum(ledger(tmp_path).values()) == 16)
    kernel.send("%stepwell cancel a")
    sleep(milliseconds / 1000)
    kernel.kill()
    cancelled = settled(tmp_path)
    assert cancelled in ({}, {"cancelled": 8})
    with kernel:
        run_all(kernel, "nap = 0", *cells)
        kernel.ok("assert a == list(range(8))")
    check(tmp_path, children=8)
    assert all(ledger(tmp_path)[f"doze {n}"] == 1 for n in range(8))


def settled(folder: Path) -> Counter[str]:
    """How the calls of agents have ended, so far."""
    with stepwell.open(folder / ".stepwell" / "nb.duckdb") as store:
        rows = store.sql(
            "select body ->> '$.status', count(*) from records where kind = 'child_settled' "
            "group by all"
        ).fetchall()
        runs = store.sql(
            "select count(*) from records where kind = 'run_settled' "
            "and body ->> '$.status' = 'cancelled'"
        ).fetchall()
    ended = Counter(dict(rows))
    assert ended["cancelled"] in {runs[0][0], runs[0][0] - 1}, "a child without its call, or so"
    return +ended


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_between_the_turns_of_a_conversation(tmp_path: Path, seed: int) -> None:
    """A router that hands over between agents and functions: no turn that was taken is repeated."""
    kernel, choose = Kernel(tmp_path), Random(f"talk {seed}")
    for _ in range(3):
        killed(kernel, choose, *TALK, seconds=0.5)
    with kernel:
        run_all(kernel, *TALK)
        kernel.ok("assert chat == ['a!?', 'b!?', 'c!?']")
    check(tmp_path, children=3)
    with stepwell.open(tmp_path / ".stepwell" / "nb.duckdb") as store:
        calls = store.sql(
            "select body ->> '$.call' from records where kind = 'call_completed'"
        ).fetchall()
    assert max(Counter(str(call) for call in calls).values()) == 1
    begun = ledger(tmp_path)
    assert len(begun) == 3 * 5
    assert sum(begun.values()) - len(begun) <= 3


def test_a_child_that_was_left_is_cancelled_once_and_taken_up_after_a_kill(
    tmp_path: Path,
) -> None:
    """Left in a time-out, killed while its caller goes on: asked for again, it is the same run."""
    kernel = Kernel(tmp_path)
    leave = """%%step a
try:
    async with asyncio.timeout(0.3):
        a = (await asyncio.gather(napper(1), napper(2)))
except TimeoutError:
    note("left")
    await asyncio.sleep(60)
"""
    kernel.start()
    run_all(kernel, "nap = 60", *NAPPER, leave)
    kernel.listen_until(lambda: ledger(tmp_path)["left"] == 1)
    kernel.run("import time; time.sleep(0.2)")
    kernel.kill()
    assert settled(tmp_path) == {"cancelled": 2}
    with kernel:
        run_all(kernel, "nap = 0", *NAPPER, leave)
        kernel.ok("assert a == [1, 2]")
    check(tmp_path, children=2)
    assert ledger(tmp_path)["doze 1"] == ledger(tmp_path)["doze 2"] == 1


def test_what_a_kill_cuts_off_was_not_left(tmp_path: Path) -> None:
    """The end of a process ceases no await: after it nothing of the child is cancelled."""
    kernel = Kernel(tmp_path)
    call = "%%step a\na = await napper(7)"
    for times, end in enumerate((kernel.kill, kernel.shutdown), start=1):
        kernel.start()
        run_all(kernel, "nap = 60", *NAPPER, call)
        kernel.listen_until(lambda times=times: ledger(tmp_path)["sleep 7"] == times)
        end()
        assert settled(tmp_path) == {}
    with kernel:
        run_all(kernel, "nap = 0", *NAPPER, call)
        kernel.ok("assert a == 7")
    check(tmp_path, children=1)
