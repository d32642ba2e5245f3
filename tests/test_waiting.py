"""Which names an ordinary cell waits for."""

import ast

import pytest

from stepwell.waiting import names_read


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("print(a, b.c[d])", ["print", "a", "b", "d"]),
        ("a = 1\na", ["a"]),
        ("def f(a, *b, c=k, **d) -> t:\n    return a + b + c + d + e", ["k", "t", "e"]),
        ("def f():\n    a = 1\n    return a, b", ["b"]),
        ("def f():\n    global a\n    a = a + 1", ["a"]),
        ("def f():\n    for a, (b, c) in d:\n        yield a, b, c", ["d"]),
        ("def f(a):\n    def g(b):\n        return a, b, c\n    return g", ["c"]),
        ("def f():\n    import a.b as c, d.e\n    return a, c, d", ["a"]),
        ("f = lambda a, b=c: (a, b, d)", ["c", "d"]),
        ("@a\nclass B(c):\n    d = e\n    def f(self):\n        return g", ["a", "c", "e", "g"]),
        ("[a for a in b if c]", ["b", "c"]),
        ("x = {a: b for a, b in c.items()}", ["c"]),
        ("def f(a):\n    return [a for b in c]", ["c"]),
        ("async def f(a):\n    async with a as b, c as d:\n        return b, d", ["c"]),
        ("def f():\n    with open('x') as text:\n        return text", ["open"]),
        ("def f(x):\n    match x:\n        case {'a': a, **rest}:\n            return a, rest", []),
    ],
)
def test_a_functions_own_names_are_its_own(source: str, names: list[str]) -> None:
    """A parameter or a variable that is called like a step's output is no reason to wait."""
    assert sorted(names_read(ast.parse(source))) == sorted(names)
