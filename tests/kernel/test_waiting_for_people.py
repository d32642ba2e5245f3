"""Real kernels that are killed while a step waits for a person."""

from pathlib import Path

import pytest
from kernels import Kernel

STEP = """%%step a
ran = open("ran", "a").write("x")
await stepwell.approve("First?", 1)
b = await stepwell.ask("How many?", int)
a = b * 2"""
BLOCKING = STEP.replace("await stepwell.", "stepwell.blocking.")


def waiting(kernel: Kernel, question: str) -> None:
    """Until the question is open."""
    kernel.listen_until(lambda: question in kernel.value("repr(stepwell.inbox())"))


@pytest.mark.parametrize(("step", "way"), [(STEP, "cell"), (STEP, "resume"), (BLOCKING, "resume")])
def test_a_wait_survives_kill_9_and_its_first_answer_is_not_asked_for_again(
    tmp_path: Path, step: str, way: str
) -> None:
    """Killed inside the first wait, and inside the second: each is decided once."""
    kernel = Kernel(tmp_path)
    with kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("import stepwell")
        kernel.ok(step)
        waiting(kernel, "First?")
        kernel.kill()
        for question, answer in (
            ("First?", "%stepwell approve a"),
            ("How many?", "%stepwell respond a 21"),
        ):
            kernel.start()
            kernel.ok("%load_ext stepwell")
            kernel.ok("import stepwell")
            # Before anything is resumed the question is there, and can be answered.
            waiting(kernel, question)
            kernel.ok(answer)
            kernel.ok(step if way == "cell" else "%stepwell resume")
            if question == "First?":
                waiting(kernel, "How many?")
                kernel.kill()
        kernel.ok("%stepwell wait a")
        assert kernel.value("a") == "42"
    decided = (tmp_path / "ran").read_text("utf-8")
    assert decided == "xxx"


@pytest.mark.parametrize("how", ["await stepwell.", "stepwell.blocking."])
def test_a_graceful_restart_keeps_the_question(tmp_path: Path, how: str) -> None:
    """Nobody has cancelled the step: after the restart the same question is open."""
    kernel = Kernel(tmp_path)
    with kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("import stepwell")
        kernel.ok(f'%%step a\na = {how}approve("Go?", 1)')
        waiting(kernel, "Go?")
        before = kernel.value("stepwell.inbox()[0].id")
        kernel.shutdown()
        kernel.start()
        kernel.ok("%load_ext stepwell")
        kernel.ok("import stepwell")
        assert kernel.value("stepwell.inbox()[0].id") == before
        kernel.ok("%stepwell resume")
        kernel.ok("stepwell.decide('a')")
        kernel.ok("%stepwell wait a")
        assert kernel.value("a") == "1"
