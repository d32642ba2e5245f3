"""What goes wrong in a notebook's steps, and what they are told to do about it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from controlled import wait_for
from sessions import Notebook

import stepwell
from stepwell.errors import StepFailed
from stepwell.flow import Deadlines, Policies, Retry
from stepwell.orchestrator import Phase
from stepwell.store import MemoryStore


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A notebook with a store in memory, whose steps can count."""
    made = Notebook(tmp_path, MemoryStore())
    made.names |= {"seen": Seen(), "stepwell": stepwell}
    yield made
    made.session.close()


class Seen:
    """What steps say to it is heard here. It cannot be copied: each step is given it itself."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.lock = threading.Lock()

    def say(self, word: str) -> int:
        """How often it was said, this time included."""
        with self.lock:
            self.words.append(word)
            return self.words.count(word)


def heard(notebook: Notebook) -> list[str]:
    """What steps have said."""
    words: list[str] = notebook.names["seen"].words
    return words


AT_ONCE = Policies(retry=Retry(retries=3, backoff=0.001))


# -- retries --------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "import asyncio; await asyncio.sleep(0)\n"])
def test_what_is_likely_to_pass_is_tried_again(notebook: Notebook, before: str) -> None:
    """Until it does; the key that services are given is the same each time."""
    source = (
        f"{before}_n = seen.say(stepwell.current().idempotency_key)\n"
        "if _n < 3: raise TimeoutError('busy')\n"
        "n = _n"
    )
    assert notebook.done("n", source, policies=AT_ONCE) == 3
    assert len(set(heard(notebook))) == 1
    assert notebook.view("n").attempt == 3


def test_a_mistake_in_the_code_is_not_tried_again(notebook: Notebook) -> None:
    """It parks the run at once, so that the cell can be mended; then the same run goes on."""
    with pytest.raises(StepFailed, match="TypeError"):
        notebook.done("n", "seen.say('x'); n = 1 + ''", policies=AT_ONCE)
    assert heard(notebook) == ["x"]
    assert notebook.done("n", "n = 1", policies=AT_ONCE) == 1


def test_named_errors_alone_are_tried_again(notebook: Notebook) -> None:
    """`--retry-on` takes the place of what is taken to pass, for better and worse."""
    told = Policies(retry=Retry(retries=3, backoff=0.001, retry_on=("LookupError",)))
    source = "if seen.say('a') < 3: raise KeyError('x')\nn = 1"
    assert notebook.done("n", source, policies=told) == 1
    with pytest.raises(StepFailed, match="TimeoutError"):
        notebook.done("m", "seen.say('b'); raise TimeoutError\nm = 1", policies=told)
    assert heard(notebook).count("b") == 1


def test_nothing_is_tried_again_unless_somebody_said_so(notebook: Notebook) -> None:
    """A step without `--retries` is tried once."""
    with pytest.raises(StepFailed):
        notebook.done("n", "seen.say('x'); raise TimeoutError\nn = 1")
    assert heard(notebook) == ["x"]


def test_terminal_errors_are_never_tried_again(notebook: Notebook) -> None:
    """Whatever `--retry-on` says."""
    told = Policies(retry=Retry(retries=3, backoff=0.001, retry_on=("Exception",)))
    source = "seen.say('x'); raise stepwell.TerminalError('no such account')\nn = 1"
    with pytest.raises(StepFailed, match="no such account"):
        notebook.done("n", source, policies=told)
    assert heard(notebook) == ["x"]


def test_unserialisable_result_is_named_and_not_retried(notebook: Notebook) -> None:
    """Unserialisable result → named variable; step not retried; run parked."""
    told = Policies(retry=Retry(retries=3, backoff=0.001, retry_on=("Exception",)))
    with pytest.raises(StepFailed, match="variable 'n'"):
        notebook.done("n", "seen.say('x'); n = (i for i in [])", policies=told)
    assert heard(notebook) == ["x"]


def test_a_card_counts_retries_down(notebook: Notebook) -> None:
    """Which of how many, when, and after what."""
    told = Policies(retry=Retry(retries=3, backoff=500))
    notebook.step("n", "raise ConnectionResetError('gone')\nn = 1", policies=told)
    wait_for(lambda: notebook.pane.says("n:", "waiting", "retry 1 of 3 in", "gone"))


def test_a_wait_that_code_asks_for_is_kept(notebook: Notebook) -> None:
    """`RetryAfter` goes before the backoff."""
    told = Policies(retry=Retry(retries=1, backoff=500))
    source = "if seen.say('x') < 2: raise stepwell.RetryAfter(0.01)\nn = 1"
    assert notebook.done("n", source, policies=told) == 1


def test_crash_during_retries_resumes_with_remaining_attempts(notebook: Notebook) -> None:
    """And with the delay that remains: a restart is no reason to begin counting anew."""
    told = Policies(retry=Retry(retries=2, backoff=0.4, jitter=0.0))
    source = "seen.say('tried'); raise TimeoutError('busy')\nn = 1"
    notebook.step("n", source, policies=told)
    wait_for(lambda: notebook.session.state.steps["n"].retry_at)
    due = notebook.session.state.steps["n"].retry_at
    again = notebook.restarted()
    again.names |= {"seen": Seen(), "stepwell": stepwell}
    again.step("n", source, policies=told)
    assert again.session.state.steps["n"].retry_at == due
    with pytest.raises(StepFailed, match="busy"):
        again.session.wait(["n"], timeout=20)
    assert heard(again) == ["tried", "tried"]
    step = again.session.state.steps["n"]
    assert step.attempts == 3
    assert step.begun < due
    again.session.close()


# -- time -----------------------------------------------------------------------------------


def test_async_code_that_takes_too_long_is_cancelled(notebook: Notebook) -> None:
    """It hears of it where it awaits, and may clean up."""
    source = "import asyncio\ntry: await asyncio.sleep(60)\nfinally: seen.say('cleaned up')\nn = 1"
    with pytest.raises(StepFailed, match=r"longer than 0\.05 s \(--timeout\)"):
        notebook.done("n", source, policies=Policies(deadlines=Deadlines(attempt=0.05)))
    wait_for(lambda: heard(notebook) == ["cleaned up"])


def test_sync_code_that_takes_too_long_is_refused_when_it_ends(notebook: Notebook) -> None:
    """It cannot be killed here: the card says so and what to do; its result is not taken."""
    source = "import time\nwhile not seen.words: time.sleep(0.01)\nn = 1\nseen.say('ended')"
    with pytest.raises(StepFailed, match=r"cannot be stopped in the kernel.*--on process"):
        notebook.done("n", source, policies=Policies(deadlines=Deadlines(attempt=0.05)))
    notebook.names["seen"].say("go")
    wait_for(lambda: "ended" in heard(notebook))
    notebook.done("later", "later = 1")
    assert notebook.view("n").phase is Phase.FAILED
    assert "n" not in notebook.names


def test_a_time_out_is_tried_again_if_somebody_said_so(notebook: Notebook) -> None:
    """For it may pass; the next attempt has its own time."""
    told = Policies(retry=Retry(retries=1, backoff=0.001), deadlines=Deadlines(attempt=0.5))
    source = "import asyncio\nif seen.say('x') < 2: await asyncio.sleep(60)\nn = 1"
    assert notebook.done("n", source, policies=told) == 1


# -- conditions -----------------------------------------------------------------------------


def test_a_step_that_does_not_apply_is_skipped(notebook: Notebook) -> None:
    """With the reason; so are those that read from it."""
    notebook.names["limit"] = 5
    notebook.done("n", "n = 3")
    notebook.done("big", "big = seen.say('ran')", policies=Policies(when="n > limit"))
    notebook.done("report", "report = f'{big}!'")
    assert heard(notebook) == []
    assert notebook.view("big").phase is notebook.view("report").phase is Phase.SKIPPED
    assert notebook.pane.says("big:", "skipped", "n > limit is not true")
    assert notebook.pane.says("report:", "skipped", "'big' was skipped")


def test_a_condition_that_comes_true_lets_the_step_run(notebook: Notebook) -> None:
    """What it looks at is an input like any other."""
    notebook.done("n", "n = 3")
    notebook.done("big", "big = n * 10", policies=Policies(when="n > 5"))
    notebook.done("n", "n = 6")
    assert notebook.done("big", "big = n * 10", policies=Policies(when="n > 5")) == 60


def test_a_reader_may_run_all_the_same(notebook: Notebook) -> None:
    """`--even-if-skipped`: the value is None then."""
    notebook.done("x", "x = 1", policies=Policies(when="False"))
    told = Policies(even_if_skipped=True)
    assert notebook.done("y", "y = x is None", policies=told) is True


def test_a_condition_that_fails_fails_the_step(notebook: Notebook) -> None:
    """With its own traceback; it is code like any other."""
    notebook.done("n", "n = None")
    with pytest.raises(StepFailed, match="TypeError"):
        notebook.done("big", "big = 1", policies=Policies(when="n > 5"))


def test_a_skipped_step_is_not_looked_at_again_in_vain(notebook: Notebook) -> None:
    """Nothing has changed: it stays skipped, after a restart too."""
    notebook.done("n", "n = 3")
    told = Policies(when="n > 5")
    notebook.done("big", "big = 1", policies=told)
    again = notebook.restarted()
    again.done("n", "n = 3")
    again.done("big", "big = 1", policies=told)
    assert again.view("big").phase is Phase.SKIPPED
    assert again.view("big").attempt == 1
    again.session.close()


def test_a_cell_that_reads_what_was_skipped_is_told(notebook: Notebook) -> None:
    """It gets no value, and hears why."""
    notebook.done("x", "x = 1", policies=Policies(when="False"))
    with pytest.raises(stepwell.StepwellError, match=r"step 'x' was skipped.*False is not true"):
        notebook.session.wait_for_names(["x"], 60)
