"""What the store costs, beside a floor measured in the same run. Nothing is judged here."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

import pytest

from stepwell.store import Blob, Digest, Record, Store, open_store

pytestmark = pytest.mark.benchmark

BODY = b'{"kind":"attempt_completed","outputs":{"x":{"digest":"%s","type":"dict"}}}' % (b"0" * 32)


def _record(number: int, payload: bytes = b"") -> Record:
    blob = None
    if payload:
        digest = Digest(os.urandom(16).hex())
        blob = Blob(digest, "json", "dict", len(payload), "{}", payload)
    return Record("attempt_completed", "r", f"step {number}", "", 1, number, BODY, blob)


def _each(count: int, work: Callable[[int], object]) -> str:
    times: list[float] = []
    for number in range(count):
        start = time.perf_counter()
        work(number)
        times.append((time.perf_counter() - start) * 1e3)
    cuts = quantiles(times, n=100)
    return f"p50 {cuts[49]:.3f} ms, p99 {cuts[98]:.3f} ms"


def test_speed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Print a table: durable commits one by one, many at once, and reading them back."""
    said: list[str] = []
    descriptor = os.open(tmp_path / "floor", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def floor(_: int) -> None:
        os.write(descriptor, b"x" * 1_400)
        os.fdatasync(descriptor)

    said.append(f"append + fdatasync        {_each(1_000, floor)}")
    os.close(descriptor)
    store = open_store(tmp_path / "n.duckdb")
    for name, payload in (("bare", b""), ("1 KB", os.urandom(1_000))):
        chain = [_record(n, payload) for n in range(1_000)]
        one_by_one = _each_of(chain, store)
        said.append(f"commit, {name:5}             {one_by_one}")
        many = [_record(n, payload) for n in range(20_000)]
        said.append(f"20,000 appends, {name:5}     {_appended(many, store.append):,.0f}/s")
    total = store.last_seq
    start = time.perf_counter()
    count = len(store.rows())
    said.append(f"rows, {count:,}              {(time.perf_counter() - start) * 1e3:.0f} ms")
    start = time.perf_counter()
    count = len(store.latest("r", ["attempt_completed"]))
    said.append(f"latest, {count:,} of {total:,}  {(time.perf_counter() - start) * 1e3:.0f} ms")
    store.close()
    with capsys.disabled():
        print("", *said, sep="\n")


def _each_of(records: list[Record], store: Store) -> str:
    return _each(len(records), lambda number: store.commit([records[number]]))


def _appended(records: list[Record], append: Callable[..., None]) -> float:
    done = threading.Event()

    def tell(_: object) -> None:
        done.set()

    start = time.perf_counter()
    for record in records[:-1]:
        append([record])
    append(records[-1:], tell)
    done.wait()
    return len(records) / (time.perf_counter() - start)
