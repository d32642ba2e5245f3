"""The namespace a step runs in."""

from typing import Any

import pytest

from stepwell.workers.namespace import build


def run(notebook: Any, code: str, *names: str, **inputs: object) -> Any:
    """The namespace after a step's code has run in it."""
    namespace = build(notebook.capture(*names, writes=inputs), inputs)
    exec(code, namespace)
    return namespace


def test_a_helper_sees_the_step_s_inputs(notebook: Any) -> None:
    """Not what the notebook has under that name."""
    notebook.cell("report = 'of the notebook'\ndef f():\n    return report")
    assert run(notebook, "x = f()", "f", report="of the step")["x"] == "of the step"


def test_a_helper_of_a_helper_sees_the_step_s_inputs(notebook: Any) -> None:
    """All the way down."""
    notebook.cell("def g():\n    return report\ndef f():\n    return g()")
    assert run(notebook, "x = f()", "f", report=1)["x"] == 1


def test_what_a_step_assigns_stays_in_its_namespace(notebook: Any) -> None:
    """Also what its helpers assign."""
    notebook.cell("count = 1\ndef f():\n    global count\n    count += 1")
    assert run(notebook, "f(); y = count", "f", "count")["y"] == 2
    assert notebook.names["count"] == 1
    assert "y" not in notebook.names


def test_a_step_that_changes_a_constant_changes_its_own_copy(notebook: Any) -> None:
    """Lists and dicts are given as copies, as they were when captured."""
    notebook.cell("rows = [1]")
    captured = notebook.capture("rows")
    notebook.cell("rows.append(2)")
    first, second = build(captured, {}), build(captured, {})
    first["rows"].append(3)
    assert second["rows"] == [1]
    assert notebook.names["rows"] == [1, 2]


def test_constants_that_cannot_change_are_shared(notebook: Any) -> None:
    """Copying them would be waste."""
    notebook.cell("text = 'x' * 1000\npair = (1, 'a')")
    namespace = build(notebook.capture("text", "pair"), {})
    assert namespace["text"] is notebook.names["text"]
    assert namespace["pair"] is notebook.names["pair"]


def test_what_cannot_be_written_down_is_shared(notebook: Any) -> None:
    """A client or a lock is the notebook's own."""
    notebook.cell("import threading\nlock = threading.Lock()\nclass Client: ...\nclient = Client()")
    namespace = build(notebook.capture("lock", "client"), {})
    assert namespace["lock"] is notebook.names["lock"]
    assert namespace["client"] is notebook.names["client"]


def test_copies_are_instances_of_the_step_s_own_class(notebook: Any) -> None:
    """`isinstance` holds inside a step."""
    notebook.cell("import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\np = P(1)")
    namespace = build(notebook.capture("p", "P"), {})
    assert type(namespace["p"]) is namespace["P"]
    assert namespace["p"] is not notebook.names["p"]


def test_functions_keep_all_that_belongs_to_them(notebook: Any) -> None:
    """Defaults, closure, attributes, documentation and names."""
    notebook.cell(
        "def make(n):\n    def f(x: int = 1, *, y=2) -> int:\n        'doc'\n"
        "        return x + y + n\n    return f\nf = make(10)\nf.mark = 'here'\n"
    )
    made, original = build(notebook.capture("f"), {})["f"], notebook.names["f"]
    assert made() == 13
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__defaults__",
                 "__kwdefaults__", "__annotations__", "mark"):  # fmt: skip
        assert getattr(made, name) == getattr(original, name)


def test_a_closure_is_shared_with_the_notebook(notebook: Any) -> None:
    """A counter counts on; only functions in a closure are bound anew."""
    notebook.cell(
        "def make():\n    n = 0\n    def step():\n        nonlocal n\n        n += 1\n"
        "        return n\n    return step\ncount = make()\n"
    )
    assert run(notebook, "x = count()", "count")["x"] == 1
    assert notebook.names["count"]() == 2


@pytest.mark.parametrize(
    ("cell", "call"),
    [
        ("tools = {'f': f}", "tools['f']()"),
        ("tools = [f, (f,)]", "tools[1][0]()"),
        ("import functools\ntools = functools.partial(f)", "tools()"),
        (
            "def deco(fn):\n    def wrapper():\n        return fn()\n    return wrapper\n"
            "@deco\ndef tools():\n    return f()",
            "tools()",
        ),
    ],
    ids=["dict", "list", "partial", "decorated"],
)
def test_functions_inside_plain_things_see_the_step_s_inputs_too(
    notebook: Any, cell: str, call: str
) -> None:
    """A table of tools is how agents keep them."""
    notebook.cell(f"def f():\n    return report\n{cell}")
    assert run(notebook, f"x = {call}", "tools", report="of the step")["x"] == "of the step"


def test_one_function_under_two_roads_is_one_function(notebook: Any) -> None:
    """`TOOLS['f'] is f` holds in a step if it does in the notebook."""
    notebook.cell("def f(): ...\nTOOLS = {'f': f}")
    namespace = build(notebook.capture("f", "TOOLS"), {})
    assert namespace["TOOLS"]["f"] is namespace["f"]


def test_functions_that_call_each_other_do_so_in_the_step(notebook: Any) -> None:
    """Recursion stays inside."""
    notebook.cell(
        "def even(n):\n    return n == 0 or odd(n - 1)\n"
        "def odd(n):\n    return n != 0 and even(n - 1)\n"
    )
    namespace = build(notebook.capture("even"), {})
    assert namespace["even"](10) is True
    assert namespace["odd"].__globals__ is namespace


def test_functions_of_modules_keep_their_globals(notebook: Any) -> None:
    """Their names are looked up where they were defined."""
    notebook.cell("from textwrap import dedent")
    namespace = build(notebook.capture("dedent"), {})
    assert namespace["dedent"] is notebook.names["dedent"]


def test_an_input_goes_before_a_name_of_the_environment(notebook: Any) -> None:
    """When somebody has started to write the name since."""
    notebook.cell("x = 1")
    assert build(notebook.capture("x"), {"x": 2})["x"] == 2


def test_steps_see_themselves_as_the_notebook(notebook: Any) -> None:
    """`if __name__ == "__main__"` holds, and classes they define belong to `__main__`."""
    namespace = run(notebook, "class C: ...")
    assert namespace["__name__"] == "__main__"
    assert namespace["C"].__module__ == "__main__"
