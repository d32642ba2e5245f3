"""The notebook's run in plain Python, beside its magics."""

from kernels import Kernel


def test_a_cell_steers_the_notebooks_own_run(kernel: Kernel) -> None:
    """What it does, the magics see; closing it leaves the notebook its store."""
    kernel.ok("%%step a\na = 1")
    kernel.ok("import stepwell\nrun = stepwell.notebook()\nrun.wait('a')\nrun.pause()")
    kernel.ok("%%step b\nb = a + 1")
    assert kernel.value("run.show('b').phase.value, run.status") == "('waiting', 'running')"
    kernel.ok("run.close()\nrun.resume()")
    kernel.ok("b")
    assert kernel.value("run['b']") == "2"
    assert kernel.value("[it.action for it in stepwell.notebook().plan()]") == "['reuse', 'reuse']"


STEP = """
@stepwell.step(out="x")
def one():
    return helper() * LIMIT
"""


def test_what_a_function_step_calls_is_what_its_result_depends_on(kernel: Kernel) -> None:
    """Edited in a cell of its own, it is told, with the difference; and so after a restart."""
    kernel.ok("import stepwell\nLIMIT = 10\ndef helper():\n    return 1")
    kernel.ok(STEP)
    assert kernel.value("x") == "10"
    kernel.ok(STEP)
    assert kernel.value("stepwell.notebook().plan()[0].action") == "'reuse'"
    kernel.ok("def helper():\n    return 2")
    told = kernel.value("str(stepwell.notebook().plan()[0])")
    assert "helper function helper() changed" in told
    assert "+    return 2" in told
    kernel.ok(STEP)
    assert kernel.value("x") == "20"
    kernel.shutdown()
    kernel.start()
    kernel.ok("%load_ext stepwell\nimport stepwell\n%stepwell resume")
    assert kernel.value("stepwell.notebook().plan()[0].action") == "'reuse'"
    kernel.ok("LIMIT = 10\ndef helper():\n    return 2")
    kernel.ok(STEP)
    assert kernel.value("x") == "20"
    kernel.ok("LIMIT = 100")
    assert kernel.value("stepwell.notebook().plan()[0].why") == "('LIMIT: 10 → 100',)"
