"""What a step said is shown again where its cell is run and the step is not."""

from datetime import datetime
from pathlib import Path

from kernels import CARD, Answer, Kernel

TALKS = "%%step talks\nprint('said')\nfrom IPython.display import display\ndisplay({'a': 1})\nx = n"


def displays(kernel: Kernel, answer: Answer) -> list[str]:
    """What was displayed in a cell, cards apart."""
    shown = [content["data"] for content in kernel.of(answer, "display_data")]
    return [data["text/plain"] for data in shown if CARD not in data]


def test_a_step_that_is_answered_later_says_its_part_again(tmp_path: Path) -> None:
    """A restored step whose answer had to wait for another step shows its outputs all the same."""
    first = "%%step first --always\nimport asyncio\nawait asyncio.sleep(0.5)\nn = 1"
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok(first)
        said = kernel.ok(TALKS)
        kernel.ok("x")
        kernel.listen_until(lambda: displays(kernel, said) == ["{'a': 1}"])
        kernel.kill()
        kernel.start()
        kernel.ok("%load_ext stepwell")
        kernel.ok(first)
        said = kernel.ok(TALKS)
        assert kernel.cards(said)[-1]["phase"] == "waiting"
        kernel.listen_until(lambda: displays(kernel, said) == ["{'a': 1}"])
        assert kernel.text(said) == "said\n"
        kernel.listen_until(lambda: bool(kernel.cards(said)[-1]["restored"]))


def test_a_cell_that_is_run_again_keeps_what_its_step_said(kernel: Kernel) -> None:
    """Running the cell of a finished step does not cost its outputs, and doubles none."""
    kernel.ok("n = 1")
    for _ in range(3):
        said = kernel.ok(TALKS)
        kernel.ok("x")
        kernel.listen_until(lambda said=said: displays(kernel, said) == ["{'a': 1}"])
        assert kernel.text(said) == "said\n"


def test_what_was_said_comes_below_the_card(kernel: Kernel) -> None:
    """Restored or not, a cell begins with its card."""
    kernel.ok("n = 1")
    for _ in range(2):
        said = kernel.ok(TALKS)
        kernel.ok("x")
        kernel.listen_until(lambda said=said: displays(kernel, said) == ["{'a': 1}"])
        assert CARD in kernel.of(said, "display_data")[0]["data"]


def test_a_restored_step_says_when_its_result_was_stored(tmp_path: Path) -> None:
    """Not when it was looked up."""
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        step = kernel.ok("%%step a\nx = 1")
        kernel.ok("x")
        kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "done")
        stored = kernel.cards(step)[-1]["since"]
        kernel.kill()
        kernel.start()
        kernel.ok("%load_ext stepwell")
        step = kernel.ok("%%step a\nx = 1")
        kernel.listen_until(lambda: kernel.cards(step)[-1]["restored"])
        assert kernel.cards(step)[-1]["since"] == stored
        moment = datetime.fromtimestamp(stored / 1e6).astimezone()
        assert (
            f"stored {moment:%H:%M:%S}" in kernel.of(step, "display_data")[-1]["data"]["text/plain"]
        )
