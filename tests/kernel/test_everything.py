"""A notebook with a bit of everything, killed again and again, at moments nobody has chosen.

Each life begins with *Run All* or with `resume` and is ended by SIGKILL; the last one may end
by itself. After each death the store says what is done, and that must never happen again.
"""

import time
from ast import literal_eval
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from kernels import Kernel

import stepwell
from stepwell.orchestrator import is_shortcut_true, runs
from stepwell.store import open_store

SETUP = """%%setup
import asyncio, os, time, stepwell

def effect(key):
    # The world outside: one line to an effect, whole or not at all.
    file = os.open("ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{key}\\n".encode())
    os.close(file)

@stepwell.durable
async def tool(key):
    effect(key)
    await asyncio.sleep(0.02)
    return key.upper()

@stepwell.durable
def plain(key):
    effect(key)
    return key.upper()

@stepwell.durable
async def pieces(key):
    for n in range(3):
        await asyncio.sleep(0.02)
        yield f"{key}{n}"
"""

STEPS = {
    "look --agent researcher": "hits = [await tool(f'{topic}{n}') for n in range(3)]",
    "write --agent researcher": (
        "tone = await stepwell.ask(f'Tone for {topic}?', str)\n"
        "report = f'{topic}:{len(hits)}:{tone}'"
    ),
    "plan": "effect('plan')\nqueries = [f'q{n}' for n in range(8)]",
    "search --map q=queries --max-parallel 3 --retries 2": "hit = await tool(f'search {q}')",
    "second --map h=hit --limit few": "plain(f'second {h}')\nlowered = h.lower()",
    "table": (
        "effect('table')\n_db = stepwell.current().db\n"
        "_db.execute('CREATE TABLE IF NOT EXISTS seen (q TEXT)')\n"
        "_db.executemany('INSERT INTO seen VALUES (?)', [[q] for q in queries])\n"
        "rows = len(queries)"
    ),
    "survey": "reports = await asyncio.gather(*(researcher(topic=t) for t in 'abc'))",
    "nap": "await stepwell.sleep(0.4)\nnapped = True",
    "post": (
        "_run = stepwell.current().run\n"
        "for _n in (1, 2):\n    await stepwell.send(_run, 'mail', _n)\nposted = True"
    ),
    "fetch": "got = [await stepwell.receive('mail'), await stepwell.receive('mail')]",
    "publish --approve 'Publish {rows}?'": "effect('publish')\npublished = rows",
    "flaky --retries 5 --backoff 30ms --limit few": (
        "effect('flaky')\n_tries = open('ledger').read().count('flaky')\n"
        "stepwell.heartbeat(_tries)\n"
        "if _tries < 3:\n    raise ConnectionError('try again')\n"
        "tries = _tries"
    ),
    "stream": "streamed = [piece async for piece in pieces('z')]",
    "careful --once": "effect('careful')\nawait asyncio.sleep(0.05)\nonly = 1",
    "final": (
        "result = [lowered, reports, rows, napped, posted, got, published, streamed, only,"
        " tries >= 3]"
    ),
}
RESULT = [
    [f"search q{n}" for n in range(8)],
    ["a:3:warm", "b:3:warm", "c:3:warm"],
    8, True, True, [1, 2], 8, ["z0", "z1", "z2"], 1, True,
]  # fmt: skip
LOAD = "%load_ext stepwell\nimport stepwell"
RUN_ALL = [
    LOAD,
    SETUP,
    "%stepwell limit few --concurrent 2 --rate 200/s",
    "%agent researcher(topic: str) -> report",
    *(f"%%step {line}\n{code}" for line, code in STEPS.items()),
]
RESUME = [LOAD, "%stepwell resume"]
OPEN = "[(it.id, it.asked.form) for it in stepwell.inbox()]"
ANSWERS = {"ask": "respond {} warm", "approve": "approve {}", "in_doubt": "approve {}"}


LIVES = 6


@dataclass
class Story:
    """One notebook's lives, and what has been found to be done at the end of each."""

    folder: Path
    chance: Random
    first: str = "pass"
    """What each kernel executes before anything else."""
    done: set[str] = field(default_factory=set[str])
    read: int = 0

    def live(self, seconds: float, cells: list[str]) -> None:
        """A kernel runs the cells, people answer now and then, and it is killed."""
        end = time.monotonic() + seconds
        kernel = Kernel(self.folder).start()
        try:
            for cell in [self.first, *cells]:
                if time.monotonic() < end:
                    kernel.ok(cell)
            while time.monotonic() < end:
                answer(kernel, self.chance)
        finally:
            kernel.kill()

    def look(self) -> None:
        """What was done before has not happened again; and what is done now."""
        ledger, store = self.folder / "ledger", self.folder / ".stepwell" / "nb.duckdb"
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        assert not self.done.intersection(lines[self.read :])
        self.read = len(lines)
        if store.exists():
            with stepwell.open(store) as reader:
                self.done |= {name for name, *_ in reader.sql(DONE).fetchall()}
                assert reader.sql(DECIDED_TWICE).fetchall() == []


DONE = """
SELECT json_extract_string(arguments, '$.key') FROM calls WHERE name IN ('tool', 'plain')
UNION SELECT step FROM steps WHERE status = 'completed'
"""
CHILDREN = "SELECT count(*) FROM runs WHERE flow = 'researcher'"
DECIDED_TWICE = """
SELECT body ->> '$.approval' FROM records WHERE kind = 'approval_decided'
GROUP BY ALL HAVING count(*) > 1
"""


def answer(kernel: Kernel, chance: Random) -> None:
    """Somebody looks at what is asked, and decides some of it."""
    for which, form in literal_eval(kernel.value(OPEN)):
        if chance.random() < 0.7:
            kernel.ok(f"%stepwell {ANSWERS[form].format(which)}")


SHORTCUTS = """
from stepwell.orchestrator import _shortcuts
_shortcuts.EVERY, _shortcuts.AT_THE_END = 5, 1
"""


@pytest.mark.parametrize(("seed", "first"), [(1, "pass"), (2, "pass"), (3, SHORTCUTS)], ids="abc")
def test_nothing_that_is_done_happens_again_whenever_the_kernel_is_killed(
    tmp_path: Path, seed: int, first: str
) -> None:
    """Steps, items, calls, streams, tables, agents, people, timers, messages: all of it.

    Also when each life goes on from a shortcut that an earlier one has made in passing.
    """
    chance = Random(seed)
    story = Story(tmp_path, chance, first)
    for number in range(LIVES):
        story.live(chance.uniform(0.3, 2.0), RESUME if number % 3 == 2 else RUN_ALL)
        story.look()
    with Kernel(tmp_path) as kernel:
        for cell in [first, *RUN_ALL]:
            kernel.ok(cell)
        while kernel.value("'result' in globals()") != "True":
            answer(kernel, chance)
        assert literal_eval(kernel.value("result")) == RESULT
        kernel.shutdown()
    story.look()
    with stepwell.open(tmp_path / ".stepwell" / "nb.duckdb") as reader:
        assert reader.sql("SELECT count(*), count(DISTINCT q) FROM seen").fetchall() == [(8, 8)]
        assert reader.sql(CHILDREN).fetchall() == [(3,)]
    store = open_store(tmp_path / ".stepwell" / "nb.duckdb")
    known = [run for run, _, _ in runs(store)]
    assert all(is_shortcut_true(store, run) for run in known)
    assert any(store.shortcut(run) for run in known) is (first == SHORTCUTS)
    store.close()
