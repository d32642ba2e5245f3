"""A process that is killed loses nothing it was told is kept."""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

from stepwell.store import open_store

ROUNDS = 20

# Each record's body says its number, so that what is found can be compared with what was
# written. Checkpoints are forced often, so that many of the kills hit one.
_WRITER = """
import os, random, sys
from hashlib import blake2b
from stepwell.store import Blob, Record, _journal, open_store

_journal.CHECKPOINT_BYTES = 150_000
choice = random.Random(int(sys.argv[2]))
store = open_store(sys.argv[1])
number = store.last_seq

def blob(n):
    data = (b"%d " % n) * (40_000 if n % 97 == 0 else 20)
    digest = blake2b(data, digest_size=16).hexdigest()
    return store.put(Blob(digest, "raw", "bytes", len(data), "", data))

def tell(answer):
    os.write(1, b"%d\\n" % answer.seq)

os.write(1, b"0\\n")
while True:
    records = []
    for _ in range(choice.choice((1, 1, 1, 5, 50))):
        number += 1
        records.append(Record("k", "r", body=b'{"n":%d}' % number, blob=blob(number)))
    if choice.random() < 0.3:
        tell(store.commit(records))
    else:
        store.append(records, tell)
        if number % 7 == 0:
            store.commit([])
"""


def _write_and_kill(path: Path, seed: int, delay: float) -> int:
    """Answers the last record that was acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), str(seed)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        timer = threading.Timer(delay, writer.send_signal, [signal.SIGKILL])
        timer.start()
        said = first + writer.stdout.read()
        timer.join()
    lines = said.split(b"\n")[:-1]
    return max(int(line) for line in lines)


def test_no_acknowledged_record_is_lost(tmp_path: Path) -> None:
    """Killed at random moments, over and over, on one store: all there, in order, no gaps."""
    path = tmp_path / "n.duckdb"
    choice = random.Random(os.getpid())
    grown = 0
    for round_ in range(ROUNDS):
        acknowledged = _write_and_kill(path, round_, choice.uniform(0.0, 0.15))
        store = open_store(path)
        try:
            rows = store.rows()
            assert store.notes == ()
            assert len(rows) >= acknowledged, f"round {round_}"
            assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
            assert all(row.body == b'{"n":%d}' % row.seq for row in rows)
            recent = [row.digest for row in rows[grown:] if row.digest is not None]
            assert len(store.blobs(recent)) == len(set(recent))
            grown = len(rows)
        finally:
            store.close()
    assert grown > ROUNDS
