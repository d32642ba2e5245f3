"""Cells as steps, in a real kernel."""

from pathlib import Path

from kernels import Kernel


def test_a_step_cell_returns_at_once_and_its_output_appears_when_it_is_stored(
    kernel: Kernel,
) -> None:
    """The kernel stays free while a step runs; an ordinary cell that reads its output waits."""
    step = kernel.ok("%%step slow\nimport time\ntime.sleep(1)\nanswer = 42")
    assert kernel.value("'answer' in globals()") == "False"
    reader = kernel.ok("print(answer + 1)")
    assert kernel.text(reader) == "43\n"
    kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "done")


def test_steps_run_as_soon_as_what_they_read_is_there(kernel: Kernel) -> None:
    """Data flow is read from the code; a chain of cells runs in its order."""
    kernel.ok("topic = 'heat pumps'")
    kernel.ok("%%step plan\nimport asyncio\nawait asyncio.sleep(0.2)\nqueries = [topic + '?', 'b']")
    kernel.ok("%%step search\nhits = [q.upper() for q in queries]")
    kernel.ok("%%step draft\nreport = ' '.join(hits)")
    answer = kernel.ok("report")
    assert kernel.of(answer, "execute_result")[0]["data"]["text/plain"] == "'HEAT PUMPS? B'"


def test_what_a_step_prints_and_displays_goes_to_its_own_cell(kernel: Kernel) -> None:
    """Output of a background step appears below the step, whichever cell runs meanwhile."""
    step = kernel.ok(
        "%%step talk\nimport time\ntime.sleep(0.3)\nprint('from the step')\n"
        "from IPython.display import display\ndisplay({'a': 1})\ndone = True"
    )
    other = kernel.ok("import time\nprint('other')\ntime.sleep(0.6)")
    kernel.ok("done")
    kernel.listen_until(lambda: "from the step" in kernel.text(step))
    assert "from the step" not in kernel.text(other)
    shown = [content["data"].get("text/plain") for content in kernel.of(step, "display_data")]
    assert "{'a': 1}" in shown


def test_a_failing_step_says_where_and_parks_what_follows(kernel: Kernel) -> None:
    """The card has the error and the cell's line; a waiting cell says so at once."""
    step = kernel.ok("%%step broken\nx = 1\ny = x / 0")
    kernel.ok("%%step after\nz = y + 1")
    answer = kernel.run("print(z)")
    assert answer.ename == "StepFailed"
    assert "'broken' failed: ZeroDivisionError" in answer.error
    assert len(answer.traceback) == 1
    kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "failed")
    html = kernel.of(step, "update_display_data") or kernel.of(step, "display_data")
    assert "line 3" in html[-1]["data"]["text/html"]


def test_lines_are_counted_from_the_top_of_the_cell(kernel: Kernel) -> None:
    """Also below empty lines, which IPython takes away before it reads the code."""
    step = kernel.ok("%%step broken\n\n  \nx = 1\ny = x / 0")
    assert kernel.run("y").ename == "StepFailed"
    kernel.listen_until(lambda: kernel.cards(step)[-1]["phase"] == "failed")
    shown = kernel.of(step, "update_display_data") or kernel.of(step, "display_data")
    assert "line 5" in shown[-1]["data"]["text/html"]
    assert "y = x / 0" in shown[-1]["data"]["text/html"]


def test_fix_and_continue_pays_for_nothing_twice(kernel: Kernel, tmp_path: Path) -> None:
    """Editing the failed cell continues the same run; what was done above is not done again."""
    log = tmp_path / "log"
    kernel.ok(f"%%step a\nopen({str(log)!r}, 'a').write('a')\nvalue = 1")
    kernel.ok("%%step b\nresult = value / 0")
    assert kernel.run("result").ename == "StepFailed"
    kernel.ok("%%step b\nresult = value + 1")
    answer = kernel.ok("result")
    assert kernel.of(answer, "execute_result")[0]["data"]["text/plain"] == "2"
    assert log.read_text() == "a"


def test_layout_and_comments_do_not_make_a_step_stale_but_code_does(
    kernel: Kernel, tmp_path: Path
) -> None:
    """A result is reused when nothing it depends on has changed, and only then."""
    log = tmp_path / "log"
    body = f"open({str(log)!r}, 'a').write('x')\nvalue = n * 2"
    kernel.ok("n = 1")
    kernel.ok("%%step a\n" + body)
    kernel.ok("value")
    kernel.ok("%%step a\n# a comment\n\n" + body.replace("n * 2", "(n  *  2)"))
    kernel.ok("value")
    assert log.read_text() == "x"
    kernel.ok("%%step a\n" + body.replace("n * 2", "n * 3"))
    kernel.ok("value")
    assert (kernel.value("value"), log.read_text()) == ("3", "xx")
    kernel.ok("n = 5")
    kernel.ok("%%step a\n" + body.replace("n * 2", "n * 3"))
    kernel.ok("value")
    assert log.read_text() == "xxx"
    assert kernel.value("value") == "15"


def test_a_helper_of_the_notebook_counts(kernel: Kernel) -> None:
    """Editing a function that a step calls makes the step stale."""
    kernel.ok("def clean(x):\n    return x + 1")
    kernel.ok("%%step a\nvalue = clean(1)")
    kernel.ok("value")
    assert kernel.value("value") == "2"
    kernel.ok("def clean(x):\n    return x + 10")
    kernel.ok("%%step a\nvalue = clean(1)")
    kernel.ok("value")
    assert kernel.value("value") == "11"


def test_a_step_cannot_change_its_input_for_others(kernel: Kernel) -> None:
    """Each reader gets a copy of its own."""
    kernel.ok("%%step a\nitems = [1, 2]")
    kernel.ok("%%step b\nitems.append(3)\nlonger = len(items)")
    kernel.ok("%%step c\nlength = len(items)")
    kernel.ok("longer, length")
    assert kernel.value("(longer, length, items)") == "(3, 2, [1, 2])"


def test_after_a_restart_run_all_brings_everything_back(tmp_path: Path) -> None:
    """Run All is a resume: finished steps come back with outputs and prints, marked restored."""
    log = tmp_path / "log"
    cells = [
        "%load_ext stepwell",
        "topic = 'x'",
        f"%%step a\nopen({str(log)!r}, 'a').write('a')\nprint('said')\nvalue = topic * 2",
        f"%%step b\nopen({str(log)!r}, 'a').write('b')\nother = value + '!'",
        "print(other)",
    ]
    kernel = Kernel(tmp_path)
    with kernel:
        for cell in cells:
            kernel.ok(cell)
        kernel.kill()
    with kernel:
        answers = [kernel.ok(cell) for cell in cells]
        assert kernel.text(answers[4]) == "xx!\n"
        assert kernel.cards(answers[2])[-1]["restored"] is True
        assert kernel.text(answers[2]) == "said\n"
    assert log.read_text() == "ab"


def test_resume_brings_everything_back_without_running_a_cell(tmp_path: Path) -> None:
    """`%stepwell resume` rebuilds names, helpers and setup, and goes on with what is pending."""
    log = tmp_path / "log"
    kernel = Kernel(tmp_path)
    with kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("%%setup\nimport math, asyncio\nawait asyncio.sleep(0)\nready = True")
        kernel.ok("factor = 3\ndef scale(x):\n    return x * factor")
        kernel.ok(f"%%step a\nopen({str(log)!r}, 'a').write('a')\nvalue = scale(math.floor(2.5))")
        kernel.ok("value")
        kernel.ok(
            f"%%step b\nimport time\nopen({str(log)!r}, 'a').write('b')\ntime.sleep(60)\n"
            "other = value + scale(1)"
        )
        kernel.listen_until(lambda: log.read_text() == "ab")
        kernel.kill()
    text = log.read_text()
    assert text == "ab"
    with kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("import time; time.sleep = lambda seconds: None")
        kernel.ok("%stepwell resume")
        kernel.ok("%stepwell wait")
        assert (
            kernel.value("(value, other, scale(10), math.pi > 3, ready)")
            == "(6, 9, 30, True, True)"
        )
    assert log.read_text() == "abb"


def test_a_stored_result_nobody_has_asked_for_is_not_waited_for(tmp_path: Path) -> None:
    """In a fresh kernel a cell that reads it is told at once what to do, and doing so helps."""
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("%%step a\nvalue = 1")
        kernel.ok("value")
        kernel.kill()
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        for cell in ("value", "%stepwell wait a"):
            answer = kernel.run(cell)
            assert answer.ename == "StepNotRun"
            assert "'value' is made by step 'a', which has not run here" in answer.error
            assert "%stepwell resume" in answer.error
        kernel.ok("%stepwell resume")
        kernel.ok("assert value == 1")
