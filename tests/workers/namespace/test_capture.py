"""Which names an environment is made of."""

import sys
import time
from typing import Any

from stepwell.flow import BindingKind


def test_constants_are_bound_by_value(notebook: Any) -> None:
    """Equal values have equal digests, other values other ones."""
    notebook.cell("a = {'x': [1, 2]}\nb = {'x': [1, 2]}\nc = {'x': [1, 3]}")
    bound = notebook.capture("a", "b", "c").bindings
    assert {binding.kind for binding in bound.values()} == {BindingKind.VALUE}
    assert bound["a"].digest == bound["b"].digest != bound["c"].digest


def test_functions_are_followed_through_the_names_they_use(notebook: Any) -> None:
    """What a helper of a helper reads belongs to the environment."""
    notebook.cell(
        "LIMIT = 3\n"
        "def outer(x):\n    return inner(x)\n"
        "def inner(x):\n    return [y for y in x if y < LIMIT]\n"
    )
    bound = notebook.capture("outer").bindings
    assert list(bound) == ["outer", "inner", "LIMIT"]
    assert bound["outer"].uses == ("inner",)
    assert bound["inner"].uses == ("LIMIT",)


def test_names_inside_nested_functions_are_followed(notebook: Any) -> None:
    """A lambda or a function inside a helper reads on the helper's behalf."""
    notebook.cell("A = 1\nB = 2\ndef f():\n    def g():\n        return A\n    return g, lambda: B")
    assert set(notebook.capture("f").bindings) == {"f", "A", "B"}


def test_a_name_that_a_step_writes_is_an_input_also_through_a_helper(notebook: Any) -> None:
    """It is told with the helper that reads it, and it is not bound."""
    notebook.cell("report = 'old'\ndef show():\n    return report")
    captured = notebook.capture("show", "report", writes=["report"])
    assert captured.inputs_via_helpers == {"report": "show"}
    assert "report" not in captured.bindings


def test_an_input_the_step_reads_itself_is_not_told_as_a_helpers(notebook: Any) -> None:
    """`inputs_via_helpers` holds only what the code of the step does not show."""
    notebook.cell("report = 'old'")
    captured = notebook.capture("report", writes=["report"])
    assert captured.inputs_via_helpers == {}
    assert captured.bindings == {}


def test_a_name_nobody_has_is_missing(notebook: Any) -> None:
    """Of the step's own names and of its helpers', told apart."""
    notebook.cell("def f():\n    return nowhere + len('')")
    captured = notebook.capture("f", "nothing", "print")
    assert captured.missing == ["nothing"]
    assert captured.missing_in_helpers == {"nowhere": "f"}


def test_what_only_a_definition_needs_is_never_missing(notebook: Any) -> None:
    """A decorator or an annotation may be gone by the time the function runs."""
    notebook.cell("class Old: ...\ndef f(x: Old) -> Old:\n    return x\ndel Old")
    captured = notebook.capture("f")
    assert captured.missing == []
    assert captured.missing_in_helpers == {}


def test_functions_that_call_each_other_end(notebook: Any) -> None:
    """Recursion, direct and mutual, is followed once."""
    notebook.cell(
        "def even(n):\n    return n == 0 or odd(n - 1)\n"
        "def odd(n):\n    return n != 0 and even(n - 1)\n"
        "def fact(n):\n    return n * fact(n - 1) if n else 1\n"
    )
    assert set(notebook.capture("even", "fact").bindings) == {"even", "odd", "fact"}


def test_python_s_and_ipython_s_own_names_are_left_out(notebook: Any) -> None:
    """History, builtins and the like are not what a result depends on."""
    notebook.cell("In = ['']\nOut = {}\n_ = 3\n_i1 = 'x'\n__doc__ = 'y'\ndef get_ipython(): ...")
    names = ["In", "Out", "_", "_i1", "__doc__", "get_ipython", "print", "display"]
    captured = notebook.capture(*names)
    assert captured.bindings == {}
    assert captured.missing == []


def test_a_builtin_that_was_given_another_meaning_counts(notebook: Any) -> None:
    """`list = …` in a notebook is as much an environment as any other name."""
    notebook.cell("max = 3\ndef f():\n    return max")
    assert set(notebook.capture("f").bindings) == {"f", "max"}


def test_stepwell_is_not_part_of_an_environment_and_comes_back(notebook: Any) -> None:
    """Upgrading it makes nothing stale, yet a restored notebook has its names."""
    notebook.cell("import stepwell\nfrom stepwell.flow import Step\ndef f():\n    return stepwell")
    captured = notebook.capture("f", "Step")
    assert set(captured.bindings) == {"f"}
    fresh, _ = notebook.restarted(captured)
    assert fresh.names["stepwell"] is sys.modules["stepwell"]
    assert fresh.names["Step"] is notebook.names["Step"]


def test_what_cannot_be_told_apart_is_opaque_with_its_type(notebook: Any) -> None:
    """And with the reason, where it cannot be brought back either."""
    notebook.cell("import threading\nlock = threading.Lock()\nclass Client: ...\nclient = Client()")
    captured = notebook.capture("lock", "client")
    assert {name: str(item) for name, item in captured.opaque.items()} == {
        "lock": "_thread.lock",
        "client": "Client",
    }
    assert "threads" in captured.opaque["lock"].reason
    assert captured.opaque["client"].reason == ""
    assert captured.bindings["client"].kind is BindingKind.OPAQUE


def test_the_class_of_an_object_is_part_of_the_environment(notebook: Any) -> None:
    """Calling a method runs the class's code, whether the object is opaque or a value."""
    notebook.cell(
        "import dataclasses\n"
        "class Client:\n    def ask(self):\n        return LIMIT\n"
        "@dataclasses.dataclass\nclass Plan:\n    x: int\n"
        "LIMIT = 1\nclient = Client()\nplans = [Plan(1)]\n"
    )
    bound = notebook.capture("client", "plans").bindings
    assert bound["client"].uses == ("Client",)
    assert bound["plans"].uses == ("Plan",)
    assert {"Client", "Plan", "LIMIT"} <= set(bound)


def test_patterns_and_loggers_are_values(notebook: Any) -> None:
    """They are everywhere, and what they are is plain to see."""
    notebook.cell("import logging, re\np = re.compile('a+')\nlog = logging.getLogger('here')")
    captured = notebook.capture("p", "log")
    assert captured.opaque == {}
    before = captured.bindings["p"].digest
    notebook.cell("p = re.compile('a+', re.I)")
    assert notebook.digest("p") != before


def test_a_plain_environment_is_captured_fast(notebook: Any) -> None:
    """Five constants and two functions: 0.2 ms is the aim; ten times that fails here."""
    notebook.cell(
        "A = 1\nB = 'x'\nC = 2.5\nD = [1, 2]\nE = {'a': 1}\n"
        "def f(x):\n    return x + A\ndef g(x):\n    return f(x) + B\n"
    )
    names = ["A", "B", "C", "D", "E", "f", "g"]
    notebook.capture(*names)
    took: list[float] = []
    for _ in range(50):
        began = time.perf_counter()
        notebook.capture(*names)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.002
