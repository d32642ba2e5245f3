"""When a function has changed, and when not."""

import functools
from typing import Any

import pytest

from stepwell.flow import BindingKind
from stepwell.workers.namespace import code_object_digest

DECORATORS = """
import functools

def plain(fn):
    def wrapper(*args):
        return fn(*args)
    return wrapper

def wrapping(fn):
    @functools.wraps(fn)
    def wrapper(*args):
        return fn(*args)
    return wrapper
"""


def digest_after(notebook: Any, cell: str, name: str = "f") -> str:
    """The digest of a name after one more cell."""
    notebook.cell(cell)
    return notebook.digest(name)


def test_layout_and_comments_do_not_count(notebook: Any) -> None:
    """Two writings of the same code are the same function."""
    first = digest_after(notebook, "def f(x):\n    return x + 1")
    again = digest_after(notebook, "\n\n# why\ndef f( x ):\n\n    # because\n    return (x+1)\n")
    assert again == first


def test_code_counts(notebook: Any) -> None:
    """An edit that changes the meaning changes the digest."""
    first = digest_after(notebook, "def f(x):\n    return x + 1")
    assert digest_after(notebook, "def f(x):\n    return x + 2") != first


def test_an_edited_helper_changes_its_own_binding_only(notebook: Any) -> None:
    """So that people are told which function has changed."""
    notebook.cell("def g():\n    return 1\ndef f():\n    return g()")
    before = notebook.capture("f").bindings
    notebook.cell("def g():\n    return 2")
    after = notebook.capture("f").bindings
    assert before["f"] == after["f"]
    assert before["g"].digest != after["g"].digest
    assert after["g"].detail == "def g():\n    return 2"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x=1): return x", "def f(x=2): return x"),
        ("D = 1\ndef f(x=D): return x", "D = 2\ndef f(x=D): return x"),
        ("D = 1\ndef f(*, x=D): return x", "D = 2\ndef f(*, x=D): return x"),
        ("def m(n):\n    def f(): return n\n    return f\nf = m(1)", "f = m(2)"),
        ("f = lambda x: x + 1", "f = lambda x: x + 2"),
        ("def g(x, y): ...\nimport functools\nf = functools.partial(g, 1)",
         "f = functools.partial(g, 2)"),
        ("f = {'a': lambda: 1}", "f = {'a': lambda: 2}"),
        ("class A:\n    def f(self): return 1\nf = A().f",
         "class A:\n    def f(self): return 2\nf = A().f"),
    ],
    ids=["default", "named default", "keyword default", "closure", "lambda", "partial",
         "container", "bound method"],
)  # fmt: skip
def test_what_a_function_was_made_with_counts(notebook: Any, one: str, other: str) -> None:
    """Defaults, closures, arguments that are bound already, functions in containers."""
    notebook.cell(one)
    before = notebook.capture("f").bindings
    notebook.cell(other)
    assert notebook.capture("f").bindings != before


def test_the_same_lambda_in_another_place_is_the_same(notebook: Any) -> None:
    """Line numbers, files and addresses do not count."""
    first = digest_after(notebook, "f = lambda x: x + 1")
    assert digest_after(notebook, "\n\n\nf = [0, lambda x: x + 1][1]") == first


def test_two_lambdas_on_one_line_are_told_apart(notebook: Any) -> None:
    """No matter that their source cannot be."""
    notebook.cell("f, g = lambda x: x + 1, lambda x: x + 2")
    assert notebook.digest("f") != notebook.digest("g")


@pytest.mark.parametrize("decorator", ["plain", "wrapping", "functools.lru_cache"])
def test_a_decorated_function_changes_with_what_it_wraps(notebook: Any, decorator: str) -> None:
    """Whether or not the decorator says what it wraps."""
    notebook.cell(DECORATORS)
    first = digest_after(notebook, f"@{decorator}\ndef f(x):\n    return x + 1")
    second = digest_after(notebook, f"@{decorator}\ndef f(x):\n    return x + 2")
    again = digest_after(notebook, f"@{decorator}\ndef f(x):\n    return x + 1  # as it was")
    assert first != second
    assert first == again


def test_a_decorated_function_is_shown_by_its_own_source(notebook: Any) -> None:
    """Not by that of the decorator's wrapper."""
    notebook.cell(DECORATORS + "@wrapping\ndef f(x):\n    return x + 1\n")
    assert notebook.binding("f").detail == "@wrapping\ndef f(x):\n    return x + 1"


def test_an_edited_decorator_is_noticed(notebook: Any) -> None:
    """It is part of what the decorated function needs."""
    notebook.cell(DECORATORS + "@wrapping\ndef f(x):\n    return x + 1\n")
    before = notebook.capture("f").bindings
    notebook.cell(DECORATORS.replace("fn(*args)\n", "fn(*args) or 1\n"))
    after = notebook.capture("f").bindings
    assert before["wrapping"] != after["wrapping"]


def test_async_functions_count_like_others(notebook: Any) -> None:
    """By source, with the names they use."""
    notebook.cell("async def g(): ...\nasync def f():\n    return await g()")
    assert set(notebook.capture("f").bindings) == {"f", "g"}


def test_a_function_without_source_goes_by_its_code(notebook: Any) -> None:
    """And is the same for the same text executed twice."""
    text = "LIMIT = 3\ndef f(x):\n    return x + LIMIT"
    exec(compile(text, "<nowhere>", "exec", dont_inherit=True), notebook.names)
    first = notebook.capture("f")
    exec(compile("\n\n" + text, "<elsewhere>", "exec", dont_inherit=True), notebook.names)
    assert notebook.capture("f").bindings == first.bindings
    assert set(first.bindings) == {"f", "LIMIT"}


def test_installed_functions_go_by_name_and_version(notebook: Any) -> None:
    """Their code is not read."""
    notebook.cell("import math, json\nimport numpy as np\nf = json.dumps\ng = math.sin\nh = np.sin")
    bound = notebook.capture("f", "g", "h").bindings
    assert {binding.kind for binding in bound.values()} == {BindingKind.MODULE}
    assert bound["f"].detail.startswith("json.dumps 3.")
    assert bound["h"].detail.startswith("numpy.sin ")


def test_a_method_of_an_installed_class_goes_with_its_object(notebook: Any) -> None:
    """`append` of one list is not `append` of another."""
    notebook.cell("f = [1].append\ng = [2].append")
    assert notebook.digest("f") != notebook.digest("g")


def test_an_opaque_default_is_told(notebook: Any) -> None:
    """The function is known, what it holds is not."""
    notebook.cell("class Client: ...\ndef f(client=Client()):\n    return client")
    captured = notebook.capture("f")
    assert captured.bindings["f"].kind is BindingKind.FUNCTION
    assert str(captured.opaque["f"]) == "Client (default 0)"


def test_a_bare_object_as_a_mark_is_not_told(notebook: Any) -> None:
    """`MISSING = object()` says nothing that could change."""
    notebook.cell("def f(x=object()):\n    return x")
    assert notebook.capture("f").opaque == {}


def test_a_function_that_holds_itself_ends(notebook: Any) -> None:
    """An inner function that recurses is in its own closure."""
    notebook.cell(
        "def make(k):\n    def walk(n):\n        return walk(n - 1) if n else k\n    return walk\n"
        "f = make(1)\ng = make(2)\nh = make(1)\n"
    )
    assert notebook.digest("f") == notebook.digest("h") != notebook.digest("g")


def test_a_function_replaced_in_place_is_noticed(notebook: Any) -> None:
    """Reloaders exchange the code of a function and leave the function."""
    notebook.cell("def f():\n    return 1\ndef g():\n    return 2")
    before = notebook.digest("f")
    notebook.names["f"].__code__ = notebook.names["g"].__code__
    assert notebook.digest("f") != before


def test_annotations_count(notebook: Any) -> None:
    """Agents hand signatures to models; code objects that differ in them only are equal."""
    first = digest_after(notebook, "def f(x: int):\n    return x")
    assert digest_after(notebook, "def f(x: str):\n    return x") != first


def test_code_object_digest_sees_constants_inside_functions_inside() -> None:
    """Nested code counts, names of functions do not."""

    def one():
        return [lambda: 1]

    def two():
        return [lambda: 2]

    def again():
        return [lambda: 1]

    assert code_object_digest(one.__code__) == code_object_digest(again.__code__)
    assert code_object_digest(one.__code__) != code_object_digest(two.__code__)


def test_a_wrapper_of_a_library_is_told_by_what_it_wraps(notebook: Any) -> None:
    """`functools.singledispatch` keeps the user's functions in its closure."""
    cell = (
        "import functools\n"
        "@functools.singledispatch\ndef f(x):\n    return 1\n"
        "@f.register\ndef _(x: int):\n    return {}\n"
    )
    first = digest_after(notebook, cell.format(2))
    assert digest_after(notebook, cell.format(3)) != first
    assert isinstance(notebook.names["f"].__wrapped__, type(functools.wraps))
