"""When a class has changed, and when not."""

from typing import Any

import pytest

KINDS = {
    "plain": "class C:\n    LIMIT = {0}\n    def go(self):\n        return {1}\n",
    "without methods": "class C:\n    limit: int = {0}\n    other = {1}\n",
    "dataclass": (
        "import dataclasses\n@dataclasses.dataclass\nclass C:\n    x: int = {0}\n    y: int = {1}\n"
    ),
    "pydantic": (
        "import pydantic\nclass C(pydantic.BaseModel):\n    x: int = {0}\n    y: int = {1}\n"
    ),
    "enum": "import enum\nclass C(enum.Enum):\n    A = {0}\n    B = {1}\n",
    "named tuple": (
        "import typing\nclass C(typing.NamedTuple):\n    x: int = {0}\n    y: int = {1}\n"
    ),
    "typed dict": "import typing\nclass C(typing.TypedDict):\n    x: typing.Literal[{0}, {1}]\n",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_goes_by_its_source(notebook: Any, kind: str) -> None:
    """An edit changes the digest; undoing the edit brings the old digest back."""
    notebook.cell(KINDS[kind].format(10, 20))
    first = notebook.digest("C")
    notebook.cell(KINDS[kind].format(10, 30))
    assert notebook.digest("C") != first
    notebook.cell("# undone\n" + KINDS[kind].format(10, 20))
    assert notebook.digest("C") == first


def test_an_older_edition_of_a_cell_is_not_taken_for_the_class(notebook: Any) -> None:
    """A class without methods does not say where it stands; its fields do."""
    notebook.cell("class C:\n    x: int = 1")
    notebook.cell("class C:\n    x: int = 2")
    notebook.cell("# as before\nclass C:\n    x: int = 1")
    notebook.cell("class D:\n    class C:\n        x: int = 3")
    assert "x: int = 1" in notebook.binding("C").detail


def test_what_methods_read_is_followed(notebook: Any) -> None:
    """As with functions, and told as read by the class."""
    notebook.cell("class C:\n    def go(self):\n        return LIMIT + report\nLIMIT = 1")
    captured = notebook.capture("C", writes=["report"])
    assert "LIMIT" in captured.bindings
    assert captured.inputs_via_helpers == {"report": "C"}


def test_a_base_class_of_the_notebook_is_followed(notebook: Any) -> None:
    """Inherited methods are the class's code as well."""
    notebook.cell("class Base:\n    def go(self):\n        return 1\nclass C(Base):\n    pass")
    before = notebook.capture("C").bindings
    assert set(before) == {"C", "Base"}
    notebook.cell("class Base:\n    def go(self):\n        return 2\nclass C(Base):\n    pass")
    after = notebook.capture("C").bindings
    assert before["C"].digest == after["C"].digest
    assert before["Base"].digest != after["Base"].digest


def test_a_subclass_of_an_older_base_is_not_the_new_one_s(notebook: Any) -> None:
    """Running only the base's cell leaves the subclass with the old one."""
    notebook.cell("class Base:\n    def go(self):\n        return 1")
    notebook.cell("class C(Base):\n    pass")
    before = notebook.digest("C")
    notebook.cell("class Base:\n    def go(self):\n        return 2")
    assert notebook.digest("C") != before


def test_a_method_put_in_later_is_noticed(notebook: Any) -> None:
    """The source of the class does not show it."""
    notebook.cell("class C:\n    def go(self):\n        return 1")
    before = notebook.digest("C")
    notebook.cell("def go(self):\n    return 2\nC.go = go\ndel go")
    assert notebook.digest("C") != before


def test_a_plain_attribute_assigned_later_is_noticed(notebook: Any) -> None:
    """Settings are often kept in a class."""
    notebook.cell("class Settings:\n    model = 'small'")
    before = notebook.digest("Settings")
    notebook.cell("Settings.model = 'large'")
    assert notebook.digest("Settings") != before
    fresh, restored = notebook.restarted(notebook.capture("Settings"))
    assert restored.failures == {}
    assert fresh.names["Settings"].model == "large"


def test_layout_does_not_count(notebook: Any) -> None:
    """Nor do comments."""
    notebook.cell("class C:\n    def go(self):\n        return 1")
    before = notebook.digest("C")
    notebook.cell("# a comment\nclass C :\n\n    def go( self ): return (1)\n")
    assert notebook.digest("C") == before


def test_a_class_without_source_goes_by_its_members(notebook: Any) -> None:
    """Executed text leaves code behind, and annotations."""
    text = "class C:\n    x: int = 1\n    def go(self):\n        return {0}"
    exec(compile(text.format(1), "<nowhere>", "exec", dont_inherit=True), notebook.names)
    first = notebook.digest("C")
    exec(compile(text.format(1), "<elsewhere>", "exec", dont_inherit=True), notebook.names)
    assert notebook.digest("C") == first
    exec(compile(text.format(2), "<nowhere>", "exec", dont_inherit=True), notebook.names)
    assert notebook.digest("C") != first


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("collections.namedtuple('C', 'a b')", "collections.namedtuple('C', 'a b c')"),
        ("type('C', (), {'x': [1]})", "type('C', (), {'x': [2]})"),
        ("enum.Enum('C', {'A': 1})", "enum.Enum('C', {'A': 2})"),
        (
            "dataclasses.make_dataclass('C', [('x', int)])",
            "dataclasses.make_dataclass('C', [('x', str)])",
        ),
    ],
)
def test_a_class_made_by_a_call_goes_by_its_members(notebook: Any, one: str, other: str) -> None:
    """`namedtuple` and its like leave no definition behind."""
    notebook.cell(f"import collections, dataclasses, enum\nC = {one}")
    first = notebook.digest("C")
    notebook.cell(f"C = {one}")
    assert notebook.digest("C") == first
    notebook.cell(f"C = {other}")
    assert notebook.digest("C") != first


def test_a_class_in_a_cell_that_begins_with_a_magic_is_found(notebook: Any) -> None:
    """Such a cell as a whole is no Python."""
    import linecache

    text = "%%setup\nclass C:\n    def go(self):\n        return 1\n"
    lines: list[str] = list(text.splitlines(keepends=True))
    linecache.cache["<setup>"] = (len(text), None, lines, "<setup>")
    exec(compile("\n" + text.partition("\n")[2], "<setup>", "exec"), notebook.names)
    assert notebook.binding("C").detail.startswith("class C:")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("list[int]", "list[str]"),
        ("int | None", "str | None"),
        ("typing.Literal['a', 'b']", "typing.Literal['a', 'c']"),
        ("typing.Optional[C]", "typing.Optional[D]"),
        ("typing.NewType('N', int)", "typing.NewType('N', str)"),
        ("typing.TypeVar('T')", "typing.TypeVar('U')"),
    ],
)
def test_annotations_kept_under_a_name_are_told_apart(notebook: Any, one: str, other: str) -> None:
    """`Kind = Literal["a", "b"]` is not opaque."""
    notebook.cell(f"import typing\nclass C: ...\nclass D: ...\none = {one}\nother = {other}")
    captured = notebook.capture("one", "other")
    assert captured.opaque == {}
    assert captured.bindings["one"].digest != captured.bindings["other"].digest
