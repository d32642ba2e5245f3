"""Sources of functions, classes and lambdas: what they use and when they are the same."""

import inspect
from collections.abc import Callable

import pytest

from stepwell.flow import source_digest, uses

offset = 1
pick: Callable[[int], int] = lambda row: row + offset  # noqa: E731 - a lambda is the point


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def clean(text): return strip(text, marks)", "strip marks"),
        ("def fact(n): return n * fact(n - 1)", ""),
        ("@cache(size)\ndef f(x: Kind = default) -> Out: ...", "cache size default Kind Out"),
        ("class A(Base):\n    n = size\n    def m(self): return A, put(self.n)", "Base size put"),
        ("async def f(x): return await client.get(x)", "client"),
        ("    def method(self):\n        return other(self)\n", "other"),
        ("\t@property\n\tdef method(self): return limit", "limit"),
        ("def f():\n    nonlocal count\n    count += step", "count step"),
        ("clean = lambda s: strip(s)", "strip"),
        ("    key=lambda x: x.y + z,\n", "z"),
        ("  .map(lambda r, q=w: (r, q, v[0])), other)", "w v"),
        ("rows.sort(key=lambda r: (r.a, lambda: r.b + c)),", "rows c"),
        ("    x = first(lambda a: b, lambda c: d)\n", "first b d"),
        ("not python ( at all name.attr", "python at name"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_a_source_uses(source: str, names: str) -> None:
    """The global names it reads, its own left out, whatever piece of a file it is."""
    assert " ".join(uses(source)) == names


def test_what_getsource_gives_can_be_read() -> None:
    """Nested functions, methods and lambdas as `inspect` finds them."""

    def nested(x: int) -> int:
        text = """a
b"""
        return len(text) + x + offset

    assert uses(inspect.getsource(nested)) == ("offset",)
    assert "offset" in uses(inspect.getsource(pick))


def test_decorators_count_unless_told_otherwise() -> None:
    """Options of a step are written in its decorator and may be judged apart."""
    one, other = "@step(retries=1)\ndef f(): return x", "@step(retries=2)\ndef f(): return x"
    assert source_digest(one) != source_digest(other)
    assert source_digest(one, decorators=False) == source_digest(other, decorators=False)
    assert uses(one) == ("step", "x")
    assert uses(one, decorators=False) == ("x",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x):\n    return x", "def f(x): return x  # same"),
        ("    def f(x):\n        return x\n", "def f(x):\n    return x"),
        ("    key=lambda x: x.y,", "    key = (lambda x: (x.y)),"),
        (".map(lambda r: (r, q))", ".filter( lambda r: (r, q) )"),
    ],
)
def test_layout_and_indentation_do_not_count(one: str, other: str) -> None:
    """The same function elsewhere in a file is the same function."""
    assert source_digest(one) == source_digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x): return x", "def f(x): return -x"),
        ("    def f():\n        return '''a\nb'''", "    def f():\n        return '''a\n  b'''"),
        (".map(lambda r: r.a)", ".map(lambda r: r.b)"),
        ("neither python", "nor python"),
    ],
)
def test_another_body_is_another_function(one: str, other: str) -> None:
    """Strings that span lines count as they are; what is no Python counts as text."""
    assert source_digest(one) != source_digest(other)
