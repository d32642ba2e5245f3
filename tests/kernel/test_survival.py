"""A notebook of thirty steps whose kernel is killed over and over, at any moment.

Each case kills its kernel `KILLS` times with SIGKILL before it lets the notebook finish;
together that makes 56. The moments are drawn from a seed, which a failure shows.
"""

import ast
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from kernels import Kernel
from thirty import NAMES, Line, begun, ended, expected, notebook, read_ledger

import stepwell

KILLS = 7
SEEDS = range(4)


@pytest.mark.parametrize("way", ["run all", "resume"])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_finished_step_is_lost_or_runs_again_however_often_the_kernel_is_killed(
    tmp_path: Path, seed: int, way: str
) -> None:
    """After any number of kills the outputs are those of an undisturbed run, paid for once."""
    story = Story(tmp_path, Random(f"{seed} {way}"), resumes=way == "resume")
    for number in range(KILLS):
        story.kill_once(number)
    story.finish()
    story.check()


class Story:
    """One notebook, from its first kill to its end."""

    def __init__(self, folder: Path, choice: Random, *, resumes: bool) -> None:
        self.ledger = folder / "ledger"
        self.cells = notebook(self.ledger)
        self.kernel = Kernel(folder)
        self.store = folder / ".stepwell" / "nb.duckdb"
        self._choice = choice
        self._resumes = resumes
        self._is_whole = False
        # Steps that somebody was shown as done, with the ledger's length at that moment.
        self._shown: dict[str, int] = {}

    def kill_once(self, number: int) -> None:
        """Start a kernel on the notebook, have it work, and kill it at a random moment."""
        is_time, what = self._moment(number)
        print(f"kill {number}: {what}")
        self.kernel.messages.clear()
        self.kernel.start()
        try:
            self._go_on()
            wait_for(is_time)
        finally:
            os.kill(self.kernel.pid, signal.SIGKILL)
            self._remember_what_was_shown()
            self.kernel.kill()

    def _moment(self, number: int) -> tuple[Callable[[], bool], str]:
        """When to kill: while the extension starts and rebuilds, or around the end of a step."""
        if self._resumes and not self._is_whole:
            return self._sees_the_last_step, "as soon as every step is known"
        if number % 3 == 0:
            delay = self._choice.uniform(0.0, 1.2)
            return after(delay), f"{delay * 1000:.0f} ms after the first cell was sent"
        more, delay = self._choice.randint(1, 7), self._choice.uniform(0.0, 0.015)
        goal = min(len(NAMES), self._ends() + more)
        reached: list[Callable[[], bool]] = []

        def is_time() -> bool:
            if not reached and self._ends() >= goal:
                reached.append(after(delay))
            return bool(reached) and reached[0]()

        return is_time, f"{delay * 1000:.1f} ms after {more} more steps have ended"

    def _sees_the_last_step(self) -> bool:
        self.kernel.listen()
        return any(name == NAMES[-1] for name, _ in shown(self.kernel))

    def _ends(self) -> int:
        return len(ended(read_ledger(self.ledger)))

    def _go_on(self) -> str:
        """Run All, or resume once the store knows every step; the last cell's message id."""
        if self._resumes and self._is_whole:
            # Helpers and setup come back from the store: none of the cells is run.
            cells = ["%load_ext stepwell", "%stepwell resume", "%stepwell wait"]
        else:
            cells = self.cells
        for number, cell in enumerate(cells[:-1]):
            self.kernel.send(cell, cell=f"cell-{number}")
        return self.kernel.send(cells[-1])

    def _remember_what_was_shown(self) -> None:
        self._is_whole = self._sees_the_last_step() or self._is_whole
        lines = len(read_ledger(self.ledger))
        for name, phase in shown(self.kernel):
            if phase == "done":
                self._shown.setdefault(name, lines)

    def finish(self) -> None:
        """Let the notebook come to its end undisturbed."""
        self.kernel.messages.clear()
        with self.kernel as kernel:
            self.kernel.reply(self._go_on())
            last = ast.literal_eval(kernel.value("v29"))
            assert last == expected(self.ledger)["v29"]
            kernel.shutdown()

    def check(self) -> None:
        """Compare what the store says with what the steps wrote outside."""
        lines = read_ledger(self.ledger)
        with stepwell.open(self.store) as reader:
            check_sequence(reader)
            assert len(reader.runs()) == 1
            assert reader.outputs() == expected(self.ledger)
            check_attempts(reader, lines)
        for name, length in self._shown.items():
            later = [line for line in lines[length:] if line.name == name]
            assert later == [], f"{name} was shown as done, and ran again"


def check_sequence(reader: stepwell.Reader) -> None:
    """Records are numbered 1, 2, 3 … without a gap."""
    numbers = [seq for (seq,) in reader.sql("select seq from records order by seq").fetchall()]
    assert numbers == list(range(1, len(numbers) + 1))


def check_attempts(reader: stepwell.Reader, lines: list[Line]) -> None:
    """Every step completed once, in its last attempt; all its attempts are one piece of work."""
    found = reader.sql("select step, attempt, status, idempotency_key from attempts").fetchall()
    starts, ends = begun(lines), ended(lines)
    for name in NAMES:
        attempts = sorted(row[1:] for row in found if row[0] == name)
        statuses = [status for _, status, _ in attempts]
        assert statuses == ["interrupted"] * (len(attempts) - 1) + ["completed"], name
        assert [attempt for attempt, _, _ in attempts] == list(range(1, len(attempts) + 1)), name
        assert len({key for _, _, key in attempts}) == 1, name
        # An attempt is on disk before its code begins, so no start goes unrecorded.
        assert ends[name] <= starts[name] <= len(attempts), name
        assert ends[name] >= 1, name
        processes = [line.process for line in lines if (line.word, line.name) == ("begin", name)]
        assert len(set(processes)) == len(processes), f"{name} ran twice in one kernel"


def shown(kernel: Kernel) -> Iterator[tuple[str, str]]:
    """Step and phase of every card that has arrived."""
    kind = "application/vnd.stepwell.step+json"
    for message in kernel.messages:
        card = message["content"].get("data", {}).get(kind)
        if card is not None:
            yield card["step"], card["phase"]


def after(seconds: float) -> Callable[[], bool]:
    """A condition that comes true so many seconds from now."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until


def wait_for(is_there: Callable[[], bool], *, seconds: float = 90) -> None:
    """Return as soon as the condition holds."""
    is_late = after(seconds)
    while not is_there():
        assert not is_late(), "it did not come about in time"
        time.sleep(0.001)
