"""Which edits of the code count and which do not."""

import ast
import gc
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.errors import InvalidStep
from stepwell.flow import code_digest, source_digest, syntax_tree

CELL = '''
import math as m
@deco(a, *b, key=1)
async def f(x: int = 0, /, *args, y=None, **kw) -> str:
    """Say something."""
    async with x as z, y: pass
    return [i async for i in args if i], {**kw}, lambda q, *, r=2: q @ r
class C(Base, metaclass=M):
    """A class."""
    n: int = 1
    def __init__(self): self.x = -1 ** 2
try:
    t = f"{m.pi!r:>{width}.2f} and {t=}" 'more' f"{1}{2}"
except (E, ValueError) as e:
    raise X from e
else: pass
finally: del t
match t:
    case {"a": 1, **rest} | [1, *_] | C(n=2) | None if rest: u = 1_000
    case -1.5e3 | "s" | b"x" | True: u = 0x10
for i, (j, k) in enumerate(xs):
    if i: continue
    elif j > k >= 2: break
    else: v = w = (yes := not no) if maybe else ...
while u and v or w: u -= 1; d[1:2, ::3] = u
global gg
assert u, "message"
u"last" "line"
'''


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x  =  1 # one"),
        ("x = 1", "\n\n(x) = (1)\n"),
        ("x = f(a, b)", "x = f(\n    a,\n    b,\n)"),
        ("x = 'a'", 'x = """a"""'),
        ("x = 'ab'", "x = 'a' 'b'"),
        ("x = 'a'", "x = u'a'"),
        ("x = 'é'", "x = '\\u00e9'"),
        ("x = 16", "x = 0x1_0"),
        ("x = 1.0", "x = 1e0"),
        ("x = f'{a}b'", "x = f'{a}' 'b'"),
        ("x = f'{a}'", "x = f'{a:}'"),
        ("if a:\n  b", "if a: b"),
        ("if a: b\nelif c: d", "if a: b\nelse:\n    if c: d"),
        ("a; b", "a\nb"),
        ("x = 1", "'a note'\nx = 1"),
        ("x = 1\ny = 2", "x = 1\n'''a\nnote'''\ny = 2"),
        ("x: list[int] = a  # type: ignore", "x: list[int] = a"),
        (
            "def f():\n    '''Doc.\n    More.'''",
            "def f():\n        '''Doc.\n        More.\n        '''",
        ),
        ("with a as b, c: pass", "with (a as b, c,): pass"),
        ("x = a + b + c", "x = (a + b) + c"),
        ("import a, b", "import a, b  # c"),
    ],
)
def test_layout_does_not_count(one: str, other: str) -> None:
    """Comments, blank lines, quotes, parentheses and notes between lines change nothing."""
    assert code_digest(one) == code_digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 1", "x = '1'"),
        ("x = 'a'", "x = b'a'"),
        ("x = None", "x = ..."),
        ("x = 0.1", "x = 0.10000000000000002"),
        ("x = a", "x = b"),
        ("x = a", "y = a"),
        ("x = (1, 2)", "x = [1, 2]"),
        ("x = (1,)", "x = 1"),
        ("x = a - b - c", "x = a - (b - c)"),
        ("x = a.b", "x = a.c"),
        ("f(a, b)", "f(b, a)"),
        ("f(a=1)", "f(b=1)"),
        ("f(*a)", "f(**a)"),
        ("x = f'{a!r}'", "x = f'{a!s}'"),
        ("x = f'{a:2}'", "x = f'{a:3}'"),
        ("x = f'{a}'", "x = '{a}'"),
        ("def f(a, /): pass", "def f(a): pass"),
        ("def f(*, a): pass", "def f(a): pass"),
        ("def f(*, a, b=1): pass", "def f(*, a=1, b): pass"),
        ("def f(): pass", "async def f(): pass"),
        ("def f(): '''Search.'''", "def f(): '''Search the web.'''"),
        ("class A: '''Prompt.'''", "class A: '''Another prompt.'''"),
        ("import a.b", "from a import b"),
        ("from a import b", "from .a import b"),
        ("if a: b\nc", "if a:\n    b\n    c"),
        ("for a in b: c", "for a in b: c\nelse: d"),
        ("try: a\nfinally: b", "try: a\nexcept: b"),
        ("try: a\nexcept E: b", "try: a\nexcept* E: b"),
        ("match a:\n    case None: b", "match a:\n    case True: b"),
        ("match a:\n    case x: b", "match a:\n    case _: b"),
        ("{a: b}", "{**b}"),
        ("{None: b}", "{**b}"),
        ("x: int", "x: int = 1"),
        ("del a", "a"),
        ("x = a[1:]", "x = a[:1]"),
        ("x = 1", "x = 1\n'shown by the cell'"),
        ("a = b = c", "a = c\nb = c"),
        ("return_", "return_()"),
        ("x = 'a\\ud800'", "x = 'a'"),
        ("get_ipython().system('ls')", "get_ipython().system('ls -l')"),
    ],
)
def test_meaning_counts(one: str, other: str) -> None:
    """What may change a result changes the digest; docstrings do, as models read them."""
    assert code_digest(one) != code_digest(other)


def test_a_digest_survives_rewriting_by_machine() -> None:
    """Code printed anew from its tree has the digest it had."""
    rewritten = ast.unparse(ast.parse(CELL))
    assert rewritten != CELL
    assert code_digest(rewritten) == code_digest(CELL)


@settings(max_examples=80, deadline=None)
@given(st.randoms(use_true_random=False))
def test_blank_lines_and_comments_anywhere_change_nothing(random: object) -> None:
    """Wherever a statement ends, a comment or an empty line may be put."""
    draw = random.random  # type: ignore[attr-defined]
    lines: list[str] = []
    for line in CELL.splitlines():
        if draw() < 0.3:
            lines.append("" if draw() < 0.5 else "    # a remark")
        lines.append(line + "  # more" if draw() < 0.3 and '"""' not in line else line)
    assert code_digest("\n".join(lines)) == code_digest(CELL)


names = st.sampled_from(["a", "b", "c"])
expressions = st.recursive(
    st.one_of(names, st.integers(0, 99).map(str), st.text(max_size=5).map(repr)),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "and", "==", "if b else"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        st.tuples(names, inner).map("{0[0]}({0[1]})".format),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(expressions)
def test_redundant_parentheses_change_nothing(expression: str) -> None:
    """However an expression is bracketed and printed, its digest is that of its tree."""
    digest = code_digest(f"x = {expression}")
    assert code_digest(f"x = (\n  ({expression})\n)") == digest
    assert code_digest(ast.unparse(ast.parse(f"x = {expression}"))) == digest


@settings(max_examples=150, deadline=None)
@given(expressions, expressions)
def test_two_digests_are_equal_exactly_if_the_trees_are(one: str, other: str) -> None:
    """No two trees share a digest, and one tree has one digest."""
    same = ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    assert (code_digest(f"x = {one}") == code_digest(f"x = {other}")) is same


def test_digests_are_equal_in_every_process() -> None:
    """Neither the process nor its hash seed is in a digest."""
    program = (
        "import sys; from stepwell.flow import code_digest, source_digest;"
        "from stepwell.flow import Binding, BindingKind, Fingerprint;"
        "code = sys.stdin.read();"
        "env = {n: Binding(BindingKind.VALUE, n) for n in {'a', 'b', 'c', 'd'}};"
        "print(code_digest(code), source_digest(code), Fingerprint(code, {}, env).digest)"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            input=CELL,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1
    assert answers.pop().split()[:2] == [code_digest(CELL), source_digest(CELL)]


def test_digests_are_those_of_other_python_versions() -> None:
    """The digest of old code is written down here: every supported version must give it."""
    assert code_digest(CELL) == "19f366ba72c9be4eae2cb6d032166354"


def test_code_that_is_not_python_has_no_digest() -> None:
    """The step and the line are named instead."""
    with pytest.raises(InvalidStep, match="step 'plan': line 1"):
        code_digest("x = =", name="plan")


def test_a_long_sum_has_a_digest() -> None:
    """Depth of the tree is no limit of the digest."""
    assert code_digest("+".join(["a"] * 900)) != code_digest("+".join(["a"] * 901))


def test_a_very_long_number_has_a_digest() -> None:
    """Python refuses to print such a number in decimal."""
    assert code_digest("x = 0x" + "f" * 6000) != code_digest("x = 0x" + "f" * 6001)


def test_threads_can_parse_at_once() -> None:
    """Steps start while a cell is read: before Python 3.13 trees made at once could fail."""
    code = "x = [f(a, b=[c for c in d if (c + 1) * 2]) for e in g]\n" * 100
    failures: list[BaseException] = []

    def parse() -> None:
        try:
            for _ in range(20):
                syntax_tree(code)
        except BaseException as error:
            failures.append(error)

    def let_others_run(*_: object) -> None:
        sum(range(50))

    before, threshold = sys.getswitchinterval(), gc.get_threshold()
    gc.callbacks.append(let_others_run)
    try:
        sys.setswitchinterval(1e-5)
        gc.set_threshold(200)
        threads = [threading.Thread(target=parse) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.callbacks.remove(let_others_run)
        sys.setswitchinterval(before)
        gc.set_threshold(*threshold)
    assert failures == []
