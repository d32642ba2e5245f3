"""What a cell reads and writes, cell by cell."""

import re
import sys
import warnings

import pytest

from stepwell.errors import InvalidStep
from stepwell.flow import Dataflow, analyse, uses

# Code, what it reads, what it writes; names apart by a space, in order.
ASSIGNMENTS = [
    ("", "", ""),
    ("# nothing", "", ""),
    ("x = 1", "", "x"),
    ("x = y", "y", "x"),
    ("x = y = z", "z", "x y"),
    ("a, (b, *c) = source", "source", "a b c"),
    ("[a, b] = pair", "pair", "a b"),
    ("x = 1\ny = x", "", "x y"),
    ("y = x\nx = 1", "x", "y x"),
    ("x = x + 1", "x", "x"),
    ("x += y", "x y", "x"),
    ("x = []\nx += y", "y", "x"),
    ("x: int = y", "y", "x"),
    ("x: Kind = y", "y Kind", "x"),
    ("x: int", "", ""),
    ("x: int\ny = x", "x", "y"),
    ("d.x: Kind", "d Kind", ""),
    ("(x := y)", "y", "x"),
    ("print(n := len(rows), n)", "rows", "n"),
    ("while (line := source.read()):\n    out = line", "source", "line out"),
    ("if (m := find(text)) and m.ok:\n    r = m", "find text", "m r"),
    ("a = b if c else d", "c b d", "a"),
    ("_x = y", "y", ""),
    ("__x = 1\nz = __x", "", "z"),
    ("x = _private", "_private", "x"),
    ("x = __name__", "", "x"),
    ("x = len(y)", "y", "x"),
    ("list = sorted(y)\nz = list", "y", "list z"),
    ("queries = await llm.plan(topic)", "llm topic", "queries"),
    ("x = {k: v, **rest}", "k v rest", "x"),
    ("x = {a: b, c: d}", "a b c d", "x"),
    ("x = [*a, *b]", "a b", "x"),
    ("x = f(*args, **kw)", "f args kw", "x"),
    ("x = a < b < c", "a b c", "x"),
    ("x = not (a or b and c)", "a b c", "x"),
    ("x = table[lo:hi, ::step]", "table lo hi step", "x"),
    ("x = (yes for yes in all_of)", "all_of", "x"),
    ("x = " + " + ".join(f"a{i}" for i in range(3)), "a0 a1 a2", "x"),
]

PLACES = [  # assignments to what is inside something else
    ("rows[0] = x", "x rows", ""),
    ("frame.name = x", "x frame", ""),
    ("frame.a.b[k].c = x", "x frame k", ""),
    ("rows = []\nrows[0] = x", "x", "rows"),
    ("rows[i] += 1", "rows i", ""),
    ("x, rows[i] = pair", "pair rows i", "x"),
    ("make().field = 1", "make", ""),
    ("del rows[0]", "rows", ""),
    ("for rows[0] in xs: pass", "xs rows", ""),
    ("with f() as rows.handle: pass", "f rows", ""),
]

DELETIONS = [
    ("x = 1\ndel x", "", ""),
    ("x = y = 1\ndel x", "", "y"),
    ("x = 1\ndel x\nx = 2", "", "x"),
    ("del x", "x", ""),
    ("del x, y", "x y", ""),
    ("del (x, [y])", "x y", ""),
    ("x = 1\ndel x\ny = x", "", "y"),
    ("x = 1\nif c:\n    del x", "c", "x"),
    ("x = 1\nif c:\n    del x\nelse:\n    del x", "c", ""),
    ("for q in qs:\n    t = q\n    del t", "qs", ""),
]

TEMPORARIES = [
    ("for q in queries:\n    pass", "queries", ""),
    ("for i, (k, v) in enumerate(d.items()):\n    last = k", "d", "last"),
    ("for q in queries: pass\nn = q", "queries", "n"),
    ("q = None\nfor q in queries: pass", "queries", "q"),
    ("for q in queries: pass\nelse:\n    done = q", "queries", "done"),
    ("with open(path) as f:\n    text = f.read()", "path", "text"),
    ("with a() as (b, c), d(b) as e:\n    x = e, c", "a d", "x"),
    ("try:\n    x = f()\nexcept (E, ValueError) as e:\n    x = e", "f E", "x"),
    ("try:\n    x = 1\nexcept E:\n    pass\nelse:\n    y = x\nfinally:\n    z = 1", "E", "x y z"),
    ("try:\n    x = f()\nexcept* E as group:\n    seen = group", "f E", "x seen"),
    ("match cmd:\n    case [a, *b]:\n        x = a", "cmd", "x"),
    ("match cmd:\n    case {'k': v, **rest} if v > lim:\n        x = rest", "cmd lim", "x"),
    ("match cmd:\n    case Point(x=0, y=py) | Line(py):\n        r = py", "cmd Point Line", "r"),
    ("match cmd:\n    case color.RED:\n        x = 1\n    case _ as other:\n        x = other",
     "cmd color", "x"),
    ("match cmd:\n    case 'go' as word: pass", "cmd", ""),
    ("xs = [q for q in queries]", "queries", "xs"),
]  # fmt: skip

WAYS = [  # a name is read where no way through the code has bound it
    ("if c:\n    x = 1\ny = x", "c", "x y"),
    ("if c:\n    x = 1\nelse:\n    y = x", "c x", "x y"),
    ("if c:\n    y = x\nelse:\n    x = 1", "c x", "y x"),
    ("if a: x = 1\nelif b: x = 2\nelif x: y = 3", "a b x", "x y"),
    ("if a: x = 1\nelif (t := b): x = t\nelse: x = t", "a b", "x t"),
    ("while c:\n    x = 1\ny = x", "c", "x y"),
    ("for q in qs:\n    total = total + q", "qs total", "total"),
    ("for q in qs:\n    if q.ok:\n        print(last)\n    last = q", "qs", "last"),
    ("for q in qs:\n    d = q - last if last else 0\n    last = q", "qs last", "d last"),
    ("for i, q in enumerate(qs):\n    d = q - last if i else 0\n    last = q", "qs", "d last"),
    ("n = 0\nfor q in qs:\n    ok = n and q > last\n    last = q", "qs", "n ok last"),
    ("for q in qs:\n    for r in q:\n        print(best)\n    best = q", "qs", "best"),
    ("for q in qs:\n    print(last)\n    if q: last = q", "qs last", "last"),
    ("for q in qs:\n    if q: pass\nelse: print(last)\nlast = 1", "qs last", "last"),
    ("try:\n    x = f()\nexcept E:\n    y = x", "f E", "x y"),
    ("try:\n    a\nexcept NameError:\n    a = 1", "a", "a"),
    ("match c:\n    case 1: x = 1\n    case 2: y = x", "c x", "x y"),
    ("a = b and (t := c)\nd = t", "b c", "t a d"),
    ("a = (t := 1) if b else t", "b t", "t a"),
    ("assert c, message", "c message", ""),
    ("raise E(a) from cause", "E a cause", ""),
    ("return_ = 1; pass; ...", "", "return_"),
]

DEFINITIONS = [
    ("def f(): pass", "", ""),
    ("def f(a, b=c, *args, d=e, **kw): return a, b, args, d, kw", "c e", ""),
    ("def f(a: A, /, b: B = 1, *c: C, d: D, **e: E) -> R: ...", "A B C D E R", ""),
    ("def f():\n    x: Never = 1\n    return x", "", ""),
    ("def f():\n    y.x: Never = 1", "y", ""),
    ("from __future__ import annotations\ndef f(a: A) -> B: pass\nx: C = 1", "", "x"),
    ("@deco(arg)\ndef f(): pass", "deco arg", ""),
    ("def f(): return x", "x", ""),
    ("def f(): return x\nx = 1", "", "x"),
    ("x = 1\ndef f(): return x", "", "x"),
    ("def f():\n    x = 1\n    return x", "", ""),
    ("def f():\n    print(x)\n    x = 1", "", ""),
    ("def f():\n    for x in xs: pass\n    return x", "xs", ""),
    ("def f():\n    import x\n    return x", "", ""),
    ("def f():\n    with a as x, b: return x", "a b", ""),
    ("def f():\n    try: pass\n    except E as x: return x", "E", ""),
    ("def f(v):\n    match v:\n        case {'a': x, **y}: return x, y", "", ""),
    ("def f():\n    del x", "", ""),
    ("def f():\n    return [y := x for x in xs], y", "xs", ""),
    ("def fact(n): return n * fact(n - 1)", "", ""),
    ("def f(): return g()\ndef g(): return h", "h", ""),
    ("def f():\n    def g(): return x, y\n    x = 1\n    return g", "y", ""),
    ("def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = y\n    return g", "y", ""),
    ("def f():\n    def g(a=x): return a\n    return g", "x", ""),
    ("def f(): return t\nt = f()", "t", "t"),
    ("def f(): return g()\ndef g(): return t\nt = f()", "t", "t"),
    ("def f(): return t\nt = 1\nu = f()", "", "t u"),
    ("def f(): return t\nx = map(f, xs)\nt = 1", "xs", "x t"),
    ("async def f(): return await x", "x", ""),
    ("def f(): yield from x", "x", ""),
    ("f = lambda a, *b, c=d, **e: (a, b, c, e, g)", "d g", "f"),
    ("f = lambda: x\nx = 1", "", "f x"),
    ("f = lambda: (y := x) + y", "x", "f"),
    ("best = max(hits, key=lambda h: weights[h])", "hits weights", "best"),
    ("if c:\n    def f(): return a\nelse:\n    f = b", "c a b", "f"),
    ("def f(): pass\nf = cache(f)", "cache", "f"),
    ("f = 1\ndef f(): pass", "", ""),
    ("x = x_of(lambda: missing)", "x_of missing", "x"),
]

GLOBALS = [
    ("def f():\n    global n\n    n = 1", "", "n"),
    ("def f():\n    global n\n    n += 1", "n", "n"),
    ("n = 0\ndef f():\n    global n\n    n += 1", "", "n"),
    ("def f():\n    global n\n    n = 1\n    return n", "", "n"),
    ("def f():\n    global n\n    n = 1\nf()\nx = n", "", "x n"),
    ("def f():\n    def g():\n        global n\n        n = y\n    g()", "y", "n"),
    ("def set_():\n    global n\n    n = 1\ndef get(): return n", "", "n"),
    (
        "def f():\n    n = 1\n    def g():\n        global n\n        return n\n    return g",
        "n",
        "",
    ),
    ("def f():\n    global np\n    import numpy as np", "", ""),
    ("global x\nx = 1", "", "x"),
]

CLASSES = [
    ("class A: pass", "", ""),
    ("class A(B, metaclass=M): pass", "B M", ""),
    ("@deco\nclass A: pass", "deco", ""),
    ("class A:\n    x: T = d", "d T", ""),
    ("class A:\n    x = 1\n    y = x", "", ""),
    ("class A:\n    y = x\n    x = 1", "x", ""),
    ("class A:\n    x = x", "x", ""),
    ("class A:\n    x = 1\n    def m(self): return x", "x", ""),
    ("class A:\n    x = 1\n    def m(self, a=x): return a", "", ""),
    ("class A:\n    x = 1\n    z = [x for _ in y]", "y x", ""),
    ("class A:\n    x = []\n    z = [i for i in x]", "", ""),
    ("class A:\n    x = 1\n    f = lambda: x", "x", ""),
    ("class A:\n    x = 1\n    class B:\n        y = x", "x", ""),
    ("class A:\n    def m(self): return A, other", "other", ""),
    ("class A:\n    global g\n    g = 1", "", "g"),
    ("class A:\n    x = 1\n    del x\n    y = x", "x", ""),
    ("class A:\n    def m(self): return __class__, super()", "", ""),
    ("def f():\n    x = 1\n    class A:\n        y = x\n    return A", "", ""),
    ("a = A()\nclass A: pass", "A", "a"),
]

COMPREHENSIONS = [
    ("x = [a for a in b]", "b", "x"),
    ("x = [a for a in a]", "a", "x"),
    ("x = {a: c for a, c in b if a > d}", "b d", "x"),
    ("x = {f(a) for a in b for c in a}", "b f", "x"),
    ("x = [c for a in b for c in d[a] if e]", "b d e", "x"),
    ("x = [[c for c in a] for a in b]", "b", "x"),
    ("x = [a for a in b]\ny = a", "b a", "x y"),
    ("x = [last := a for a in b]\ny = last", "b", "last x y"),
    ("x = [x for _ in y]", "y x", "x"),
    ("x = [i async for i in source]", "source", "x"),
    ("x = [lambda: (i, o) for i in y]", "y o", "x"),
    ("x = sum(total + h for h in hits)\ntotal = x", "hits total", "x total"),
    ("x = [0 for d['k'] in y]", "y d", "x"),
    ("x = any((hit := h) for h in hs)\ny = hit", "hs", "hit x y"),
]

STRINGS = [
    ("x = f'{a} and {b!r:>{width}}'", "a b width", "x"),
    ("x = f'{a=}'", "a", "x"),
    ("x = f'{ {k: v} }'", "k v", "x"),
    ("x = f'{[i for i in y]}'", "y", "x"),
    ("x = '{a}'", "", "x"),
    ("x = 'a' f'{b}' 'c'", "b", "x"),
    ("x = f'{(y := z)}'", "z", "y x"),
]

IMPORTS = [
    ("import numpy as np\nx = np.zeros(n)", "n", "x"),
    ("import os.path\nx = os.path", "", "x"),
    ("from a.b import c as d, e\nx = d, e", "", "x"),
    ("from . import a\nx = a", "", "x"),
    ("try:\n    import fast\nexcept ImportError:\n    fast = None", "", ""),
    ("x = np.pi\nimport numpy as np", "np", "x"),
    ("def f():\n    import numpy as np\n    return np, pd", "pd", ""),
]

IPYTHON = [  # as IPython's input transformer leaves it
    ("get_ipython().system('ls {folder}')", "folder", ""),
    ("x = get_ipython().getoutput('cmd $y ${z} $$shell {a + b}')", "z a b y", "x"),
    ("get_ipython().system('echo $HOME')", "HOME", ""),
    ("x = get_ipython().getoutput('echo $x')", "", "x"),
    ("get_ipython().system(\"awk '{print $1}' {path\")", "", ""),
    ("get_ipython().system('grep {pattern!r} {d[\"k\"]}')", "pattern d", ""),
    ("get_ipython().run_line_magic('time', 'r = f(y)')", "f y", "r"),
    ("get_ipython().run_line_magic('timeit', '-n 10 -r3 r = f(y)')", "f y", ""),
    ("get_ipython().run_line_magic('timeit', '-q')", "", ""),
    ("get_ipython().run_line_magic('prun', '-s cumulative -l 5 f(y)')", "f y", ""),
    ("get_ipython().run_line_magic('time', 'not python at all')", "", ""),
    ("get_ipython().run_line_magic('matplotlib', 'inline')", "", ""),
    ("get_ipython().run_line_magic('cd', '{base}/data')", "base", ""),
    ("get_ipython().run_cell_magic('time', '', 'a = b\\nc = a\\n')", "b", "a c"),
    ("get_ipython().run_cell_magic('capture', 'seen', 'a = b\\nprint(a)\\n')", "b", "seen a"),
    ("get_ipython().run_cell_magic('capture', '--no-stderr seen', 'a = b\\n')", "b", "seen a"),
    ("get_ipython().run_cell_magic('capture', '', 'a = b\\n')", "b", "a"),
    ("get_ipython().run_cell_magic('bash', '-s {arg}', 'echo $name\\n')", "arg name", ""),
    ("get_ipython().system(f'ls {folder}')", "folder", ""),
    ("x = 1\nget_ipython().system('echo {x} $y')", "y", "x"),
    ("def f(p):\n    get_ipython().system('ls {p} {q}')", "q", ""),
]

NEWER: list[tuple[str, str, str]] = [  # syntax of Python 3.12
    ("def f[T](a: T, b: Other) -> T: return a", "Other", ""),
    ("def f[T: Bound](a: T): return T", "Bound", ""),
    ("class A[T](Base[T]):\n    x: T", "Base", ""),
    ("type Pair[T] = tuple[T, Other]", "Other", ""),
    ("type Tree = list[Tree]", "", ""),
    ("x = f'{', '.join(f'{a}' for a in b)}'", "b", "x"),
]

CELLS: list[tuple[str, str, str]] = [
    *ASSIGNMENTS, *PLACES, *DELETIONS, *TEMPORARIES, *WAYS, *DEFINITIONS, *GLOBALS, *CLASSES,
    *COMPREHENSIONS, *STRINGS, *IMPORTS, *IPYTHON,
]  # fmt: skip
if sys.version_info >= (3, 12):
    CELLS += NEWER


@pytest.mark.parametrize(("code", "reads", "writes"), CELLS)
def test_a_cell_reads_and_writes(code: str, reads: str, writes: str) -> None:
    """Reads and writes are those of the running code, in order of first use."""
    found = analyse(code)
    assert (" ".join(found.reads), " ".join(found.writes)) == (reads, writes)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = 1", False),
        ("x = await f()", True),
        ("async for x in y: pass", True),
        ("async with a as b: pass", True),
        ("x = [i async for i in y]", True),
        ("x = [await i for i in y]", True),
        ("x = (i for i in await y)", True),
        ("async def f(): await g()", False),
        ("async def f(): return [i async for i in y]", False),
        ("if a:\n    for b in c:\n        with d:\n            await e", True),
        ("f'{await x}'", True),
    ],
)
def test_only_awaiting_at_top_level_makes_a_cell_asynchronous(code: str, expected: bool) -> None:
    """`is_async` is what the compiler says: the cell needs an event loop."""
    assert analyse(code).is_async is expected


@pytest.mark.parametrize(
    ("code", "mutates"),
    [
        ("rows.append(x)", "rows"),
        ("rows[0].tags.add(x)", "rows"),
        ("rows[0] = x", "rows"),
        ("frame['a'] += 1", "frame"),
        ("frame.a = 1", "frame"),
        ("del rows[0]", "rows"),
        ("frame.drop(columns='a', inplace=True)", "frame"),
        ("frame.drop(columns='a', inplace=False)", ""),
        ("rows = list(rows_in)\nrows.append(x)", ""),
        ("rows.index(x)", ""),
        ("make().append(x)", ""),
        ("def f():\n    rows.clear()", "rows"),
        ("def f(rows):\n    rows.clear()", ""),
        ("rows += [x]", ""),
    ],
)
def test_changes_in_place_are_noticed(code: str, mutates: str) -> None:
    """What a step seems to change in place among the names it reads can be told to people."""
    assert " ".join(analyse(code).mutates) == mutates


def test_a_name_both_read_and_written_is_named() -> None:
    """`rebinds` lists the names whose own result would be their input."""
    assert analyse("x = x + 1\ny += 1\nz = 1\nz += 1").rebinds == ("x", "y")


def test_names_in_shell_text_are_optional_until_code_reads_them() -> None:
    """`$HOME` may be the shell's; a name that the code reads as well is needed in any case."""
    found = analyse("get_ipython().system('echo $HOME {a}')\nprint(a)")
    assert found.reads == ("a", "HOME")
    assert found.optional == ("HOME",)


def test_everything_bound_is_known_by_its_kind() -> None:
    """Functions, classes, imports, modules and private names can be told apart."""
    code = (
        "import os.path as p\nfrom json import loads\nimport a.b\ndef f():\n    import zlib\n"
        "class C: ...\n_x = 1\nfor i in y: pass\nwith z as w: n = len(w)\n"
    )
    assert analyse(code) == Dataflow(
        reads=("y", "z"),
        writes=("n",),
        functions=("f",),
        classes=("C",),
        imports=("p", "loads", "a"),
        modules=("os.path", "json", "a.b", "zlib"),
        builtins=("len",),
        binds=("p", "loads", "a", "f", "C", "_x", "i", "w", "n"),
    )


def test_names_set_through_global_are_reported() -> None:
    """Assigning through `global` counts as writing, and is named."""
    found = analyse("def f():\n    global total\n    total = 1")
    assert found.globals == found.writes == ("total",)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("x = 1\neval('y')", "line 2: eval()"),
        ("exec(code)", "line 1: exec()"),
        ("globals()['x'] = 1", "line 1: globals()"),
        ("print(locals())", "line 1: locals()"),
        ("vars()", "line 1: vars()"),
        ("get_ipython().user_ns['x'] = 1", "line 1: get_ipython().user_ns"),
        ("get_ipython().run_line_magic('run', 'other.py')", "line 1: %run"),
    ],
)
def test_what_cannot_be_seen_through_is_noted(code: str, what: str) -> None:
    """Code that reaches names by other ways than writing them down is not passed in silence."""
    (note,) = analyse(code).notes
    assert note == f"{what} can use names that the code does not show"


@pytest.mark.parametrize(
    "code", ["vars(x)", "def eval(x): pass\neval(1)", "model.eval()", "def f(exec): exec(1)"]
)
def test_harmless_code_is_not_noted(code: str) -> None:
    """A note is about the builtin, not about a word."""
    assert analyse(code).notes == ()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = 1\ny = = 2", "line 2: invalid syntax: y = = 2"),
        ("x = 1\nreturn x", "line 2: 'return' outside function"),
        ("def f():\n    await x", "line 2: 'await' outside async function"),
        ("yield 1", "line 1: 'yield' outside function"),
        ("break", "line 1: 'break' outside loop"),
        ("nonlocal x", "line 1: nonlocal declaration not allowed at module level"),
        ("x = '\0'", "null bytes"),
        ("x = 1\nfrom math import *", "line 2: import * hides what the step reads. "
         "Import the names you use: from math import a, b"),
    ],
)  # fmt: skip
def test_code_that_cannot_be_used_is_refused(code: str, reason: str) -> None:
    """The step, the line and the reason are named."""
    with pytest.raises(InvalidStep, match=r"^step 'plan': ") as caught:
        analyse(code, name="plan")
    assert re.search(re.escape(reason), str(caught.value))


@pytest.mark.parametrize(
    "code",
    [
        "x = " + "-" * 20_000 + "1",
        "x = " + "[" * 20_000,
        "x" + ".y" * 20_000,
        "x" + "()" * 20_000,
    ],
)
def test_code_nested_too_deeply_is_refused_not_crashed_on(code: str) -> None:
    """Whatever is typed, the process survives and the step is named."""
    with pytest.raises(InvalidStep, match=r"^step 'deep': .*(nested|parentheses)"):
        analyse(code, name="deep")


def test_long_flat_code_is_not_deep() -> None:
    """A sum of 600 terms, 300 branches of elif and 2,000 lines are ordinary code."""
    total = "x = " + " + ".join(f"a{i}" for i in range(600))
    branches = "if a: pass\n" + "".join(f"elif b{i}: pass\n" for i in range(300))
    lines = "\n".join(f"v{i} = w{i}" for i in range(2000))
    assert len(analyse(total).reads) == 600
    assert len(analyse(branches).reads) == 301
    assert len(analyse(lines).writes) == 2000


def test_warnings_of_the_code_are_left_to_its_run() -> None:
    """Reading code that warns, even where warnings are errors, neither warns nor fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert analyse("x = '\\d' is y").reads == ("y",)
        assert uses("f = lambda: '\\d' is y") == ("y",)
