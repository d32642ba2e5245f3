"""A forked child can do nothing to its parent's store, whatever it does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stepwell.store import open_store

RunPython = Callable[..., str]

_FORK = """
import gc, os, signal, sys, threading
from stepwell.errors import StoreClosed, StoreError
from stepwell.store import Record, open_store

store = open_store(sys.argv[1])
store.commit([Record("before", "1")])
answer = store.sql("SELECT * FROM records")
reader = threading.Thread(target=store.rows)
reader.start(); reader.join()
child = os.fork()
if child == 0:
    {child}
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), flush=True)
for n in range(2, 7):
    store.commit([Record("after", str(n))])
os.kill(os.getpid(), signal.SIGKILL)
"""

_USES = """
    heard = []
    store.append([Record("child")], heard.append)
    try:
        store.rows()
    except StoreClosed as error:
        os._exit(7 if "forked child" in str(error) and type(heard[0]) is StoreClosed else 1)
    os._exit(2)
"""

_REOPENS = """
    store.close()
    try:
        open_store(sys.argv[1])
    except StoreError as error:
        os._exit(7 if str(os.getppid()) in str(error) else 1)
    os._exit(2)
"""


@pytest.mark.parametrize(
    ("child", "code"),
    [
        ("sys.exit(7)", 7),
        ("store.close(); os._exit(7)", 7),
        ("store.close(); sys.exit(7)", 7),
        ("del store, answer; gc.collect(); os._exit(7)", 7),
        ("del store, answer; gc.collect(); sys.exit(7)", 7),
        (_USES.strip(), 7),
        (_REOPENS.strip(), 7),
    ],
    ids=["exit", "close", "close-exit", "forget", "forget-exit", "use", "reopen"],
)
def test_a_forked_child_cannot_make_its_parent_lose_records(
    tmp_path: Path, run_python: RunPython, child: str, code: int
) -> None:
    """What the parent acknowledges after the child is gone survives the parent's death."""
    path = tmp_path / "n.duckdb"
    said = run_python(_FORK.replace("{child}", child), path, expected=-9)
    assert said == f"{code}\n"
    store = open_store(path)
    try:
        assert [row.run for row in store.rows()] == ["1", "2", "3", "4", "5", "6"]
        assert store.notes == ()
    finally:
        store.close()
