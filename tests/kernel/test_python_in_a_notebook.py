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
