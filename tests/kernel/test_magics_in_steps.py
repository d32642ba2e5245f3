"""IPython's own magics inside of steps, in a real kernel."""

from kernels import Kernel


def test_a_magic_works_on_the_steps_names(kernel: Kernel) -> None:
    """What it assigns is the step's output, what it reads is the step's own, nested scopes too."""
    kernel.ok("n = 3")
    step = kernel.ok(
        "%%step a\nm = 4\n%time x = [m + n for _ in range(2)]\n%time def f(): return m\ny = f()"
    )
    kernel.ok("assert (x, y) == ([7, 7], 4)")
    kernel.listen_until(lambda: "Wall time" in kernel.text(step))
    kernel.ok("%%step b\n%%time\nz = [n for _ in x]\n")
    kernel.ok("assert z == [3, 3]")


def test_a_magic_leaves_the_notebooks_names_alone(kernel: Kernel) -> None:
    """Neither while it runs nor after it; other cells go on in that namespace."""
    kernel.ok("w = 'mine'\nn = 3")
    kernel.ok(
        "%%step a --out v\nw = 7\n%timeit -n1 -r1 w + n\n%time _hidden = 1\n"
        "files = !echo {w} $n\n!true\nv = files[0]"
    )
    kernel.ok("assert v == '7 3'")
    assert kernel.value("w") == "'mine'"
    assert kernel.value("[it for it in ('_hidden', '_exit_code') if it in globals()]") == "[]"


def test_a_magic_in_a_function_works_on_the_functions_names(kernel: Kernel) -> None:
    """As it does in the notebook."""
    kernel.ok("def wrapped(a):\n    found = !echo {a} {k}\n    return found\nk = 'late'")
    kernel.ok("%%step a\ndef f(a):\n    %time b = a + 1\n    return a\nx = (f(1), wrapped('w'))")
    kernel.ok("k = 'later'")
    kernel.ok("assert x == (1, ['w late'])")


def test_what_a_cell_magic_captures_is_an_output(kernel: Kernel) -> None:
    """`%%capture NAME` makes a name, which the step writes."""
    kernel.ok("%%step a\n%%capture seen\nprint('quiet')\n")
    kernel.ok("assert seen.stdout == 'quiet\\n'")


def test_a_magic_does_not_wait_for_the_step_it_runs_in(kernel: Kernel) -> None:
    """Code that a step has IPython run reads the step's names as they are."""
    kernel.ok("%%step a\nx = 1\n%time y = x + 1\nget_ipython().run_cell('print(x)')")
    kernel.ok("assert y == 2", timeout=20)
