"""The arrows between the parts, read from the imports, and the limits of a module.

    store, flow  ←  orchestrator  ←  inside  ←  workers | adapters | magics | widgets
                 ←  session and its neighbours  ←  headless  ←  cli, __init__

A part may import from those to its left, never from its right or its own rank, and
`errors` is everybody's. An import counts wherever it stands: at the top, inside a function
or under TYPE_CHECKING, for a type that is needed is knowledge too. There is one exception:
`stepwell/__init__.py` may name anything, since it is the door to all of it.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLACES = {
    "stepwell.magics": ROOT / "magics",
    "stepwell.store": ROOT / "store",
    "stepwell.widgets": ROOT / "widgets",
    "stepwell": ROOT / "extension",
}
RANKS = (
    {"errors"},
    {"store", "flow"},
    {"orchestrator"},
    {"inside"},
    {"agents"},
    {"workers", "adapters", "magics", "widgets", "patterns"},
    # The modules that stand directly in the package join the parts: the session's rank.
    {"session"},
    {"headless"},
    {"cli", "__init__"},
)
LONGEST_MODULE = 500
ELSEWHERE = re.compile(r"(?<![\w.~])/(?:home|root|work|Users|tmp)/[\w.-]+")


@dataclass(frozen=True)
class Import:
    """One import of something of ours."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def modules() -> dict[str, Path]:
    """Every module of the package by its import name."""
    found: dict[str, Path] = {}
    for package, folder in PLACES.items():
        for file in folder.rglob("*.py"):
            parts = file.relative_to(folder).with_suffix("").parts
            found[".".join([package, *(part for part in parts if part != "__init__")])] = file
    return found


def imports() -> Iterator[Import]:
    """Every import of a stepwell module by another, wherever it stands in the file."""
    known = modules()
    for name, file in known.items():
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                # `from stepwell import errors` imports a module, `… import Store` a name of one.
                whole = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = [target if target in known else node.module for target in whole]
            else:
                continue
            for target in targets:
                if target.partition(".")[0] == "stepwell":
                    yield Import(name, target, node.lineno)


def part_of(module: str) -> str:
    """The part a module belongs to: its folder's name, or the session's rank."""
    below = module.split(".")[1:]
    if not below:
        return "__init__"
    known = set[str]().union(*RANKS)
    return below[0] if below[0] in known else "session"


def rank_of(part: str) -> int:
    """How far to the right a part stands."""
    return next(rank for rank, parts in enumerate(RANKS) if part in parts)


def goes_against_the_arrows(it: Import) -> bool:
    """Whether an import reaches to the right, or sideways into another part."""
    importer, imported = part_of(it.importer), part_of(it.imported)
    if importer in (imported, "__init__"):
        return False
    return rank_of(imported) >= rank_of(importer)


def test_imports_follow_the_arrows() -> None:
    """Every part imports only from its left; magics and widgets never meet."""
    assert [str(it) for it in imports() if goes_against_the_arrows(it)] == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("stepwell.flow._step", "stepwell.store"),
        ("stepwell.store._port", "stepwell.flow"),
        ("stepwell.orchestrator._shell", "stepwell.workers"),
        ("stepwell.inside._current", "stepwell.workers"),
        ("stepwell.magics._step", "stepwell.widgets"),
        ("stepwell.widgets._card", "stepwell.magics"),
        ("stepwell.magics._step", "stepwell.session"),
        ("stepwell.session._session", "stepwell.headless"),
    ],
)
def test_an_arrow_the_wrong_way_is_noticed(importer: str, imported: str) -> None:
    """The rule itself works: each forbidden arrow of the picture is refused."""
    assert goes_against_the_arrows(Import(importer, imported, 1))


def test_private_modules_are_private_to_their_package() -> None:
    """`_module` is imported only inside the package it stands in; others use the door."""

    def is_trespass(it: Import) -> bool:
        package, _, rest = it.imported.partition("._")
        return bool(rest) and not f"{it.importer}.".startswith(f"{package}.")

    assert [str(it) for it in imports() if is_trespass(it)] == []


def test_no_relative_imports() -> None:
    """With relative imports type checkers would see each class twice."""
    relative = [
        f"{name}:{node.lineno}"
        for name, file in modules().items()
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_no_module_is_too_long() -> None:
    """A module is split before it reaches 500 lines."""
    lengths = {name: file.read_text("utf-8").count("\n") for name, file in modules().items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_every_module_says_what_it_is() -> None:
    """Each module begins with a docstring."""
    trees = {name: ast.parse(file.read_text("utf-8")) for name, file in modules().items()}
    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []


def tracked_files() -> list[Path]:
    """The files git knows, or every source file where there is no git."""
    try:
        listed = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    except (OSError, subprocess.CalledProcessError):
        listed = [str(file.relative_to(ROOT)) for file in modules().values()]
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def test_no_file_names_a_place_on_one_machine() -> None:
    """Nothing in the repository depends on where somebody keeps their files."""
    found: list[str] = []
    for file in tracked_files():
        text = file.read_text("utf-8", errors="ignore")
        found += [f"{file.relative_to(ROOT)}: {place}" for place in ELSEWHERE.findall(text)]
    assert found == []
