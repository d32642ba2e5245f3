"""Going back in a real kernel, and through its death."""

from pathlib import Path

import pytest
from kernels import Kernel

import stepwell

CELLS = (
    "import pathlib\n\ndef note(word):\n    with open('log', 'a') as log:\n        log.write(word)",
    "k = 1",
    "%%step a\nnote('a')\na = k",
    "%%step b\nimport time\nnote('b')\ntime.sleep(0.4)\nb = a + 1",
    "%%step c\nnote('c')\nc = b + 1",
)


def start(kernel: Kernel) -> None:
    """Load the extension and run every cell."""
    kernel.ok("%load_ext stepwell")
    for source in CELLS:
        kernel.ok(source)
    kernel.ok("c")


@pytest.mark.parametrize("again", ["", "--from b"])
def test_a_fork_goes_on_after_the_kernel_is_killed(tmp_path: Path, again: str) -> None:
    """What it shares is not run, what was under way is run again, and the first run is whole."""
    with Kernel(tmp_path) as kernel:
        start(kernel)
        kernel.ok(f"%stepwell fork current --set k=10 {again}")
        kernel.listen_until(lambda: (tmp_path / "log").read_text().count("b") == 2)
        kernel.kill()
        kernel.start()
        kernel.ok("%load_ext stepwell")
        kernel.ok("%stepwell resume")
        kernel.ok("%stepwell wait")
        assert kernel.value("(k, a, b, c)") == "(10, 10, 11, 12)"
        kernel.ok("%stepwell restore c previous --into then")
        assert kernel.value("(then.k, then.a, then.b, then.c)") == "(1, 1, 2, 3)"
        assert kernel.value("then.note is not note") == "True"
        kernel.shutdown()
    with stepwell.open(tmp_path / ".stepwell" / "nb.duckdb") as store:
        first, second = store.runs()
        assert (store.outputs(first)["c"], store.outputs(second)["c"]) == (3, 12)
        counted = store.sql(
            "select step, count(*) from attempts where run = ? group by step", [second]
        ).fetchall()
        assert dict(counted) == {"a": 1, "b": 2, "c": 1}


def test_a_restored_function_sees_the_names_of_its_time(tmp_path: Path) -> None:
    """Into an object or over the notebook's names: what was edited since then is not in it."""
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("rate = 2\n\ndef priced(n):\n    return n * rate")
        kernel.ok("%%step a\na = priced(10)")
        kernel.ok("a")
        kernel.ok("rate = 3\n\ndef priced(n):\n    return -n * rate")
        kernel.ok("%stepwell restore a --into then")
        assert kernel.value("(then.priced(10), priced(10))") == "(20, -30)"
        kernel.ok("%stepwell restore a")
        assert kernel.value("(priced(10), rate)") == "(20, 2)"
        answer = kernel.ok("%%step a\na = priced(10)")
        kernel.ok("a")
        kernel.listen_until(lambda: kernel.cards(answer)[-1]["phase"] == "done")
        assert kernel.value("a") == "20"
        kernel.shutdown()
    with stepwell.open(tmp_path / ".stepwell" / "nb.duckdb") as store:
        assert store.sql("select count(*) from attempts").fetchall() == [(1,)]
