"""What steps of a killed kernel have done outside the store, as far as a test looks.

A line is on disk before the step goes on: what is written here has happened.
"""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from kernels import Kernel

NOTE = """
def note(word, item):
    import os
    descriptor = os.open({ledger!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{{word}} {{item}}\\n".encode())
    os.fsync(descriptor)
    os.close(descriptor)
"""
HOLD = """
def hold(item):
    import os, time
    while os.path.exists(os.path.join({folder!r}, f"hold {{item}}")):
        time.sleep(0.005)
"""


class Ledger:
    """One in a test's folder, with cells that write it, and that wait until a test lets them go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "ledger"
        self.cell = NOTE.format(ledger=str(self.file)) + HOLD.format(folder=str(folder))

    def hold(self, *items: str) -> None:
        """Whoever calls `hold` with one of these waits."""
        for item in items:
            (self.folder / f"hold {item}").touch()

    def let_go(self, *items: str) -> None:
        """No more."""
        for item in items:
            (self.folder / f"hold {item}").unlink()

    def lines(self) -> list[str]:
        """Everything, in order."""
        return self.file.read_text().splitlines() if self.file.exists() else []

    def count(self, word: str) -> Counter[str]:
        """Times a word was written for each item."""
        return Counter(item for said, item in map(str.split, self.lines()) if said == word)

    def wait_for(self, word: str, *items: str) -> None:
        """Until the word was written for all of these."""
        wait_for(lambda: set(items) <= set(self.count(word)))


def wait_for(is_there: Callable[[], bool]) -> None:
    """Return as soon as the condition holds."""
    until = time.monotonic() + 60
    while not is_there():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.001)


def stored(kernel: Kernel, query: str) -> str:
    """What a running kernel's store says: the first value of the first row."""
    line = f"get_ipython().run_line_magic('stepwell', {f'sql {query}'!r})"
    return kernel.value(f"{line}.fetchall()[0][0]")
