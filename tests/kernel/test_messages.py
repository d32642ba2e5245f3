"""Messages in kernels that are killed between sending and receiving."""

import time
from pathlib import Path

import pytest
from kernels import Kernel

import stepwell

LOAD = "%load_ext stepwell\nimport os, signal, stepwell"
DYING = """
def die_once(name):
    # The world outside: each place is passed twice, and survived once.
    if not os.path.exists(name):
        open(name, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
"""
SEND = """%%step post
_run = stepwell.current().run
for _n in range(3):
    {send}(_run, "news", _n)
    if _n == 1: die_once("sending")
post = 1"""
READ = """%%step read
read = []
for _n in range(5):
    read.append(await stepwell.receive("news"))
    if _n == 1: die_once("receiving")"""


def until_killed(kernel: Kernel, mark: Path) -> None:
    """It leaves a mark and kills itself."""
    end = time.monotonic() + 60
    while not mark.exists():
        assert time.monotonic() < end, "it did not get there"
        time.sleep(0.005)
    kernel.kill()


def loaded(kernel: Kernel) -> None:
    """A new process on the same notebook."""
    kernel.start()
    kernel.ok(LOAD)
    kernel.ok(DYING)


@pytest.mark.parametrize("send", ["await stepwell.send", "stepwell.send"])
def test_what_was_sent_is_received_once_in_order_over_kills(tmp_path: Path, send: str) -> None:
    """Killed amid sending, between sending and receiving, and amid receiving; a person's, too."""
    kernel, steps = Kernel(tmp_path), (SEND.format(send=send), READ)
    loaded(kernel)
    kernel.send(steps[0])
    until_killed(kernel, tmp_path / "sending")
    loaded(kernel)
    kernel.ok(steps[0])
    kernel.ok("%stepwell wait post")
    kernel.ok("%stepwell send current news by-hand")
    kernel.kill()
    loaded(kernel)
    kernel.send(steps[1])
    until_killed(kernel, tmp_path / "receiving")
    loaded(kernel)
    try:
        kernel.ok("%stepwell resume")
        kernel.ok("%stepwell send current news last")
        kernel.ok("%stepwell wait read")
        assert kernel.value("read") == "[0, 1, 2, 'by-hand', 'last']"
    finally:
        kernel.kill()
    with stepwell.open(tmp_path / ".stepwell" / "nb.duckdb") as store:
        sent = store.sql("select count(*) from records where kind = 'message_sent'").fetchall()
    assert sent == [(5,)]
