"""Mapped steps in a real kernel that is killed in the middle, again and again."""

import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from kernels import Kernel
from ledger import NOTE, Ledger, wait_for

import stepwell

KILLS = 4
ITEMS = 100

WORK = {
    "sync": "import time\nnote('begin', i)\ntime.sleep(0.004)\nx = {'n': i * 10}\nnote('end', i)",
    "async": (
        "import asyncio\nnote('begin', i)\nawait asyncio.sleep(0.004)\n"
        "x = {'n': i * 10}\nnote('end', i)"
    ),
}


def cells(ledger: Path, kind: str) -> list[str]:
    """A hundred items, and as many over what they make."""
    return [
        "%load_ext stepwell",
        NOTE.format(ledger=str(ledger)),
        f"%%step items\nitems = list(range({ITEMS}))",
        f"%%step first --map i=items --max-parallel 4\n{WORK[kind]}",
        "%%step second --map one=x --max-parallel 4\ny = one['n'] + 1\nnote('second', one['n'])",
        "total = sum(y)\ntotal",
    ]


def count(ledger: Path, word: str) -> Counter[str]:
    """Times a word was written for each item."""
    return Ledger(ledger.parent).count(word)


@pytest.mark.parametrize("kind", WORK)
def test_items_that_are_done_are_not_done_again_however_often_the_kernel_is_killed(
    tmp_path: Path, kind: str
) -> None:
    """After each kill exactly the items that had not finished are run; the sum comes out."""
    choose, ledger = Random(kind), tmp_path / "ledger"
    kernel, written = Kernel(tmp_path), cells(ledger, kind)
    for _ in range(KILLS):
        kernel.start()
        goal = count(ledger, "end").total() + choose.randint(3, ITEMS // KILLS)
        for place, cell in enumerate(written[:-1]):
            kernel.send(cell, cell=f"c{place}")
        wait_for(lambda goal=goal: count(ledger, "end").total() >= goal)
        kernel.kill()
    with kernel:
        for place, cell in enumerate(written[:-1]):
            kernel.ok(cell, cell=f"c{place}")
        kernel.ok(written[-1])
        assert kernel.value("total") == str(sum(i * 10 + 1 for i in range(ITEMS)))
        kernel.shutdown()
    check(tmp_path / ".stepwell" / "nb.duckdb", ledger)


def check(store: Path, ledger: Path) -> None:
    """Compare what the store says with what the items wrote outside."""
    with stepwell.open(store) as reader:
        rows = reader.sql(
            "select step, item, attempt, status from attempts where item <> '' "
            "order by step, item, attempt"
        ).fetchall()
        counts = reader.sql("select step, items, items_done from steps where items > 0").fetchall()
    assert sorted(counts) == [("first", ITEMS, ITEMS), ("second", ITEMS, ITEMS)]
    for step, word in (("first", "end"), ("second", "second")):
        attempts: dict[str, list[str]] = {}
        for name, item, _, status in rows:
            if name == step:
                attempts.setdefault(item, []).append(status)
        assert len(attempts) == ITEMS
        for item, statuses in attempts.items():
            # Completed once, in its last attempt: what was on disk was not run again.
            assert statuses == ["interrupted"] * (len(statuses) - 1) + ["completed"], item
        ends = count(ledger, word)
        assert len(ends) == ITEMS
        # Whatever ended twice was cut off between its end and the disk.
        started = sum(map(len, attempts.values()))
        assert ITEMS <= ends.total() <= started <= ITEMS + KILLS * 4


def test_whatever_has_begun_is_known_however_many_begin_at_once(tmp_path: Path) -> None:
    """The start of an item is on disk before its code runs, also where one record holds many."""
    choose, ledger = Random(7), tmp_path / "ledger"
    written = [
        "%load_ext stepwell",
        NOTE.format(ledger=str(ledger)),
        "%%step items\nitems = list(range(3000))",
        "%%step each --map i=items\nnote('begin', i)\nx = i",
    ]
    kernel = Kernel(tmp_path)
    kinds, known = dict[str, int](), dict[str, int]()
    for _ in range(KILLS):
        kernel.start()
        goal = count(ledger, "begin").total() + choose.randint(20, 600)
        for place, cell in enumerate(written):
            kernel.send(cell, cell=f"c{place}")
        wait_for(lambda goal=goal: count(ledger, "begin").total() >= goal)
        kernel.kill()
        with stepwell.open(tmp_path / ".stepwell" / "nb.duckdb") as reader:
            query = "select item, count(*) from attempts where item <> '' group by item"
            known = dict(reader.sql(query).fetchall())
            kinds = dict(reader.sql("select kind, count(*) from records group by kind").fetchall())
        begun = count(ledger, "begin")
        assert {item for item, times in begun.items() if known.get(str(item), 0) < times} == set()
    assert kinds["attempts_started"] < sum(known.values()) / 4


def test_what_items_said_is_heard_again_in_order(tmp_path: Path) -> None:
    """Prints of all items are kept with them, and shown in a cell that did not hear them."""
    step = "%%step talks --map i=items\nprint('said', i)\nx = i"
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("items = [1, 2, 3]")
        said = kernel.ok(step)
        kernel.ok("x")
        kernel.listen_until(lambda: len(kernel.text(said).splitlines()) == 3)
        assert sorted(kernel.text(said).splitlines()) == ["said 1", "said 2", "said 3"]
        kernel.kill()
        kernel.start()
        kernel.ok("%load_ext stepwell")
        kernel.ok("items = [1, 2, 3]")
        said = kernel.ok(step)
        kernel.listen_until(lambda: kernel.text(said) == "said 1\nsaid 2\nsaid 3\n")
        assert kernel.cards(said)[-1]["items"]["done"] == 3


def test_a_mapped_step_resumes_without_running_a_cell(tmp_path: Path) -> None:
    """`%stepwell resume` goes on with the items that had not finished."""
    ledger = tmp_path / "ledger"
    written = cells(ledger, "sync")
    with Kernel(tmp_path) as kernel:
        for place, cell in enumerate(written[:-1]):
            kernel.send(cell, cell=f"c{place}")
        wait_for(lambda: count(ledger, "end").total() >= ITEMS // 2)
        # Registered as well: what nobody has asked for is not resumed.
        kernel.listen_until(lambda: any("second" in str(m["content"]) for m in kernel.messages))
        os.kill(kernel.pid, 9)
        kernel.kill()
        kernel.start()
        kernel.ok("%load_ext stepwell")
        kernel.ok("%stepwell resume")
        kernel.ok("%stepwell wait")
        assert kernel.value("sum(y)") == str(sum(i * 10 + 1 for i in range(ITEMS)))
        kernel.shutdown()
    check(tmp_path / ".stepwell" / "nb.duckdb", ledger)


def test_a_failed_item_is_shown_mended_and_alone_run_again(kernel: Kernel) -> None:
    """The card counts, the error has key and line, and `--failed` pays for what failed."""
    kernel.ok("items = ['a', 'b', 'c']\nimport queue\nbad, runs = queue.SimpleQueue(), []")
    kernel.ok("marks = queue.SimpleQueue()\nbad.put(1)")
    step = kernel.ok(
        "%%step each --map i=items --max-parallel 1\nmarks.put(i)\n"
        "if i == 'b' and bad.qsize():\n    raise ValueError('no b')\nx = i * 2"
    )
    answer = kernel.run("x")
    assert answer.ename == "StepFailed"
    assert "1 of 3 items failed. b: ValueError: no b (line 4)" in answer.error
    kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "failed")
    assert kernel.cards(step)[-1]["items"] == {
        "total": 3,
        "done": 1,
        "failed": 1,
        "running": 0,
        "reused": 0,
    }
    shown = kernel.of(kernel.ok("%stepwell show each"), "execute_result")[0]["data"]
    assert "ValueError: no b" in shown["text/plain"]
    kernel.ok("bad.get()")
    kernel.ok("%stepwell rerun each --failed")
    kernel.ok("x")
    assert kernel.value("x") == "['aa', 'bb', 'cc']"
    assert kernel.value("[marks.get() for _ in range(marks.qsize())]") == "['a', 'b', 'b', 'c']"


def test_an_expression_is_typed_as_it_is_meant(kernel: Kernel) -> None:
    """With blanks and quotes; what it looks at is waited for and makes the step stale."""
    kernel.ok("%%step rows\nrows = [{'n': 1, 'ok': True}, {'n': 2, 'ok': False}]")
    kernel.ok('%%step good --map row=[r for r in rows if r["ok"]] --key row["n"]\nn = row["n"]')
    kernel.ok("%%step plain --map i=range(1, 4)\nx = i * 2")
    kernel.ok("n, x")
    assert kernel.value("n, x") == "([1], [2, 4, 6])"
    kernel.ok("%%step rows\nrows = [{'n': 1, 'ok': True}, {'n': 2, 'ok': True}]")
    kernel.ok("%stepwell run good")
    kernel.ok("n")
    assert kernel.value("n") == "[1, 2]"
    kernel.ok(
        "%stepwell sql select item, count(*) as n from attempts where step = 'good' group by 1"
    )
