"""The analysis against the real thing: programs are run in a namespace that keeps account."""

from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepwell.flow import analyse

NAMES = ("a", "b", "c", "d", "e")


class Anything:
    """A value that every operation of the generated programs accepts."""

    def __call__(self, *_: Any) -> "Anything":
        """Anything called is anything."""
        return self

    def __iter__(self) -> Iterator["Anything"]:
        return iter((self, self))

    def __enter__(self) -> "Anything":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __add__(self, _: object) -> "Anything":
        return self

    __radd__ = __getitem__ = __add__


class Trouble(Anything, Exception):
    """One that can be raised."""


class ClassNamespace(dict[str, Any]):
    """The names of a class body; what it does not have is looked up in the namespace."""

    def __init__(self, outer: "Namespace") -> None:
        super().__init__()
        self.outer = outer

    def __missing__(self, name: str) -> Any:
        return self.outer[name]


class Namespace(dict[str, Any]):
    """Globals that provide what is missing and remember that it was."""

    def __init__(self, *, truth: list[bool] | None = None) -> None:
        self.outside: set[str] = set()
        self.deleted: set[str] = set()
        super().__init__(
            ANYTHING=Anything(),
            TROUBLE=Trouble,
            META=_metaclass(self),
            chance=iter(truth or []).__next__,
            forget=self.deleted.add,
        )

    def __missing__(self, name: str) -> Anything:
        if name not in NAMES:
            raise KeyError(name)
        if name not in self.deleted:
            self.outside.add(name)
        return Anything()


def _metaclass(outer: Namespace) -> type[type]:
    class Meta(type):
        @classmethod
        def __prepare__(cls, *_: Any, **__: Any) -> ClassNamespace:
            return ClassNamespace(outer)

        def __new__(cls, name: str, bases: tuple[type, ...], _: Any) -> "Meta":
            return super().__new__(cls, name, bases, {})

    return Meta


names = st.sampled_from(NAMES)


def _expression(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("({0[0]} + {0[1]})".format),
        st.tuples(names, inner).map("({0[0]} := {0[1]})".format),
        names.map("[ANYTHING, f'{{{0}}}'][0]".format),
        st.tuples(inner, inner, names).map("([i + {0[1]} for i in ({0[2]})], ANYTHING)[1]".format),
        st.tuples(names, names).map("(list({0[0]} for {0[0]} in {0[1]}), ANYTHING)[1]".format),
        st.tuples(names, names).map("([({0[0]} := j) for j in {0[1]}], ANYTHING)[1]".format),
    )


expressions = st.recursive(names, _expression, max_leaves=4)
plain = st.recursive(
    names, lambda inner: st.tuples(inner, inner).map("({0[0]} + {0[1]})".format), max_leaves=3
)


def _indented(block: str) -> str:
    return "\n".join("    " + line for line in block.splitlines())


simple = st.one_of(
    st.tuples(names, expressions).map("{0[0]} = {0[1]}".format),
    st.tuples(names, expressions).map("{0[0]} += {0[1]}".format),
    st.tuples(names, names, names).map("{0[0]}, {0[1]} = {0[2]}".format),
    st.tuples(names, expressions, plain).map("{0[0]}: {0[2]} = {0[1]}".format),
    names.map("{0} = {0}\ndel {0}\nforget('{0}')".format),
    st.tuples(names, plain, plain).map(
        "def f(x={0[1]}):\n    return x + {0[2]}\nf(); f({0[0]})".format
    ),
    st.tuples(names, plain).map("def f():\n    global {0[0]}\n    {0[0]} = {0[1]}\nf()".format),
    st.tuples(names, plain, names, plain).map(
        "class K(metaclass=META):\n    {0[0]} = {0[1]}\n    {0[2]} = {0[3]}".format
    ),
    st.tuples(names, names).map("with {0[0]} as {0[1]}: pass".format),
)


def _always(block: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(names, names, block).map(
        lambda parts: f"for {parts[0]} in {parts[1]}:\n{_indented(parts[2])}"
    )


def _perhaps(block: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        _always(block),
        st.tuples(plain, block, block).map(
            lambda p: f"if {p[0]} and chance():\n{_indented(p[1])}\nelse:\n{_indented(p[2])}"
        ),
        block.map(lambda inner: f"while chance():\n{_indented(inner)}"),
        st.tuples(names, plain, plain).map("{0[0]} = {0[1]} if chance() else {0[2]}".format),
        st.tuples(names, block, block).map(
            lambda p: (
                f"try:\n{_indented(p[1])}\n    if chance(): raise TROUBLE\n"
                f"except TROUBLE as {p[0]}:\n{_indented(p[2])}"
            )
        ),
        st.tuples(names, names, block).map(
            lambda p: f"match {p[0]}:\n    case {p[1]} if chance():\n{_indented(_indented(p[2]))}"
        ),
    )


def _block(statements: st.SearchStrategy[str], at_most: int) -> st.SearchStrategy[str]:
    return st.lists(statements, min_size=1, max_size=at_most).map("\n".join)


# How long it takes to write a program says nothing about the analysis.
unhurried = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# In a loop inside a loop, the analysis allows for an inner loop without turns.
certain = _block(st.one_of(simple, _always(_block(simple, 4))), 6)
uncertain = _block(st.recursive(simple, lambda inner: _perhaps(_block(inner, 3)), max_leaves=6), 6)


@unhurried
@given(certain)
def test_reads_are_exactly_what_a_run_looks_up_outside(program: str) -> None:
    """Where every line runs, reads are what was missing, and writes are there afterwards."""
    namespace = Namespace()
    exec(compile(program, "<program>", "exec"), namespace)
    found = analyse(program)
    assert set(found.reads).intersection(NAMES) == namespace.outside
    assert set(found.writes) - namespace.deleted <= set(namespace)
    assert set(namespace).intersection(NAMES) <= set(found.binds)


@unhurried
@given(uncertain, st.lists(st.booleans(), max_size=12))
def test_nothing_looked_up_outside_is_missed(program: str, truth: list[bool]) -> None:
    """Whatever way a run takes: what it needs and the code never binds is a read."""
    namespace = Namespace(truth=[*truth, *[False] * 1000])
    exec(compile(program, "<program>", "exec"), namespace)
    found = analyse(program)
    assert namespace.outside - set(found.binds) <= set(found.reads)
