"""Promise 4 with real kernels: tables and steps are on disk together, wherever the kill falls."""

import time
from pathlib import Path
from random import Random

import pytest
from kernels import Kernel

import stepwell

STEPS = 12
KILLS = 6


def cells(ledger: Path) -> list[str]:
    """A chain of steps that each write a row, and say so to the world while it is not committed."""
    chain = [
        f"%%step s{number}\n"
        f"stepwell.current().db.execute('insert into hits values ({number})')\n"
        f"with open({str(ledger)!r}, 'a') as _file: _file.write('{number}\\n')\n"
        f"time.sleep(0.01)\n"
        f"x{number} = {f'x{number - 1} + 1' if number else 'ready'}"
        for number in range(STEPS)
    ]
    make = "%%step make\nstepwell.current().db.execute('create table hits (n integer)')\nready = 0"
    return ["%load_ext stepwell\nimport stepwell, time", make, *chain]


def kept(store: Path) -> tuple[list[int], list[int]]:
    """The rows of the table, and the numbers of the steps that are done."""
    with stepwell.open(store) as reader:
        tables = reader.sql("select table_name from duckdb_tables() where schema_name = 'data'")
        names = [name for (name,) in tables.fetchall()]
        rows: list[tuple[int]] = []
        if "hits" in names:
            rows = reader.sql("select n from hits order by n").fetchall()
        done = reader.sql(
            "select cast(step[2:] as integer) from attempts "
            "where status = 'completed' and step <> 'make' order by 1"
        ).fetchall()
    return [number for (number,) in rows], [number for (number,) in done]


@pytest.mark.parametrize("seed", range(2))
def test_a_row_is_there_exactly_if_its_step_is_done(tmp_path: Path, seed: int) -> None:
    """After each of many kills; in the end each row is there once."""
    choice, ledger = Random(f"tables {seed}"), tmp_path / "ledger"
    kernel, store = Kernel(tmp_path), tmp_path / ".stepwell" / "nb.duckdb"
    ledger.touch()
    for _ in range(KILLS):
        kernel.messages.clear()
        kernel.start()
        for cell in cells(ledger):
            kernel.ok(cell)
        wanted = len(ledger.read_text().splitlines()) + choice.randrange(1, 3)
        until = time.monotonic() + 30
        while len(ledger.read_text().splitlines()) < min(wanted, STEPS):
            assert time.monotonic() < until
            time.sleep(0.001)
        time.sleep(choice.random() * 0.03)
        kernel.kill()
        rows, done = kept(store)
        assert rows == done
    kernel.messages.clear()
    with kernel:
        for cell in cells(ledger):
            kernel.ok(cell)
        kernel.ok("%stepwell wait")
    rows, done = kept(store)
    assert rows == done == list(range(STEPS))
